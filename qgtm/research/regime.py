"""The regime over recorded or made-up markets, as pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from qgtm.features.bars import FIELDS, Bars, FloatArray
from qgtm.features.change_point import FEATURES as CHANGE
from qgtm.features.hidden_markov import READS, STATES, Model, odds_feature
from qgtm.features.regime import FEATURES as VOLATILITY
from qgtm.features.regime import LEVELS, METAL
from qgtm.features.seen import Seen
from qgtm.research.history import history_from_folder
from qgtm.research.made_up import made_up
from qgtm.research.pictures import Picture, plotting, shown, titled

SYMBOLS: Final = (*READS, METAL)
COLOURS: Final = ("#4477aa", "#ee8866", "#aa3344")
# When something happened that a reader of the picture will look for; "" labels are periods of calm.
EPISODES: Final = (
    ("2016-06-24", "Brexit vote"),
    ("2018-02-05", "volatility shock"),
    ("2018-12-24", "year-end fall"),
    ("2020-11-09", "vaccine"),
    ("2022-02-24", "war in Ukraine"),
    ("2022-09-26", "gilt crisis"),
    ("2023-03-10", "bank failures"),
)


def markets(folders: Sequence[str], sessions: int) -> list[Seen]:
    """Return the bars of each folder, in order of time; of a made-up market when there is none."""
    if not folders:
        return [Seen(_with_credit(made_up(sessions, 3)))]
    return [Seen(history_from_folder(Path(folder), SYMBOLS)) for folder in folders]


def _with_credit(bars: Bars) -> Bars:
    """Return the made-up market with credit in it, which moves as a third of equity does."""
    equity = bars.symbols.index("SPY")
    fields = []
    for name in FIELDS:
        column = getattr(bars, name)[:, equity]
        credit = column if name == "volume" else 80.0 * (column / 400.0) ** (1 / 3)
        fields.append(np.stack([column, credit, getattr(bars, name)[:, bars.symbols.index(METAL)]], axis=1))
    return Bars(bars.sessions, SYMBOLS, *fields)


def regime_picture(markets: Sequence[Seen], model: Model) -> Picture:
    """Draw the filtered states, the change-point probability and the volatility regime, hole and all."""
    return shown(
        _states(markets, model),
        _line(markets, [seen.get(CHANGE[0]) for seen in markets], "probability of a change within two weeks"),
        _line(
            markets,
            [seen.get(VOLATILITY[1]) for seen in markets],
            f"volatility of gold: {', '.join(f'{n} {level}' for n, level in enumerate(LEVELS))}",
        ),
        text="Filtered regime probabilities, the change-point probability and the volatility regime",
    )


def _states(markets: Sequence[Seen], model: Model) -> Any:
    hv = plotting()
    feature = odds_feature(model)
    days = _days(markets)
    odds = np.concatenate(_with_hole([seen.get(feature) for seen in markets]))
    areas = []
    below = np.zeros(len(odds))
    for k, state in enumerate(STATES):
        above = below + odds[:, k]
        area = hv.Area((days, below, above), "session", ["from", "to"], label=state.replace("_", "-"))
        areas.append(area.opts(facecolor=COLOURS[k], edgecolor=COLOURS[k], linewidth=0.1))
        below = above
    marks = [
        hv.VLine(np.datetime64(day)).opts(color="black", linewidth=0.6)
        * hv.Text(np.datetime64(day), 1.08, words, fontsize=6)
        for day, words in EPISODES
        if days[0] <= np.datetime64(day) <= days[-1]
    ]
    name = "probability of each state, filtered"
    return hv.Overlay([*areas, *marks]).opts(**titled(name), legend_position="right", ylim=(0, 1.15))


def _line(markets: Sequence[Seen], values: Sequence[FloatArray], title: str) -> Any:
    hv = plotting()
    joined = np.concatenate(_with_hole(values))
    curve = hv.Curve((_days(markets), joined), "session", title)
    return curve.opts(**titled(title), linewidth=0.8)


def _days(markets: Sequence[Seen]) -> Any:
    """Return the days of all markets; between two of them one more, where the hole is."""
    found: list[Any] = []
    for seen in markets:
        days = (seen.bars.sessions - 719163).astype("datetime64[D]")  # ordinal of 1970-01-01
        if found:
            found.append(found[-1][-1:] + 1)
        found.append(days)
    return np.concatenate(found)


def _with_hole(values: Sequence[FloatArray]) -> list[FloatArray]:
    found: list[FloatArray] = []
    for each in values:
        if found:
            found.append(np.full((1, *each.shape[1:]), np.nan))
        found.append(each)
    return found
