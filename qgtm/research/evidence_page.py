"""A strategy's evidence as a reader meets it: sentences, and the pictures beside them."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from qgtm.features.bars import Bars
from qgtm.research.evidence import LEAST, Evidence
from qgtm.research.heat import over_grid
from qgtm.research.pictures import Picture, curve, shown
from qgtm.research.statistics import rolling_sharpe, sharpe
from qgtm.research.stress import NOT_THERE

NOT_KNOWN: Final = "not known"


@dataclass(frozen=True)
class Page:
    """Sentences, a picture, and figures of a second book; a notebook shows all, a terminal the sentences."""

    lines: tuple[str, ...]
    picture: Picture | None
    book: Any = None

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{html.escape(each)}</li>" for each in self.lines)
        picture = self.picture._repr_html_() if self.picture else ""
        book = "" if self.book is None else f"<pre>{html.escape(self.book.to_string())}</pre>"
        return f"<ul>{items}</ul>{picture}{book}"

    def __str__(self) -> str:
        return "\n".join(self.lines)


def page(evidence: Evidence, bars: Bars, book: Any = None) -> Page:
    """Return the evidence to look at; without sessions out of sample there is nothing to draw.

    `book` are vectorbt's figures, a pandas series.
    """
    return Page(lines(evidence.verdict.words, evidence.proof), _picture(evidence, bars), book)


def lines(words: str, proof: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the gates say and what the figures are, a sentence each."""
    if not proof["sessions"]:
        return (words, "No session is left to judge: too short a history, or never a view.")
    return (words, _walk(proof), _decay(proof), _trials(proof), _market(proof), _stress(proof["stress"]))


def _walk(proof: Mapping[str, Any]) -> str:
    span = f"{proof['from']} to {proof['to']}, {proof['sessions']} sessions in {proof['steps']} steps"
    between = f"between {number(proof['low'])} and {number(proof['high'])}"
    return (
        f"Out of sample: {span}, {proof['gap_sessions']} sessions left out before each; Sharpe ratio "
        f"{number(proof['sharpe'])}, with 90% {between}; with the printed knobs {number(proof['printed'])}."
    )


def _decay(proof: Mapping[str, Any]) -> str:
    before, after = number(proof["in_sample"]), number(proof["last_half_year"])
    return f"Decay: Sharpe ratio {before} where the knobs were chosen, {after} in the last half year."


def _trials(proof: Mapping[str, Any]) -> str:
    spread = f"worst {number(proof['grid_worst'])}, median {number(proof['grid_median'])}"
    luck = f"overfitting {number(proof['overfit'])}, of no luck (deflated Sharpe) {number(proof['deflated'])}"
    return f"{proof['trials']} sets were tried: {spread}; probability of {luck}."


def _market(proof: Mapping[str, Any]) -> str:
    return (
        f"Turnover {number(proof['turnover_a_year'])} a year; costs take {share(proof['costs_of_gains'])} of "
        f"what is made before them; 5% of the usual volume carries {dollars(proof['capacity_usd'])}."
    )


def number(value: float | None) -> str:
    """Return a figure with two digits, or that it is not known."""
    return NOT_KNOWN if value is None else f"{value:.2f}"


def share(value: float | None) -> str:
    """Return a fraction in percent; without one nothing was made, so costs are all there is."""
    return "all" if value is None or value > 1 else f"{value:.0%}"


def dollars(value: float | None) -> str:
    """Return an amount to two digits."""
    if value is None:
        return f"an amount that is {NOT_KNOWN}"
    return f"${value / 1e6:,.2g} million" if value >= 1e5 else f"${value:,.0f}"


def _stress(made: Mapping[str, float | None]) -> str:
    there = [f"{name} {value:+.1%}" for name, value in made.items() if value is not None]
    absent = [name for name, value in made.items() if value is None]
    said = f"{NOT_THERE}: {', '.join(absent)}" if absent else ""
    return f"In stress: {'; '.join([*there, said] if said else there)}."


def _picture(evidence: Evidence, bars: Bars) -> Picture | None:
    if not len(evidence.out):
        return None
    days = bars.tail(len(bars) - evidence.rows.start).head(len(evidence.out))
    grown = curve(
        days, np.asarray(np.cumprod(1.0 + evidence.out), dtype=np.float64), "out of sample, of 1 dollar"
    )
    rolling = curve(days, rolling_sharpe(evidence.out, LEAST), "Sharpe ratio of half a year, out of sample")
    text = f"{evidence.name}: {evidence.verdict.words}"
    drawn = [grown, rolling] if len(evidence.out) > LEAST else [grown]
    if evidence.trials.grid.knobs:
        ratios = np.array([sharpe(each[evidence.rows]) for each in evidence.trials.returns])
        drawn.append(over_grid(evidence.trials.grid, ratios, "Sharpe ratio of each set"))
    return shown(*drawn, text=text)
