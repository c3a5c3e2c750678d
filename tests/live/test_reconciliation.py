"""Reading the broker's side and telling the difference: our own facts first, then breaks, never an order."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from qgtm.core.events import BreakAccepted, BreakFound, CashMoved, OrderUpdated, Reconciled
from qgtm.core.order import OrderState
from qgtm.engine.state import State, changed
from qgtm.live.reconciliation import Books, differences, late_news, read_books
from qgtm.ports import Account, BrokerOrder
from tests.engine.making import CASH, NOON, begun, bought, dec, kinds, order
from tests.live.rigging import position


def account(cash: object = CASH) -> Account:
    return Account(
        number="1",
        status="ACTIVE",
        equity_usd=dec(cash),
        last_equity_usd=dec(cash),
        cash_usd=dec(cash),
        buying_power_usd=dec(cash),
        is_blocked=False,
        is_shorting_enabled=True,
    )


def theirs(client_order_id: str, state: OrderState = OrderState.WORKING, quantity: int = 5) -> BrokerOrder:
    return BrokerOrder(
        broker_order_id=f"b-{client_order_id}",
        client_order_id=client_order_id,
        symbol="GLD",
        quantity=dec(quantity),
        status=state.value,
        state=state,
        filled_quantity=dec(0),
        filled_price=dec(0),
        updated_at=NOON,
    )


def books(
    cash: object = CASH, positions: tuple[Any, ...] = (), orders: tuple[BrokerOrder, ...] = ()
) -> Books:
    return Books(account(cash), positions, orders, ())


class ReadOnly:
    """A broker that has no way to change anything, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name not in ("account", "positions", "orders", "cash_flows"):
            raise AssertionError(f"reconciling called {name}")

        def ask(*_: Any, **__: Any) -> Any:
            self.asked.append(name)
            return account() if name == "account" else ()

        return ask


def test_broker_is_only_read() -> None:
    broker = ReadOnly()
    assert read_books(broker, (), NOON) == books()
    assert broker.asked == ["orders", "orders", "cash_flows", "account", "positions"]


def test_orders_are_read_from_before_the_oldest_that_lives() -> None:
    asked: list[Any] = []
    broker = SimpleNamespace(
        orders=lambda **what: asked.append(what) or (),
        account=account,
        positions=lambda: (),
        cash_flows=lambda after: (),
    )
    read_books(broker, (order(1, formed_at=NOON.replace(day=2)),), NOON)
    assert asked[0]["after"].day == 31
    assert asked[1] == {"is_open": True}


def test_order_that_is_open_and_recent_is_told_once() -> None:
    one = theirs("x")
    broker = SimpleNamespace(
        orders=lambda **_: (one,), account=account, positions=lambda: (), cash_flows=lambda after: ()
    )
    assert read_books(broker, (), NOON).orders == (one,)


def test_late_news_are_orders_and_cash_flows() -> None:
    flow = CashMoved(activity_id="7", kind="DIV", amount_usd=dec(3))
    news = late_news(Books(account(), (), (theirs("x"),), (flow,)))
    assert kinds(news) == [OrderUpdated.__name__, CashMoved.__name__]


def test_books_that_agree_are_recorded_with_what_the_broker_holds() -> None:
    state = begun(*bought(7))
    (record,) = differences(state, books(state.cash_usd, (position("GLD", 7),)))
    assert record == Reconciled(breaks=(), positions={"GLD": dec(7)}, cash_usd=state.cash_usd, foreign=())


def traded_by_hand(client_order_id: str, symbol: str = "GLD") -> BrokerOrder:
    order = theirs(client_order_id, OrderState.FILLED)
    return replace(order, symbol=symbol, filled_quantity=dec(5), filled_price=dec(100))


def compared(state: State, read: Books) -> tuple[State, list[str]]:
    """Return the state after a comparison, and what it found."""
    facts = differences(state, read)
    for fact in facts:
        state = changed(state, fact)
    return state, [each.subject for each in facts if isinstance(each, BreakFound)]


@pytest.mark.fault("C9", "B10")
def test_shares_that_somebody_bought_and_sold_between_two_looks_get_tickets_until_accepted() -> None:
    before, found = compared(begun(), books(orders=(traded_by_hand("of-old"),)))
    assert found == []  # the first comparison finds what was before this record
    hands = books(orders=tuple(traded_by_hand(each) for each in ("of-old", "bought", "sold")))
    after, found = compared(before, hands)
    assert found == ["bought", "sold"]
    again, found = compared(after, hands)
    assert (found, sorted(again.breaks), again.is_clean) == ([], ["bought", "sold"], False)
    for each in ("bought", "sold"):
        again = changed(again, BreakAccepted(subject=each, brokers=dec(5), reason="me", by="OpA"))
    last, found = compared(again, hands)
    assert (found, last.breaks, last.is_clean) == ([], {}, True)


@pytest.mark.fault("C9")
def test_trade_by_hand_that_moved_shares_has_one_ticket_and_none_more_once_accepted() -> None:
    before, _ = compared(begun(), books())
    hands = books(positions=(position("GLD", 5),), orders=(traded_by_hand("bought"),))
    after, found = compared(before, hands)
    assert found == ["GLD"]
    accepted = changed(after, BreakAccepted(subject="GLD", brokers=dec(5), reason="me", by="OpA"))
    assert compared(accepted, hands)[1] == []


def test_orders_of_our_own_form_are_nobody_elses() -> None:
    before, _ = compared(begun(), books())
    ours = traded_by_hand(order(5).client_order_id)
    assert compared(before, books(orders=(ours,)))[1] == []


@pytest.mark.parametrize(
    ("read", "subjects"),
    [
        (books(CASH, (position("GLD", 1),)), ["GLD"]),
        (books(CASH + 5), ["cash"]),
        (books(CASH, (), (theirs("by-hand"),)), ["by-hand"]),
        (books(CASH, (), (theirs("by-hand", OrderState.FILLED),)), []),
    ],
)
def test_difference_is_told_and_nothing_of_ours_changes(read: Books, subjects: list[str]) -> None:
    state = begun()
    *breaks, record = differences(state, read)
    assert [each.subject for each in breaks] == subjects
    assert isinstance(record, Reconciled)
    assert list(record.breaks) == subjects
    for each in breaks:
        state = changed(state, each)
    assert (state.positions, state.cash_usd) == (begun().positions, begun().cash_usd)
    assert [e for e in differences(state, read) if isinstance(e, BreakFound)] == []
