"""The story of a strategy: told from a notebook's names, equal to its parts, honest about its inputs."""

import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen
from qgtm.research import story
from qgtm.research.backtest import backtest
from qgtm.research.made_up_panel import made_up_seen
from qgtm.research.pictures import curve
from qgtm.research.story import rolling_sharpe, told


@dataclass(frozen=True)
class Params:
    level: float


PARAMS = Params(18.0)


def signal(seen: Seen, params: Params = PARAMS) -> FloatArray:
    fear = seen.known("VIXCLS")[0]
    return np.where(np.isnan(fear), np.nan, fear > params.level)[:, None].astype(np.float64)


NAMES: dict[str, Any] = {
    "NAME": "made",
    "CATEGORY": "A",
    "FEEDS": ("ohlcv", "fred"),
    "symbols": ("GLD",),
    "warm_up": 2,
    "PARAMS": PARAMS,
    "signal": signal,
    "source": "synthetic",
    "sessions": 420,
    "seed": 3,
    "cost_bps": 3.0,
    "with_vectorbt": False,
    "product": None,
}


def test_story_is_the_back_test_of_what_the_signal_wants() -> None:
    tale = told(NAMES)
    seen = made_up_seen(420, 3).select(("GLD",))
    done = backtest(seen.bars, signal(seen), 3.0)
    np.testing.assert_array_equal(tale.done.equity, done.equity)
    assert tale.figures() == done.figures()
    assert tale.figures()["turnover_a_year"] > 0


def test_story_shows_its_own_pictures_first_and_the_regimes_that_there_were() -> None:
    tale = told(NAMES)
    picture = tale.pictures(curve(tale.bars, tale.seen.known("VIXCLS")[0], "equity's fear"))
    assert picture.svg.index("equity's fear") < picture.svg.index("held, of budget")
    assert "gold normal" in picture.svg
    assert "made" in picture.text


def test_story_of_a_short_history_leaves_the_sharpe_ratio_out() -> None:
    assert "Sharpe" not in told(NAMES | {"sessions": 60}).pictures().svg


@pytest.mark.mistake(14)
def test_story_on_a_folder_of_bars_says_which_feeds_it_lacks(shared_data: Path) -> None:
    tale = told(NAMES | {"source": str(shared_data / "bars_2020_2023"), "sessions": 100})
    assert tale.inputs() == {"ohlcv": "recorded", "fred": "lacking"}
    assert tale.card()["evidence"] == "shadow: no real evidence yet (fred lacking)"


def test_evidence_of_a_story_is_shown_as_its_card_has_it() -> None:
    tale = told(NAMES | {"sessions": 560})
    shown, made = tale.evidence(), tale.card()
    assert (
        shown.lines[0] == made["evidence"] == "shadow: no real evidence yet (fred synthetic, ohlcv synthetic)"
    )
    assert made["proof"]["sharpe"] == pytest.approx(tale.weighed.proof["sharpe"], abs=1e-6)
    assert made["proof"]["sessions"] > 126
    html = shown._repr_html_()
    assert "out of sample, of 1 dollar" in shown.picture.svg
    assert "<li>Out of sample: " in html
    assert "<img" in html


def test_card_of_a_story_carries_knobs_costs_and_words() -> None:
    made = told(NAMES).card(title="Made")
    assert made["inputs"] == {"ohlcv": "synthetic", "fred": "synthetic"}
    assert (made["title"], made["cost_bps"], made["params"]) == ("Made", 3.0, {"level": 18.0})


def test_second_book_is_left_out_when_the_knob_is_off() -> None:
    assert told(NAMES).second_book() is None


def test_second_book_that_differs_is_no_small_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    tale = told(NAMES | {"with_vectorbt": True, "sessions": 60})
    monkeypatch.setattr(story, "vectorbt_figures", lambda equity: {"end": equity.iloc[-1]})
    monkeypatch.setattr(story, "vectorbt_equity", lambda *_: pd.Series(tale.done.equity))
    assert tale.second_book() == {"end": tale.done.equity[-1]}
    monkeypatch.setattr(story, "vectorbt_equity", lambda *_: pd.Series(tale.done.equity * 1.0001))
    with pytest.raises(ValueError, match="dollars from ours"):
        tale.second_book()


@pytest.mark.parametrize("name", ["signal", "seed"])
def test_notebook_without_a_name_is_told_which(name: str) -> None:
    with pytest.raises(KeyError, match=f"lacks {name}"):
        told({key: value for key, value in NAMES.items() if key != name})


def test_rolling_sharpe_is_that_of_the_last_returns_by_the_standard_library() -> None:
    equity = np.cumprod(1 + np.random.default_rng(2).normal(0.001, 0.01, 50)).astype(np.float64)
    found = rolling_sharpe(equity, 20)
    returns = [equity[i] / equity[i - 1] - 1 for i in range(11, 31)]
    expected = statistics.mean(returns) / statistics.stdev(returns) * math.sqrt(252)
    assert found[30] == pytest.approx(expected, rel=1e-12)
    assert np.isnan(found[:20]).all()
    assert np.isnan(rolling_sharpe(np.ones(50), 20)).all()
