"""Evidence in sentences: every figure has its place, and what is not known is said."""

from typing import Any

import pandas as pd

from qgtm.research.evidence_page import Page, dollars, lines, number, share

PROOF: dict[str, Any] = {
    "sharpe": 0.421, "low": -0.2, "high": 1.1, "deflated": 0.61, "overfit": 0.35, "trials": 16,
    "sessions": 189, "steps": 3, "gap_sessions": 26, "in_sample": 0.8, "last_half_year": 0.125,
    "printed": 0.3, "grid_worst": -0.5, "grid_median": 0.25, "chosen": [], "from": "2022-01-03",
    "to": "2022-10-03", "turnover_a_year": 12.0, "costs_of_gains": 0.09, "capacity_usd": 12_345_678.0,
    "stress": {"Lehman": None, "rates of 2022": -0.0123},
}  # fmt: skip


def test_sentences_hold_every_figure() -> None:
    found = lines("shadow: it is", PROOF)
    assert found == (
        "shadow: it is",
        "Out of sample: 2022-01-03 to 2022-10-03, 189 sessions in 3 steps, 26 sessions left out before each; "
        "Sharpe ratio 0.42, with 90% between -0.20 and 1.10; with the printed knobs 0.30.",
        "Decay: Sharpe ratio 0.80 where the knobs were chosen, 0.12 in the last half year.",
        "16 sets were tried: worst -0.50, median 0.25; probability of overfitting 0.35, of no luck (deflated "
        "Sharpe) 0.61.",
        "Turnover 12.00 a year; costs take 9% of what is made before them; 5% of the usual volume carries "
        "$12 million.",
        "In stress: rates of 2022 -1.2%; not in the data: Lehman.",
    )


def test_record_without_sessions_is_told_in_one_sentence() -> None:
    assert len(lines("shadow: it is", PROOF | {"sessions": 0})) == 2


def test_what_is_not_known_is_said() -> None:
    assert (number(None), share(None), share(2.0), dollars(None)) == (
        "not known",
        "all",
        "all",
        "an amount that is not known",
    )
    assert (dollars(98_000.0), dollars(150_000.0)) == ("$98,000", "$0.15 million")


def test_second_book_stands_below_the_sentences() -> None:
    shown = Page(("one < two",), None, pd.Series({"Total Return [%]": 12.5}))._repr_html_()
    assert shown.startswith("<ul><li>one &lt; two</li></ul><pre>Total Return [%]")
    assert "12.5" in shown
