"""Whether a strategy has proven itself: three gates, and one set of words that everybody repeats.

What cannot be judged is denied: a figure that is lacking fails its gate, and an input that nobody recorded
fails all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any, Final

LEAST_SHARPE: Final = 0.3  # a year, out of sample: more than it
MOST_OVERFIT: Final = 0.5  # probability of back-test overfitting: less than it
LEAST_DEFLATED: Final = 0.95  # probability that the ratio is no luck: at least it
SMALL: Final = 0.25  # of its size that a shadow may trade on paper, where the gates are not enforced
REAL: Final = ("real", "recorded")
NO_EVIDENCE: Final = "no real evidence yet"
TOO_SHORT: Final = "too short a record to be judged out of sample"
NO_CARD: Final = "no card: run `qgtm evidence` over recorded bars"


class Standing(StrEnum):
    """What a strategy may do: trade, or be looked at."""

    PROVEN = "proven"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Hold what the gates look at; None is what could not be worked out."""

    sharpe: float | None  # a year, out of sample
    overfit: float | None
    deflated: float | None


NOT_MEASURED: Final = Measured(sharpe=None, overfit=None, deflated=None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Hold why a strategy fails its gates; without a reason it is proven."""

    reasons: tuple[str, ...]

    @property
    def standing(self) -> Standing:
        """Return whether it is proven or a shadow."""
        return Standing.SHADOW if self.reasons else Standing.PROVEN

    @property
    def words(self) -> str:
        """Return the sentence that the card, the terminal, the report and the page have in common."""
        return f"{self.standing}: {'; '.join(self.reasons) or 'passes all gates'}"


def judged(measured: Measured, inputs: Mapping[str, str]) -> Verdict:
    """Return what the gates say of the figures, given what each input was."""
    unreal = ", ".join(f"{feed} {worth}" for feed, worth in sorted(inputs.items()) if worth not in REAL)
    if unreal or not inputs:
        return Verdict((f"{NO_EVIDENCE} ({unreal or 'no input is named'})",))
    if measured == NOT_MEASURED:
        return Verdict((TOO_SHORT,))
    gates = (
        _sharpe(measured.sharpe),
        _overfit(measured.overfit),
        _deflated(measured.deflated),
    )
    return Verdict(tuple(reason for reason in gates if reason))


def verdict_of(card: Mapping[str, Any]) -> Verdict:
    """Return what the gates say of a written card, from its figures; what it says of itself is not read."""
    try:
        proof, inputs = card["proof"], {str(k): str(v) for k, v in card["inputs"].items()}
        measured = Measured(
            sharpe=_number(proof["sharpe"]),
            overfit=_number(proof["overfit"]),
            deflated=_number(proof["deflated"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        return Verdict(("its card has no figures that can be read",))
    return judged(measured, inputs)


def by_words(said: Mapping[str, str]) -> tuple[str, ...]:
    """Return a line for each different sentence of `said` (name: words), with all whom it is about."""
    return tuple(
        f"{', '.join(name for name, each in said.items() if each == words)}: {words}"
        for words in dict.fromkeys(said.values())
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _sharpe(found: float | None) -> str:
    if found is None or not isfinite(found):
        return "its Sharpe ratio out of sample cannot be judged"
    return (
        ""
        if found > LEAST_SHARPE
        else f"Sharpe ratio out of sample {found:.2f}, not above {LEAST_SHARPE:.2f}"
    )


def _overfit(found: float | None) -> str:
    if found is None or not 0 <= found <= 1:
        return "its probability of overfitting cannot be judged"
    return (
        ""
        if found < MOST_OVERFIT
        else f"probability of overfitting {found:.2f}, not below {MOST_OVERFIT:.2f}"
    )


def _deflated(found: float | None) -> str:
    if found is None or not 0 <= found <= 1:
        return "its deflated Sharpe probability cannot be judged"
    return (
        ""
        if found >= LEAST_DEFLATED
        else f"deflated Sharpe probability {found:.2f}, below {LEAST_DEFLATED:.2f}"
    )
