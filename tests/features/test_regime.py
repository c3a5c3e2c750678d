"""The regime: filter, change point, volatility levels, and the file of the fitted model."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hmmlearn.hmm import GaussianHMM

from qgtm.adapters.artefact import SHIPPED, load_model, save_model
from qgtm.core.errors import ConfigError, MarketError
from qgtm.features import change_point, regime
from qgtm.features.bars import FloatArray
from qgtm.features.hidden_markov import STATES, Model, filtered, observations, odds_feature
from qgtm.features.seen import Seen, Shelf
from qgtm.research.hidden_markov import fitted, named
from qgtm.research.regime import markets


@pytest.fixture(scope="module")
def seen() -> Seen:
    return markets((), 420)[0]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model().model


def drawn(states: int, seed: int, sessions: int) -> tuple[FloatArray, FloatArray]:
    """Return observations of a known three-state market, and the states that made them."""
    draw = np.random.default_rng(seed)
    state, path = 0, []
    for _ in range(sessions):
        state = state if draw.random() < 0.97 else int(draw.integers(states))
        path.append(state)
    at = np.array(path)
    means = np.array([[0.05, 2.0, 0.1], [0.0, 2.6, 0.0], [-0.2, 3.6, -0.8]])
    deviations = np.array([[0.4, 0.1, 0.3], [0.9, 0.1, 0.7], [2.5, 0.15, 2.0]])
    return means[at] + deviations[at] * draw.standard_normal((sessions, 3)), at.astype(np.float64)


class TestFilter:
    def test_last_session_is_that_of_hmmlearn(self, model: Model, seen: Seen) -> None:
        """At the last session nothing comes after, so the smoothed odds of the library are the filtered."""
        rows = observations(seen)
        rows = rows[np.isfinite(rows).all(axis=1)]
        library = GaussianHMM(n_components=3, covariance_type="diag")
        library.startprob_ = np.array(model.start)
        library.transmat_ = np.array(model.transition)
        library.means_ = np.array(model.means)
        library.covars_ = np.array(model.variances)
        memory = None
        for n, row in enumerate(rows, 1):
            memory, odds = filtered(model, memory, row)
            if n % 60 == 0:
                assert np.allclose(odds, library.predict_proba(rows[:n])[-1], atol=1e-9)

    def test_later_data_change_no_bit(self, model: Model, seen: Seen) -> None:
        feature = odds_feature(model)
        whole = feature.compute(seen)
        for n in range(30, len(seen), 17):
            assert feature.compute(seen.head(n)).tobytes() == whole[:n].tobytes()

    def test_smoothed_odds_would_be_caught(self, model: Model, seen: Seen) -> None:
        """The mistake that the test above is there for: hmmlearn's own odds move with later data."""
        rows = observations(seen)
        rows = rows[np.isfinite(rows).all(axis=1)]
        library = GaussianHMM(n_components=3, covariance_type="diag")
        library.startprob_, library.transmat_ = np.array(model.start), np.array(model.transition)
        library.means_, library.covars_ = np.array(model.means), np.array(model.variances)
        whole = library.predict_proba(rows)
        assert not np.allclose(library.predict_proba(rows[:200]), whole[:200], atol=1e-6)

    def test_shelf_grows_to_the_same_bits(self, model: Model, seen: Seen) -> None:
        features = (odds_feature(model), *change_point.FEATURES, *regime.FEATURES)
        shelf = Shelf()
        for n in range(300, len(seen) + 1):
            now = seen.head(n)
            grown = Seen(now.bars, now.panel, shelf)
            for feature in features:
                grown.get(feature)
        for feature in features:
            assert grown.get(feature).tobytes() == feature.compute(seen).tobytes()

    def test_odds_after_a_hole_move_by_the_transition(self, model: Model) -> None:
        before = tuple(math.log(p) for p in (0.6, 0.3, 0.1))
        _, odds = filtered(model, before, np.array([0.1, math.nan, 0.1]))
        assert np.allclose(odds, np.array([0.6, 0.3, 0.1]) @ np.array(model.transition))


def segmentations(n: int) -> Iterator[tuple[int, ...]]:
    """Return every way to cut n sessions into runs, as the lengths of the runs."""
    for cuts in product((False, True), repeat=n - 1):
        lengths, length = [], 1
        for cut in cuts:
            if cut:
                lengths.append(length)
                length = 0
            length += 1
        yield (*lengths, length)


def evidence(values: FloatArray, knobs: change_point.Params) -> float:
    """Return the log marginal likelihood of a run in closed form (Murphy 2007, equation 95)."""
    n, mean = len(values), values.mean()
    k0, a0, b0 = knobs.prior_strength, knobs.prior_shape, knobs.prior_scale
    kn, an = k0 + n, a0 + n / 2
    bn = b0 + 0.5 * ((values - mean) ** 2).sum() + k0 * n * mean**2 / (2 * kn)
    return (
        math.lgamma(an) - math.lgamma(a0) + a0 * math.log(b0) - an * math.log(bn)
        + 0.5 * math.log(k0 / kn) - n / 2 * math.log(2 * math.pi)
    )  # fmt: skip


class TestChangePoint:
    def test_run_lengths_are_those_of_all_segmentations(self) -> None:
        """Exact by brute force: every way to cut nine sessions, weighed by its prior and its evidence."""
        knobs = replace(change_point.PARAMS, hazard=0.2, least_odds=0.0, most_runs=1000)
        values = np.array([0.3, -0.2, 0.1, 3.0, -4.0, 2.5, 0.2, 0.1, -0.3])
        n = len(values)
        odds = np.zeros(n + 1)
        for lengths in segmentations(n):
            at, weight = 0, 0.0
            for length in lengths:
                weight += evidence(values[at : at + length], knobs) + (length - 1) * math.log(
                    1 - knobs.hazard
                )
                at += length
            weight += (len(lengths) - 1) * math.log(knobs.hazard)
            # after the last session the run goes on, or a new one begins with nothing seen yet
            odds[lengths[-1]] += math.exp(weight) * (1 - knobs.hazard)
            odds[0] += math.exp(weight) * knobs.hazard
        odds /= odds.sum()
        runs = change_point.start(knobs)
        for x in values.tolist():
            runs = change_point.update(runs, x, knobs)
        assert runs.length.tolist() == list(range(n + 1))
        assert np.allclose(runs.odds, odds, rtol=1e-9)

    def test_pruned_stays_near_the_exact_one_in_constant_memory(self) -> None:
        draw = np.random.default_rng(5)
        values = np.concatenate([draw.normal(0, s, 220) for s in (0.5, 2.5, 0.8)])
        exact_knobs = replace(change_point.PARAMS, least_odds=0.0, most_runs=10_000)
        runs, exact = change_point.start(), change_point.start(exact_knobs)
        worst = 0.0
        for x in values.tolist():
            runs = change_point.update(runs, x)
            exact = change_point.update(exact, x, exact_knobs)
            assert len(runs.odds) <= change_point.PARAMS.most_runs
            gap = abs(change_point.recent_change(runs) - change_point.recent_change(exact, exact_knobs))
            worst = max(worst, gap)
        assert worst < 0.01

    def test_nothing_known_changes_nothing(self) -> None:
        runs = change_point.update(change_point.start(), 0.4)
        assert change_point.update(runs, math.nan) is runs


class TestVolatility:
    def test_thresholds_are_the_rolling_quantiles_of_pandas(self, seen: Seen) -> None:
        close = pd.Series(seen.bars.select(("GLD",)).close[:, 0])
        daily = pd.Series(np.log(close / close.shift(1)))
        mean_square = (daily**2).rolling(21, min_periods=16).mean().where(close.index >= 20)
        volatility = (252 * mean_square) ** 0.5
        found = seen.get(regime.THRESHOLDS)
        for k, percentile in enumerate(regime.PARAMS.percentiles):
            expected = volatility.rolling(252, min_periods=189).quantile(percentile / 100).to_numpy()
            judged = np.isfinite(found[:, k])
            assert judged.sum() > 100
            assert np.allclose(found[judged, k], expected[judged], rtol=1e-9)

    def test_every_level_comes_with_its_threshold(self, seen: Seen) -> None:
        level, bounds = seen.get(regime.FEATURES[1]), seen.get(regime.THRESHOLDS)
        assert np.array_equal(np.isnan(level), np.isnan(bounds).any(axis=1))
        assert set(level[np.isfinite(level)]) <= {0.0, 1.0, 2.0, 3.0}


class TestFit:
    def test_states_are_named_by_how_wild_they_are_whatever_the_seed(self) -> None:
        rows, path = drawn(3, 2, 1500)
        starts = [
            GaussianHMM(n_components=3, covariance_type="diag", n_iter=60, random_state=seed).fit(rows)
            for seed in range(8)
        ]
        best = max(found.score(rows) for found in starts)
        alike = [found for found in starts if found.score(rows) > best - 1]
        assert len({tuple(np.argsort(found.means_[:, 1])) for found in alike}) > 1  # hmmlearn swaps them
        for found in alike:
            model = named(found, rows, [len(rows)], np.zeros(len(rows)))
            assert [row[1] for row in model.means] == pytest.approx([2.0, 2.6, 3.6], abs=0.1)
        assert len(set(path.tolist())) == len(STATES)

    def test_equal_volatility_is_ordered_by_drawdown(self) -> None:
        rows, _ = drawn(3, 2, 600)
        found = GaussianHMM(n_components=3, covariance_type="diag", n_iter=50, random_state=0).fit(rows)
        found.means_[:, 1] = 2.5
        odds = found.predict_proba(rows)
        falls = odds @ np.array([0.3, 0.0, 0.1])
        model = named(found, rows, [len(rows)], falls)
        assert [row[0] for row in model.means] == pytest.approx(found.means_[[1, 2, 0], 0].tolist())

    def test_same_sessions_give_the_same_model_and_later_ones_are_not_seen(self, seen: Seen) -> None:
        until = date.fromordinal(int(seen.bars.sessions[330]))
        fit = fitted([seen], until, starts=2)
        assert fit == fitted([seen.head(340)], until, starts=2)
        assert fit.sessions <= 331

    def test_a_year_is_needed(self, seen: Seen) -> None:
        with pytest.raises(MarketError, match="only 74 sessions"):
            fitted([seen], date.fromordinal(int(seen.bars.sessions[93])), starts=1)


class TestFile:
    def test_comes_back_as_it_went(self, tmp_path: Path) -> None:
        fit = load_model()
        save_model(tmp_path / "model.json", fit)
        assert load_model(tmp_path / "model.json") == fit
        assert (tmp_path / "model.json").read_bytes() == SHIPPED.read_bytes()

    def test_a_changed_number_is_refused(self, tmp_path: Path) -> None:
        body = json.loads(SHIPPED.read_text())
        body["model"]["means"][0][0] += 1e-9
        (tmp_path / "model.json").write_text(json.dumps(body))
        with pytest.raises(ConfigError, match="checksum"):
            load_model(tmp_path / "model.json")

    @pytest.mark.parametrize("content", ["", "{}", "[1]", '{"sha256": "x"}', "\x00"])
    def test_nonsense_is_refused_with_a_way_out(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "model.json").write_text(content)
        with pytest.raises(ConfigError, match="fit it anew"):
            load_model(tmp_path / "model.json")

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"gone\.json cannot be read"):
            load_model(tmp_path / "gone.json")


def test_a_model_that_is_none_is_refused(model: Model) -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        replace(model, start=(0.5, 0.5, 0.5))
    with pytest.raises(ValueError, match="variance"):
        replace(model, variances=((0.0, 1.0, 1.0),) * 3)
    with pytest.raises(ValueError, match="3 states"):
        replace(model, means=((0.0, 1.0),) * 3)
