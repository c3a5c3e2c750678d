# A print of notebooks/features/released.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Released.

What is published in steps: the last releases instead of the last sessions, and what moved between two of
them.
"""

# cell 4 of notebooks/features/released.ipynb
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.returns import CLOSE, padded
from qgtm.features.rolling import Centred, in_blocks
from qgtm.features.seen import Seen


@dataclass(frozen=True)
class Params:
    """How many releases, within how many sessions, and how old the day may be that is described."""

    releases: int
    sessions: int
    stalest: int


PARAMS = Params(
    releases=52,  # releases in a window [4, 104]
    sessions=300,  # sessions in which they are looked for [40, 600]
    stalest=15,  # sessions between the day described and today [5, 40]
)
warm_up = PARAMS.sessions + 1


def is_release(days: FloatArray) -> FloatArray:
    """Return 1 where the day described moves, along the last axis, and 0 elsewhere."""
    new = np.zeros(days.shape)
    new[..., :1] = days[..., :1] > 0
    new[..., 1:] = days[..., 1:] > days[..., :-1]
    return new


def _backwards(new: FloatArray) -> FloatArray:
    # 1 for the sessions of the newest release, 2 for those of the one before
    return np.asarray(np.cumsum(new[..., ::-1], axis=-1)[..., ::-1])


def _pick(values: FloatArray, is_there: npt.NDArray[np.bool_]) -> FloatArray:
    return np.asarray(np.where(is_there, values, 0.0).sum(axis=-1))


def release_z(
    values: FloatArray, days: FloatArray, releases: int = PARAMS.releases, sessions: int = PARAMS.sessions
) -> FloatArray:
    """Return the z-score of the newest release among the last `releases`, along the last axis."""

    def of(window: FloatArray, new: FloatArray) -> FloatArray:
        age = _backwards(new)
        chosen = (new > 0) & (age <= releases)
        mean = _pick(window, chosen) / releases
        away = np.where(chosen, window - mean[..., None], 0.0)
        variance = Centred(away, mean, np.float64(releases)).variance  # type: ignore[arg-type]
        newest = _pick(window, chosen & (age == 1)) - mean
        return np.where(age[..., 0] >= releases, newest / np.sqrt(variance), np.nan)

    return in_blocks(of, sessions, values, is_release(days))


def release_place(
    values: FloatArray, days: FloatArray, releases: int = PARAMS.releases, sessions: int = PARAMS.sessions
) -> FloatArray:
    """Return where the newest release lies between the least, 0, and the greatest, 1, of the last ones."""

    def of(window: FloatArray, new: FloatArray) -> FloatArray:
        age = _backwards(new)
        chosen = (new > 0) & (age <= releases)
        least = np.where(chosen, window, np.inf).min(axis=-1)
        most = np.where(chosen, window, -np.inf).max(axis=-1)
        is_known = (age[..., 0] >= releases) & (most > least)
        reach = np.where(is_known, most, np.nan) - np.where(is_known, least, np.nan)
        return np.asarray((_pick(window, chosen & (age == 1)) - least) / reach)

    return in_blocks(of, sessions, values, is_release(days))


def release_change(
    values: FloatArray, days: FloatArray, releases: int = PARAMS.releases, sessions: int = PARAMS.sessions
) -> FloatArray:
    """Return the newest release less the one that came `releases` before it, along the last axis."""

    def of(window: FloatArray, new: FloatArray) -> FloatArray:
        age = _backwards(new)
        newest = _pick(window, (new > 0) & (age == 1))
        before = _pick(window, (new > 0) & (age == releases + 1))
        return np.where(age[..., 0] > releases, newest - before, np.nan)

    return in_blocks(of, sessions, values, is_release(days))


# cell 5 of notebooks/features/released.ipynb
def moved_together(series: str, symbols: tuple[str, ...], is_log: bool) -> Feature:
    """Return the part (n, 1 + k): a series' move by a release, and the symbols' returns between its two days.

    Returns are in logs, NaN in a session without a release. `is_log` takes the logarithm of the series first.
    """
    places = [SYMBOLS.index(symbol) for symbol in symbols]

    def moves(seen: Seen) -> FloatArray:
        values, days = seen.known(series)[0], seen.days(series)[0]
        values = np.log(values) if is_log else values
        logs = np.log(seen.rows(CLOSE)[places])
        there = np.searchsorted(seen.bars.sessions, days, side="right") - 1
        is_near = (there >= 0) & (np.arange(len(days)) - there <= PARAMS.stalest)
        both = np.vstack([values, np.where(is_near, logs[:, np.maximum(there, 0)], np.nan)])
        moved = (days[1:] > days[:-1]) & (days[:-1] > 0)
        return padded(np.where(moved, both[:, 1:] - both[:, :-1], np.nan), len(days)).T

    return Feature(
        name=f"part_moves_of_{series}",
        family="released",
        formula="the moves between two days described",
        unit="of each",
        source="Campbell, Lo and MacKinlay 1997, section 3.1, on what is not traded at the same time",
        reads=(series, "close"),
        warm_up=PARAMS.stalest + 1 + CLOSE.warm_up,
        window=PARAMS.stalest + 2,
        missing="not known without a release, or where the day described is too long ago",
        compute=moves,
        symbols=(series, *symbols),
    )


__all__ = [
    "PARAMS",
    "Params",
    "is_release",
    "moved_together",
    "release_change",
    "release_place",
    "release_z",
    "warm_up",
]
