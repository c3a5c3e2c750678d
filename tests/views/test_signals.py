"""Signals: when one opens and closes, what it earned, and what waits for orders."""

from dataclasses import replace
from datetime import date
from decimal import Decimal as D

import pytest

from qgtm.core.events import StrategiesCrossed, TargetsReached
from qgtm.core.position import Position
from qgtm.engine.state import State
from qgtm.views.signals import direction_of, pending
from tests.views.told import LIMITS, closed, live, opened, sample, targets, told, traded, views

TUESDAY, WEDNESDAY = date(2026, 3, 3), date(2026, 3, 4)


def test_first_view_opens_a_signal_at_the_close_it_arose_from() -> None:
    book = told(live(), opened(), closed(GLD=180.0), views(tsmom={"GLD": 0.5})).signals
    signal = book.open["tsmom", "GLD"]
    assert (signal.direction, signal.strength, signal.entry_price) == ("long", 0.5, D("180.0"))


def test_stronger_view_of_the_same_side_is_the_same_signal() -> None:
    book = told(
        live(),
        closed(GLD=180.0),
        views(tsmom={"GLD": 0.5}),
        closed(TUESDAY, GLD=182.0),
        views(TUESDAY, tsmom={"GLD": 0.9}),
    ).signals
    signal = book.open["tsmom", "GLD"]
    assert (signal.entry_price, signal.strength, len(book.closed)) == (D("180.0"), 0.9, 0)


def test_no_view_leaves_the_last_one_standing() -> None:
    book = told(
        live(), closed(GLD=180.0), views(tsmom={"GLD": 0.5}), views(TUESDAY, tsmom={"GLD": None})
    ).signals
    assert list(book.open) == [("tsmom", "GLD")]


def test_turn_closes_the_long_and_opens_a_short() -> None:
    book = told(
        live(),
        closed(GLD=180.0),
        views(tsmom={"GLD": 0.5}),
        closed(TUESDAY, GLD=171.0),
        views(TUESDAY, tsmom={"GLD": -0.2}),
    ).signals
    [ended] = book.closed
    assert (ended.direction, ended.exit_price) == ("long", D("171.0"))
    assert ended.move_frac(ended.exit_price) == D("-0.05")
    assert book.open["tsmom", "GLD"].direction == "short"


def test_short_signal_moves_its_way_when_the_price_falls() -> None:
    book = told(live(), closed(GLD=180.0), views(tsmom={"GLD": -1.0})).signals
    assert book.open["tsmom", "GLD"].move_frac(D("171")) == D("0.05")


def test_flat_view_is_the_last_change_and_opens_nothing() -> None:
    book = told(
        live(),
        closed(GLD=180.0),
        views(tsmom={"GLD": 0.5}),
        closed(TUESDAY, GLD=181.0),
        views(TUESDAY, tsmom={"GLD": 0.0}),
    ).signals
    assert book.last is not None
    assert (book.last.direction, book.last.symbol, book.last.session, book.open) == (
        "flat",
        "GLD",
        TUESDAY,
        {},
    )


def test_strongest_of_several_changes_is_told_as_the_last() -> None:
    book = told(live(), closed(GLD=1.0, SLV=1.0), views(tsmom={"GLD": 0.2, "SLV": -0.7})).signals
    assert book.last is not None
    assert (book.last.symbol, book.last.direction) == ("SLV", "short")


def test_view_that_does_not_change_leaves_the_last_change_alone() -> None:
    book = told(
        live(), closed(GLD=1.0), views(tsmom={"GLD": 0.2}), views(TUESDAY, tsmom={"GLD": 0.2})
    ).signals
    assert book.last is not None
    assert book.last.session == date(2026, 3, 2)


def test_live_profit_is_of_the_strategys_own_shares() -> None:
    # 30 of the 40 shares bought at 180 are tsmom's; at 182 they have earned 30 x 2.
    chronicle = told(
        live(),
        closed(GLD=179.0),
        views(tsmom={"GLD": 0.5}),
        opened(TUESDAY),
        traded("GLD", 40, "180", tsmom=30, donchian_breakout=10),
        sample("100000", "100000", GLD="182"),
    )
    signal = chronicle.signals.open["tsmom", "GLD"]
    assert chronicle.signals.live_usd(signal, chronicle.ledger) == D(60)


def test_outcome_counts_from_close_to_close() -> None:
    # Bought 30 at 180, the close of the turn is 186: 180 earned, whatever the exit fills at later.
    chronicle = told(
        live(),
        closed(GLD=179.0),
        views(tsmom={"GLD": 0.5}),
        opened(TUESDAY),
        traded("GLD", 30, "180", tsmom=30),
        closed(TUESDAY, GLD=186.0),
        views(TUESDAY, tsmom={"GLD": -0.5}),
        opened(WEDNESDAY),
        traded("GLD", -30, "185", number=2, tsmom=-30),
    )
    [ended] = chronicle.signals.closed
    assert ended.pnl_usd == D(180)
    # and the dollar a share that the exit fell short of the close belongs to the signal that wanted out
    assert chronicle.signals.live_usd(chronicle.signals.open["tsmom", "GLD"], chronicle.ledger) == D(-30)


def test_shares_crossed_inside_the_book_move_between_strategies() -> None:
    crossed = StrategiesCrossed(symbol="GLD", price=D(180), shares={"tsmom": D(10), "other": D(-10)})
    chronicle = told(live(), closed(GLD=180.0), crossed, sample("1", "1", GLD="183"))
    book, ledger = chronicle.signals, chronicle.ledger
    assert (book.earned_usd("tsmom", "GLD", ledger), book.earned_usd("other", "GLD", ledger)) == (
        D(30),
        D(-30),
    )


@pytest.mark.parametrize(("value", "side"), [(0.1, "long"), (-0.1, "short"), (0.0, "flat"), (-0.0, "flat")])
def test_direction_of_a_view(value: float, side: str) -> None:
    assert direction_of(value) == side


def held(**shares: int) -> State:
    """A state with 100,000 dollars of equity, marks of 100, and these shares."""
    return State(
        positions={s: Position(quantity=D(q)) for s, q in shares.items()},
        marks=dict.fromkeys(shares, D(100)),
        equity_usd=D(100_000),
        is_pending=True,
    )


def test_pending_are_symbols_farther_from_their_weight_than_the_band() -> None:
    # GLD holds 10% and wants 10.4% (within half a percent), SLV 2% and wants 5%, PALL 3% and wants none.
    state = replace(held(GLD=100, SLV=20, PALL=30), weights={"GLD": 0.104, "SLV": 0.05})
    rows = pending(state, LIMITS.no_trade_band_frac)
    assert sorted((row.symbol, row.side) for row in rows) == [("PALL", "sell"), ("SLV", "buy")]


def test_pending_short_is_a_sale_and_largest_difference_comes_first() -> None:
    state = replace(held(), weights={"GLD": 0.02, "SLV": -0.3})
    assert [(row.symbol, row.side) for row in pending(state, D("0.005"))] == [("SLV", "sell"), ("GLD", "buy")]


def test_pending_without_a_price_is_named_first_and_not_guessed() -> None:
    state = replace(held(GLD=10), marks={}, weights={"GLD": 0.01, "SLV": 0.5})
    rows = pending(state, D("0.005"))
    assert (rows[0].symbol, rows[0].held_frac) == ("GLD", None)


def test_nothing_is_pending_once_the_targets_are_reached() -> None:
    chronicle = told(live(), targets(GLD=0.2), TargetsReached(session=date(2026, 3, 3)))
    assert pending(chronicle.state, D("0.005")) == ()
