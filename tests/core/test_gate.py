"""The three gates: at each bound, in the words that all repeat, and closed to what cannot be judged."""

import math
from typing import Any

import pytest

from qgtm.core.gate import Measured, Standing, by_words, judged, verdict_of

GOOD = {"sharpe": 0.31, "overfit": 0.49, "deflated": 0.95}
RECORDED = {"ohlcv": "recorded", "fred": "real"}


def of(**changed: float | None) -> Measured:
    return Measured(**{**GOOD, **changed})  # type: ignore[arg-type]


def test_strategy_inside_all_gates_is_proven() -> None:
    verdict = judged(of(), RECORDED)
    assert (verdict.standing, verdict.words) == (Standing.PROVEN, "proven: passes all gates")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sharpe": 0.3}, "Sharpe ratio out of sample 0.30, not above 0.30"),
        ({"sharpe": -0.421}, "Sharpe ratio out of sample -0.42, not above 0.30"),
        ({"sharpe": None}, "its Sharpe ratio out of sample cannot be judged"),
        ({"sharpe": math.inf}, "its Sharpe ratio out of sample cannot be judged"),
        ({"overfit": 0.5}, "probability of overfitting 0.50, not below 0.50"),
        ({"overfit": None}, "its probability of overfitting cannot be judged"),
        ({"overfit": math.nan}, "its probability of overfitting cannot be judged"),
        ({"overfit": -0.1}, "its probability of overfitting cannot be judged"),
        ({"deflated": 0.9}, "deflated Sharpe probability 0.90, below 0.95"),
        ({"deflated": 1.2}, "its deflated Sharpe probability cannot be judged"),
        ({"deflated": None}, "its deflated Sharpe probability cannot be judged"),
    ],
)
def test_one_gate_that_fails_makes_a_shadow_and_says_which(changed: dict[str, Any], said: str) -> None:
    verdict = judged(of(**changed), RECORDED)
    assert verdict.standing is Standing.SHADOW
    assert verdict.words == f"shadow: {said}"


def test_record_without_any_figure_is_too_short() -> None:
    nothing = Measured(sharpe=None, overfit=None, deflated=None)
    assert judged(nothing, RECORDED).words == "shadow: too short a record to be judged out of sample"


def test_all_that_fail_are_named() -> None:
    assert len(judged(of(sharpe=0.0, overfit=1.0, deflated=0.0), RECORDED).reasons) == 3


@pytest.mark.mistake(14)
@pytest.mark.parametrize("worth", ["synthetic", "lacking", "lacking DGS2", "", "Recorded"])
def test_good_figures_of_an_input_that_nobody_recorded_prove_nothing(worth: str) -> None:
    verdict = judged(of(), RECORDED | {"cot": worth})
    assert verdict.words == f"shadow: no real evidence yet (cot {worth})"


def test_no_input_at_all_proves_nothing() -> None:
    assert judged(of(), {}).words == "shadow: no real evidence yet (no input is named)"


def test_written_card_is_judged_by_its_figures_and_not_by_what_it_says_of_itself() -> None:
    card = {"inputs": RECORDED, "proof": GOOD, "state": "shadow"}
    assert verdict_of(card).standing is Standing.PROVEN
    boast = {"inputs": RECORDED, "proof": {**GOOD, "deflated": 0.5}, "state": "proven", "evidence": "proven"}
    assert verdict_of(boast).words == "shadow: deflated Sharpe probability 0.50, below 0.95"


@pytest.mark.parametrize(
    "card",
    [
        {},
        {"inputs": RECORDED},
        {"inputs": None, "proof": GOOD},
        {"inputs": RECORDED, "proof": {"sharpe": 1.0}},
        {"inputs": RECORDED, "proof": {**GOOD, "sharpe": "high"}},
        {"inputs": RECORDED, "proof": {**GOOD, "sharpe": [1]}},
        [],
    ],
)
def test_card_that_cannot_be_read_is_a_shadow(card: Any) -> None:
    assert verdict_of(card).words == "shadow: its card has no figures that can be read"


def test_who_shares_a_sentence_shares_a_line() -> None:
    assert by_words({"a": "shadow: x", "b": "shadow: y", "c": "shadow: x"}) == (
        "a, c: shadow: x",
        "b: shadow: y",
    )
    assert by_words({}) == ()
