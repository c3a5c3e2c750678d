"""Whether the vendor still tells the history that we keep: a split or a dividend changes all of it."""

from collections.abc import Iterable, Mapping
from typing import Final

from qgtm.core.bar import BarSet
from qgtm.core.events import AlertRaised, Event, StrategyDisabled
from qgtm.engine.desk import Views

SAME_FRAC: Final = 0.001  # closes that differ by less are the same, up to the vendor's rounding
SPLIT_FRAC: Final = (
    0.05  # no dividend of these funds is larger: what a strategy carries does not fit any more
)


def shifts(ours: BarSet, theirs: Iterable[BarSet]) -> dict[str, float]:
    """Return by symbol what the vendor's close of our last session is of ours, where they differ."""
    again = next((bars.bars for bars in theirs if bars.session == ours.session), {})
    found = {name: again[name].close / bar.close for name, bar in ours.bars.items() if name in again}
    return {name: ratio for name, ratio in sorted(found.items()) if abs(ratio - 1.0) > SAME_FRAC}


def said(found: Mapping[str, float], strategies: Iterable[Views]) -> list[Event]:
    """Return what to write down once the history was fetched anew.

    A strategy that carries what it learned of a split symbol is disabled: a deployment warms it up anew.
    """
    if not found:
        return []
    split = {name for name, ratio in found.items() if abs(ratio - 1.0) > SPLIT_FRAC}
    named = ", ".join(f"{name} by {ratio:.4f}" for name, ratio in found.items())
    text = f"The vendor has adjusted its history ({named}), and ours was fetched anew."
    if split:
        text += f" That is a split: compare {', '.join(sorted(split))} at the broker, then `qgtm deploy`."
    level = "orange" if split else "info"
    hit = [each for each in strategies if each.is_stateful and split & set(each.symbols)]
    return [
        AlertRaised(level=level, cause="adjusted history", text=text),
        *(StrategyDisabled(strategy=each.name, reason="a symbol that it follows has split") for each in hit),
    ]
