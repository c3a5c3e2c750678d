"""Evidence: the walk by hand, nothing from the future, inputs by what was read, the market by hand."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qgtm.adapters.manifest import borrow_bps, load_manifest
from qgtm.core.gate import Standing
from qgtm.features.bars import Bars, FloatArray
from qgtm.features.panel import Panel
from qgtm.features.seen import Seen
from qgtm.research.backtest import backtest
from qgtm.research.evidence import (
    EMBARGO,
    JUDGED,
    TRAIN,
    Evidence,
    as_json,
    capacity_usd,
    weighed,
)
from qgtm.research.fills import account, prices
from qgtm.research.inputs import read_by, worth
from qgtm.research.made_up import made_up
from qgtm.research.statistics import sharpe
from qgtm.research.trials import held_sessions, small_grid, tried

RECORDED = {"ohlcv": "recorded"}
RANGES = {"lookback": (5.0, 65.0), "size": (0.2, 1.0)}


@dataclass(frozen=True)
class Params:
    lookback: int
    size: float


PARAMS = Params(20, 0.5)


def rule(seen: Seen, params: Params) -> FloatArray:
    """Long what has risen, over all sessions at once; a hole in the bars is no view."""
    close = seen.bars.close
    out = np.full(close.shape, np.nan)
    out[params.lookback :] = np.sign(close[params.lookback :] - close[: -params.lookback]) * params.size / 2
    return out


def market(sessions: int = 560, seed: int = 5) -> Seen:
    return Seen(made_up(sessions, seed).select(("GLD", "SLV")))


def of(seen: Seen, **changed: Any) -> Evidence:
    said: dict[str, Any] = {"name": "toy", "inputs": RECORDED, "cost_bps": 3.0, "seed": 1}
    return weighed(rule, PARAMS, RANGES, seen, **(said | changed))


def test_equity_of_the_kernel_is_that_of_the_back_test() -> None:
    seen = market()
    wanted = rule(seen, PARAMS)
    _, equity = account(prices(seen.bars), np.ascontiguousarray(wanted.T), 3.0)
    np.testing.assert_allclose(equity, backtest(seen.bars, wanted, 3.0).equity, rtol=1e-12)


def test_small_grid_holds_the_printed_values_and_stays_inside_the_ranges() -> None:
    grid = small_grid(PARAMS, RANGES)
    assert dict(grid.knobs) == {"lookback": (20, 29, 41, 53), "size": (0.36, 0.5, 0.68, 0.84)}
    assert len(small_grid(PARAMS, {})) == 1


def test_walk_forward_is_that_of_a_walk_by_hand() -> None:
    seen = market()
    found = of(seen)
    begins, n = 20, len(seen)
    gap = found.proof["gap_sessions"]
    points = [Params(a, b) for a in (20, 29, 41, 53) for b in (0.36, 0.5, 0.68, 0.84)]
    wanted = [np.nan_to_num(rule(seen, each)) for each in points]
    curves = [backtest(seen.bars, each, 3.0).equity for each in wanted]
    returns = [np.concatenate([[0.0], each[1:] / each[:-1] - 1]) for each in curves]
    stitched, begin, chosen = np.zeros(wanted[0].shape), begins + TRAIN + gap, []
    while begin < n:
        end = min(begin + JUDGED, n)
        ratios = [sharpe(each[begins : begin - gap]) for each in returns]
        chosen.append(int(np.argmax(ratios)))
        stitched[begin - 1 : end - 1] = wanted[chosen[-1]][begin - 1 : end - 1]
        stitched[end - 1] = stitched[end - 2]
        begin = end
    equity = backtest(seen.bars, stitched, 3.0).equity
    by_hand = (equity[1:] / equity[:-1] - 1)[begins + TRAIN + gap - 1 :]
    np.testing.assert_allclose(found.out, by_hand, rtol=1e-9, atol=1e-15)
    assert len(set(chosen)) > 1  # or the choice was never put to the test
    assert [each["lookback"] for each in found.proof["chosen"]] == [points[i].lookback for i in chosen]
    assert found.proof["sharpe"] == pytest.approx(by_hand.mean() / by_hand.std(ddof=1) * 252**0.5)


def test_gap_is_as_long_as_a_position_is_kept_and_a_week_more() -> None:
    seen = market()
    held = max(
        held_sessions(each[:, 20 : 20 + TRAIN])
        for each in tried(rule, PARAMS, small_grid(PARAMS, RANGES), seen, 3.0).targets
    )
    assert of(seen).proof["gap_sessions"] == round(held) + EMBARGO
    assert held_sessions(np.array([[0, 1, 1, 1, 0, -1, 0, 0, 2, 2]])) == 2.0


def test_what_comes_later_changes_nothing_that_was_judged_before() -> None:
    long, short = market(560), Seen(market(560).bars.head(480))
    assert np.array_equal(of(long).out[: len(of(short).out)], of(short).out)
    steps = of(short).proof["steps"]
    assert of(long).proof["chosen"][:steps] == of(short).proof["chosen"]


def test_short_history_cannot_be_judged() -> None:
    for sessions in (15, 60, 300, 350):
        found = of(market(sessions))
        assert found.verdict.standing is Standing.SHADOW
        assert found.proof["sharpe"] is None
        assert found.verdict.words == "shadow: too short a record to be judged out of sample"


def test_rule_without_a_view_or_a_knob_fails() -> None:
    silent = weighed(
        lambda seen, params: np.full(seen.bars.close.shape, np.nan),
        PARAMS, RANGES, market(), name="silent", inputs=RECORDED, cost_bps=3.0,
    )  # fmt: skip
    assert silent.proof["sessions"] == 0
    bare = weighed(rule, PARAMS, {}, market(), name="bare", inputs=RECORDED, cost_bps=3.0)
    assert "probability of overfitting cannot be judged" in bare.verdict.words


def test_set_that_the_rule_refuses_holds_nothing_and_counts_as_a_trial() -> None:
    def picky(seen: Seen, params: Params) -> FloatArray:
        if params.lookback > 40:
            raise ValueError("too long")
        return rule(seen, params)

    done = tried(picky, PARAMS, small_grid(PARAMS, RANGES), market(), 3.0)
    assert len(done.returns) == 16
    assert not done.returns[8:].any()
    assert done.returns[:8].any(axis=1).all()


def test_gaps_in_a_view_leave_the_last_one_standing() -> None:
    def at_times(seen: Seen, params: Params) -> FloatArray:
        wanted = rule(seen, params)
        wanted[::3] = np.nan
        return wanted

    seen = market()
    done = tried(at_times, PARAMS, small_grid(PARAMS, {}), seen, 3.0)
    equity = backtest(seen.bars, at_times(seen, PARAMS), 3.0).equity
    np.testing.assert_allclose(done.returns[0][1:], equity[1:] / equity[:-1] - 1, rtol=1e-9, atol=1e-15)


def test_capacity_is_that_of_the_volume_by_hand() -> None:
    flat = np.full((30, 1), 10.0)
    bars = Bars(np.arange(30) + 1, ("GLD",), flat, flat, flat, flat, np.full((30, 1), 1000.0))
    wanted = np.zeros((1, 30))
    wanted[:, 25:] = 0.5
    # half of the budget moves once, and 5% of 10,000 dollars a session may be traded
    assert capacity_usd(bars, wanted) == pytest.approx(0.05 * 10_000 / 0.5)
    assert capacity_usd(bars, np.zeros((1, 30))) is None
    assert capacity_usd(replace(bars, volume=np.full((30, 1), np.nan)), wanted) is None


def test_costs_are_held_against_what_was_made_before_them() -> None:
    seen = market()
    done = backtest(seen.bars, rule(seen, PARAMS), 3.0)
    proof = of(seen).proof
    assert proof["turnover_a_year"] == pytest.approx(done.figures()["turnover_a_year"])
    made = float(np.log(done.equity[-1])) + done.costs_frac
    expected = done.costs_frac / made if made > 0 else None
    assert proof["costs_of_gains"] == (None if expected is None else pytest.approx(expected))


def reading(seen: Seen, params: Params) -> FloatArray:
    fear, rate = seen.known("VIXCLS", "DGS2")
    return np.where(fear > rate, 1.0, 0.0)[:, None]


def test_inputs_are_what_was_read_and_is_there() -> None:
    bars = made_up(60, 1).select(("GLD",))
    values = np.stack([np.full(60, 20.0), np.full(60, np.nan)], axis=1)
    seen = Seen(bars, Panel(("VIXCLS", "DGS2"), values, np.ones((60, 2), dtype=np.int64)))
    read = read_by(reading, PARAMS, seen)
    assert read == {"VIXCLS", "DGS2"}
    feeds = ("ohlcv", "fred", "cot")
    assert worth(feeds, read, seen, "recorded") == {
        "ohlcv": "recorded",
        "fred": "lacking DGS2",
        "cot": "lacking",
    }
    assert worth(("fred",), frozenset({"VIXCLS"}), seen, "recorded") == {"fred": "recorded"}
    assert worth(("fred",), read, Seen(bars), "recorded") == {"fred": "lacking"}
    assert worth(("fred",), frozenset(), seen, "recorded") == {"fred": "recorded"}


@pytest.mark.mistake(14)
def test_evidence_of_a_made_up_market_is_none_whatever_its_figures() -> None:
    found = of(market(), inputs={"ohlcv": "synthetic"})
    assert found.verdict.words == "shadow: no real evidence yet (ohlcv synthetic)"
    assert set(found.proof["stress"].values()) == {None}


def test_written_evidence_has_the_standing_and_the_same_words() -> None:
    found = of(market())
    written = as_json(found)
    assert (written["state"], written["evidence"]) == ("shadow", found.verdict.words)
    assert written["proof"]["sharpe"] == pytest.approx(found.proof["sharpe"], abs=1e-6)


def test_what_is_short_pays_to_be_borrowed_on_the_record_too() -> None:
    seen = market()
    said: dict[str, Any] = {"name": "toy", "inputs": RECORDED, "cost_bps": 3.0}
    free, dear = (weighed(rule, PARAMS, {}, seen, borrow_bps=fee, **said) for fee in (0.0, 500.0))
    held = backtest(seen.bars, rule(seen, PARAMS), 3.0).weights[dear.rows]
    due = np.maximum(-held, 0.0).sum(axis=1) * 0.05 / 252
    assert due.sum() > 0.001
    assert (free.out - dear.out).sum() == pytest.approx(due.sum(), rel=0.05)  # it is sized by what is left


def test_fee_for_being_short_is_the_one_that_the_notebook_names(repo: Path) -> None:
    manifest = load_manifest(repo / "qgtm")
    assert borrow_bps(manifest, "levered_decay") == 300.0
    assert borrow_bps(manifest, "tsmom") == borrow_bps(manifest, "none_such") == 0.0
