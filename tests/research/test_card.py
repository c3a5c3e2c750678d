"""A strategy's card: written where the pipeline asks, and honest about what its bars were."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from qgtm.core.gate import verdict_of
from qgtm.research.card import card, write_card


@dataclass(frozen=True)
class Params:
    lookback: int


NAMES = {
    "NAME": "made",
    "CATEGORY": "G",
    "FEEDS": ("ohlcv",),
    "symbols": ("GLD",),
    "warm_up": 5,
    "PARAMS": Params(3),
}


@pytest.mark.mistake(14)
def test_card_of_made_up_bars_says_that_there_is_no_evidence() -> None:
    made = card(NAMES, source="synthetic", figures={"sharpe": 2.0})
    assert made["evidence"] == "shadow: no real evidence yet (ohlcv synthetic)"
    assert (made["state"], made["inputs"]) == ("shadow", {"ohlcv": "synthetic"})


def test_card_without_a_proof_is_a_shadow() -> None:
    made = card(NAMES, source="recorded", figures={"sharpe": 0.12345678}, kill_condition="never")
    assert made["evidence"] == "shadow: too short a record to be judged out of sample"
    assert made["figures"] == {"sharpe": 0.123457}
    assert made["params"] == {"lookback": 3}
    assert made["kill_condition"] == "never"


@pytest.mark.mistake(14)
def test_card_with_a_feed_that_was_not_recorded_says_that_there_is_no_evidence() -> None:
    inputs = {"ohlcv": "recorded", "fred": "lacking"}
    made = card(NAMES | {"FEEDS": ("ohlcv", "fred")}, source="recorded", figures={}, inputs=inputs)
    assert made["inputs"] == inputs
    assert made["evidence"] == "shadow: no real evidence yet (fred lacking)"


def test_card_with_a_proof_says_what_the_gates_say_of_it() -> None:
    proof = {"sharpe": 0.9, "overfit": 0.2, "deflated": 0.97, "trials": 16}
    made = card(NAMES, source="recorded", figures={}, proof=proof)
    assert (made["state"], made["evidence"], made["proof"]) == ("proven", "proven: passes all gates", proof)
    assert card(NAMES, source="synthetic", figures={}, proof=proof)["state"] == "shadow"
    assert verdict_of(made).words == made["evidence"]


def test_card_is_written_where_the_product_says(tmp_path: Path) -> None:
    made = card(NAMES, source="synthetic", figures={})
    path = write_card({"nb": "x.ipynb", "card": str(tmp_path / "cards" / "made.json")}, made)
    assert path is not None
    assert json.loads(path.read_text()) == json.loads(json.dumps(made))


def test_card_without_a_product_is_written_nowhere() -> None:
    assert write_card(None, {}) is None


@pytest.mark.parametrize("product", ["x.ipynb", {"nb": "x.ipynb"}])
def test_product_without_a_card_is_refused_with_the_cure(product: object) -> None:
    with pytest.raises(ValueError, match=r"add `card: …json` beside `nb` in pipelines.yaml"):
        write_card(product, {})
