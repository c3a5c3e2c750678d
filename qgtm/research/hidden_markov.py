"""Fit the hidden Markov model of the regime with hmmlearn, and name its states."""

import logging
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np

from qgtm.adapters.artefact import Fit
from qgtm.core.errors import MarketError
from qgtm.features.bars import FloatArray
from qgtm.features.hidden_markov import READS, STATES, Model, observations
from qgtm.features.seen import Seen

STARTS: Final = 12
ITERATIONS: Final = 500
TOLERANCE: Final = 1e-4
LEAST_VARIANCE: Final = 1e-3
LEAST_SESSIONS: Final = 252
ALIKE: Final = 0.05  # log volatilities within this are alike, and drawdown decides


def fitted(markets: Sequence[Seen], until: date, starts: int = STARTS) -> Fit:
    """Fit the model on the sessions up to `until`, from `starts` seeds, and keep the likeliest.

    Each market is a stretch of time of its own, in order; the odds of moving are not learnt across a hole.
    The same sessions give the same model. Raises MarketError when fewer than a year were seen or when no
    start leads to three states that are all visited.
    """
    stretches = [stretch for seen in markets if len(stretch := _stretch(seen, until))]
    sample = np.concatenate(stretches) if stretches else np.empty((0, 4))
    if len(sample) < LEAST_SESSIONS:
        raise MarketError(
            f"only {len(sample)} sessions up to {until} show {' and '.join(READS)}; give {LEAST_SESSIONS}"
        )
    rows, lengths = sample[:, :-1], list(map(len, stretches))
    fits = [each for seed in range(starts) if (each := _one(rows, lengths, seed)) is not None]
    if not fits:
        raise MarketError(f"none of {starts} starts found {len(STATES)} states; give a longer history")
    found, log_likelihood = max(fits, key=lambda each: each[1])
    model = named(found, rows, lengths, sample[:, -1])
    return Fit(model=model, until=until, sessions=len(rows), starts=starts, log_likelihood=log_likelihood)


def _stretch(seen: Seen, until: date) -> FloatArray:
    """Return what is seen (n, 3) and equity's drawdown up to `until`, where all of it is known."""
    known = seen.head(int(np.searchsorted(seen.bars.sessions, until.toordinal(), side="right")))
    rows = np.column_stack([observations(known), _drawdown(known)])
    return rows[np.isfinite(rows).all(axis=1)]


def _one(rows: FloatArray, lengths: list[int], seed: int) -> tuple[Any, float] | None:
    from hmmlearn.hmm import GaussianHMM

    logging.getLogger("hmmlearn").setLevel(logging.ERROR)  # it reports each start that stops climbing
    k = len(STATES)
    found = GaussianHMM(
        n_components=k,
        covariance_type="diag",
        min_covar=LEAST_VARIANCE,
        n_iter=ITERATIONS,
        tol=TOLERANCE,
        random_state=seed,
    )
    found.fit(rows, lengths)
    is_used = np.bincount(found.predict(rows, lengths), minlength=k).min() > 0
    return (found, float(found.score(rows, lengths))) if is_used else None


def named(found: Any, rows: FloatArray, lengths: list[int], falls: FloatArray) -> Model:
    """Return hmmlearn's model with its states in the order of STATES: the wilder, the later.

    Where two states are alike in their volatility the one with the deeper mean drawdown is the later, so
    that a refit never swaps names. `falls` (n,) is equity's drawdown at the rows.
    """
    posterior = found.predict_proba(rows, lengths)  # smoothed: good for naming states, never for trading
    depth = (posterior * falls[:, None]).sum(axis=0) / posterior.sum(axis=0)
    order = sorted(range(len(STATES)), key=lambda k: (round(found.means_[k, 1] / ALIKE), depth[k]))
    odds = found.transmat_[np.ix_(order, order)]
    return Model(
        start=_shares(found.startprob_[order]),
        transition=tuple(_shares(row) for row in odds),
        means=tuple(tuple(row) for row in found.means_[order].tolist()),
        variances=tuple(tuple(np.diag(each).tolist()) for each in found.covars_[order]),
    )


def _shares(odds: FloatArray) -> tuple[float, ...]:
    return tuple((odds / odds.sum()).tolist())


def _drawdown(seen: Seen) -> FloatArray:
    close = seen.bars.select(READS[:1]).close[:, 0]
    return 1.0 - close / np.fmax.accumulate(close)
