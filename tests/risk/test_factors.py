"""The factors in the book's risk, against regressions and sums made another way."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.risk.factors import (
    FACTORS,
    PARAMS,
    READ,
    SESSIONS,
    absent,
    factor_moves,
    factor_shares,
    most_past,
)
from tests.risk.making import LIMITS

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "bars_2020_2023"
HIGH = 1e-9  # a target so low that the book's own variance counts


def walk(seed: int = 3, sessions: int = SESSIONS) -> np.ndarray:
    chance = np.random.default_rng(seed)
    return 100 * np.exp((0.01 * chance.standard_normal((sessions, len(READ)))).cumsum(axis=0))


def test_shares_and_the_rest_add_up_to_the_books_variance() -> None:
    """By another route: the variance of the fitted values, from numpy's own regression on raw columns."""
    moves = factor_moves(walk())[-PARAMS.window :]
    chance = np.random.default_rng(9)
    returns = chance.normal(0, 0.01, (PARAMS.window, 3))
    weights = np.array([0.5, -0.2, 0.4])
    book = returns @ weights
    with_one = np.column_stack([np.ones(len(moves)), moves])
    fitted = with_one @ np.linalg.lstsq(with_one, book, rcond=None)[0]
    shares = factor_shares(weights, returns, moves, HIGH)
    assert sum(shares.values()) == pytest.approx(fitted.var() / book.var(), rel=1e-9)


def test_share_of_each_is_what_the_book_was_made_of_when_factors_are_independent() -> None:
    chance = np.random.default_rng(1)
    moves = np.linalg.qr(chance.normal(size=(PARAMS.window, 7)) - 0.0)[0]
    moves = moves - moves.mean(axis=0)
    made_of = np.array([0.5, 0.3, -0.2, 0.0, 0.1, 0.0])
    book = (moves[:, :6] @ made_of)[:, None]
    shares = factor_shares(np.array([1.0]), book, moves[:, :6], HIGH)
    parts = np.array([made_of[k] * np.cov(moves[:, k], book[:, 0], bias=True)[0, 1] for k in range(6)])
    assert list(shares.values()) == pytest.approx(list(parts / book.var()), abs=1e-9)


def test_small_book_uses_up_a_part_of_the_budget_and_a_full_one_all_of_its_share() -> None:
    moves = factor_moves(walk())
    equity = walk()[:, READ.index("SPY")]
    returns = (equity[1:] / equity[:-1] - 1.0)[:, None]
    year = float(returns[-PARAMS.window :].std()) * 252**0.5
    shares = [factor_shares(np.array([w]), returns, moves, year)["equity"] for w in (0.1, 0.5, 1.0, 2.0)]
    assert shares == pytest.approx([0.01, 0.25, 1.0, 1.0], rel=1e-9)


@given(st.floats(-3, 3).filter(lambda scale: abs(scale) > 1e-3))
def test_shares_at_full_risk_do_not_depend_on_size_or_sign(scale: float) -> None:
    returns = np.random.default_rng(4).normal(0, 0.01, (PARAMS.window, 2))
    moves = factor_moves(walk(5))
    one = factor_shares(np.array([1.0, 0.5]), returns, moves, HIGH)
    other = factor_shares(scale * np.array([1.0, 0.5]), returns, moves, HIGH)
    assert list(other.values()) == pytest.approx(list(one.values()), rel=1e-6, abs=1e-12)


def test_later_sessions_change_no_earlier_move() -> None:
    closes = walk(6, SESSIONS + 50)
    assert np.array_equal(
        factor_moves(closes)[: SESSIONS - 1], factor_moves(closes[:SESSIONS]), equal_nan=True
    )


def test_moves_before_the_burn_in_are_not_known_and_a_short_bond_that_lacks_is_unmoved() -> None:
    closes = walk(2)
    moves = factor_moves(closes)
    gold = moves[:, FACTORS.index("gold_volatility")]
    assert np.isnan(gold[: PARAMS.burn_in]).all()
    assert np.isfinite(gold[PARAMS.burn_in :]).all()
    closes[:, READ.index("SHY")] = np.nan
    long_bond = closes[1:, READ.index("TLT")] / closes[:-1, READ.index("TLT")] - 1
    assert factor_moves(closes)[:, FACTORS.index("curve")] == pytest.approx(long_bond)


def test_volatility_move_is_the_log_change_of_the_weighted_volatility_by_hand() -> None:
    closes = walk(8)
    gold = closes[:, READ.index("GLD")]
    squares = (gold[1:] / gold[:-1] - 1) ** 2
    start = squares[: PARAMS.burn_in].mean()
    first = PARAMS.decay * start + (1 - PARAMS.decay) * squares[PARAMS.burn_in]
    expected = np.log(np.sqrt(first)) - np.log(np.sqrt(start))
    assert factor_moves(closes)[PARAMS.burn_in, FACTORS.index("gold_volatility")] == pytest.approx(expected)


@pytest.mark.parametrize("symbol", [s for s in READ if s != "SHY"])
def test_factor_that_cannot_be_measured_for_long_enough_makes_every_share_unknown(symbol: str) -> None:
    closes = walk()
    closes[: 1 - PARAMS.least, READ.index(symbol)] = np.nan
    shares = factor_shares(
        np.array([1.0]), walk(9)[1:, :1] / walk(9)[:-1, :1] - 1, factor_moves(closes), 0.12
    )
    assert all(np.isnan(share) for share in shares.values())
    assert most_past(shares, {}, {"dollar": 0.3}) is not None


@pytest.mark.parametrize("symbol", [s for s in READ if s != "SHY"])
def test_factor_that_this_market_has_not_explains_nothing_and_the_others_as_if_it_were_none(
    symbol: str,
) -> None:
    closes, book = walk(), walk(9)[1:, :1] / walk(9)[:-1, :1] - 1
    closes[:, READ.index(symbol)] = np.nan
    moves = factor_moves(closes)
    shares = factor_shares(np.array([1.0]), book, moves, 0.12)
    (gone,) = absent(set(READ) - {symbol})
    assert shares[gone] == 0.0
    # The rest by another route: ordinary least squares on the five that are there.
    there = [at for at, name in enumerate(FACTORS) if name != gone]
    window = moves[-PARAMS.window :, there]
    own = book[-PARAMS.window :, 0]
    design = np.column_stack([np.ones(len(window)), window])
    known = np.isfinite(design).all(axis=1)
    slopes = np.linalg.lstsq(design[known], own[known], rcond=None)[0][1:]
    own_known = own[known] - own[known].mean()
    covariance = (window[known] - window[known].mean(axis=0)).T @ own_known / known.sum()
    variance = max(float(np.square(own_known).mean()), 0.12**2 / 252)
    expected = dict(zip([FACTORS[at] for at in there], slopes * covariance / variance, strict=True))
    assert {name: shares[name] for name in expected} == pytest.approx(expected)


def test_factors_that_a_market_lacks_are_named() -> None:
    assert absent(READ) == ()
    assert absent({"GLD", "SLV", "GDX"}) == ("real_rate", "dollar", "curve", "equity")


@pytest.mark.parametrize("sessions", [1, PARAMS.least - 1])
def test_history_that_is_too_short_is_not_judged(sessions: int) -> None:
    returns, moves = np.full((sessions, 1), 0.01), factor_moves(walk())
    assert np.isnan(factor_shares(np.array([1.0]), returns, moves, 0.12)["dollar"])


def test_weight_that_is_no_number_is_not_judged_and_nothing_held_has_no_share() -> None:
    moves = factor_moves(walk())
    returns = np.zeros((PARAMS.window, 1))
    assert np.isnan(factor_shares(np.array([np.nan]), returns, moves, 0.12)["equity"])
    assert set(factor_shares(np.array([0.0]), returns, moves, 0.12).values()) == {0.0}


def test_every_factor_has_a_limit() -> None:
    assert set(FACTORS) == set(LIMITS.factor_share_frac)


@pytest.mark.real_data
def test_book_that_is_all_gold_hangs_on_dollar_and_real_rate_and_little_on_golds_volatility() -> None:
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is not there")
    closes = {symbol: column(symbol) for symbol in READ}
    days = sorted(set.intersection(*(set(found) for found in closes.values())))
    table = np.array([[closes[symbol][day] for symbol in READ] for day in days])
    gold = table[:, READ.index("GLD")]
    returns, moves = (gold[1:] / gold[:-1] - 1)[:, None], factor_moves(table)
    for end in range(300, len(moves), 50):
        shares = factor_shares(np.array([0.8]), returns[:end], moves[:end], 0.12)
        assert shares["gold_volatility"] < 0.25
        assert 0.0 < shares["dollar"] + shares["real_rate"] < 0.7


def column(symbol: str) -> dict[str, float]:
    with (REAL / f"{symbol}.csv").open(encoding="utf-8") as file:
        return {row["date"]: float(row["close"]) for row in csv.DictReader(file)}
