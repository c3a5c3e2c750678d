"""The broker's port on Alpaca: every call once, with an end, and only believed when it is whole."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

from requests.adapters import BaseAdapter

from qgtm.adapters import alpaca_parse as parse
from qgtm.adapters.alpaca_client import GuardedTrading, Keys, Refused
from qgtm.adapters.alpaca_line import WHOLE_S, Fence, NoAnswer, always
from qgtm.adapters.alpaca_order import problem_of, request_of
from qgtm.adapters.call_budget import CallBudget
from qgtm.core.errors import BrokerError
from qgtm.core.events import CashMoved
from qgtm.core.order import Order
from qgtm.core.outcome import Accepted, Outcome, Rejected, Unknown
from qgtm.ports import Account, BrokerOrder, BrokerPosition, MarketClock

Answer = TypeVar("Answer")
PAGE: Final = 500
PAGES: Final = 40
ACTIVITY_PAGE: Final = 100
NOT_SENT: Final = 0  # the code of an order that the last look kept back


class AlpacaBroker:
    """Orders and the account at Alpaca, or at an exchange that speaks its protocol.

    For one thread: a second thread, and above all the way out of a kill, makes its own. `is_urgent`
    lets every call of this instance take from the urgent share of the budget; otherwise cancels and
    reducing orders do, alone. `may_send` is asked right before the bytes of an order leave. A read raises
    BrokerError at once and is never retried here.
    """

    def __init__(
        self,
        keys: Keys,
        url: str,
        budget: CallBudget,
        *,
        is_urgent: bool = False,
        whole_s: float = WHOLE_S,
        adapter: BaseAdapter | None = None,
        may_send: Fence = always,
    ) -> None:
        self._client = GuardedTrading(keys, url, budget, whole_s=whole_s, adapter=adapter)
        self._client.may_send = may_send
        self._budget = budget
        self._is_urgent = is_urgent

    def wait_s(self, *, is_urgent: bool = False) -> float:
        """Return the seconds until the next call may be made, 0.0 for now."""
        return self._budget.wait_s(is_urgent=is_urgent or self._is_urgent)

    def close(self) -> None:
        """Shut the connection; a later call opens a new one."""
        self._client.hang_up()

    def clock(self) -> MarketClock:
        """Return the broker's clock; raise BrokerError."""
        return parse.market_clock(self._read("the clock", self._client.get_clock))

    def account(self) -> Account:
        """Return the account; raise BrokerError."""
        return parse.account(self._read("the account", self._client.get_account))

    def positions(self) -> tuple[BrokerPosition, ...]:
        """Return every position that is not zero; raise BrokerError."""
        rows = parse.rows_of(self._read("the positions", self._client.get_all_positions), "positions")
        return tuple(found for found in map(parse.position, rows) if found.quantity)

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Return the order with our id, None when the broker says that it has none; raise BrokerError.

        After an unknown submit None proves nothing: the order may still be on its way.
        """

        def ask() -> Any:
            try:
                return self._client.get_order_by_client_id(client_order_id)
            except Refused as refusal:
                if refusal.status == 404:
                    return None
                raise

        body = self._read(f"the order {client_order_id}", ask)
        return None if body is None else parse.order(body)

    def orders(self, *, after: datetime | None = None, is_open: bool = False) -> tuple[BrokerOrder, ...]:
        """Return the orders submitted later than `after` (aware), oldest first; raise BrokerError.

        Pages overlap by a microsecond, since several orders can share a moment.
        """
        asked: dict[str, object] = {"status": "open" if is_open else "all", "limit": PAGE, "direction": "asc"}
        start, found = after, dict[str, BrokerOrder]()
        for _ in range(PAGES):
            page = asked | ({} if start is None else {"after": start.isoformat()})
            rows = parse.rows_of(self._get("the orders", "/orders", page), "orders")
            known = len(found)
            found |= {one.broker_order_id: one for one in map(parse.order, rows)}
            if len(rows) < PAGE:
                return tuple(found.values())
            if len(found) == known:
                raise BrokerError(f"a full page of orders after {start} held no new one; look at the broker")
            start = parse.just_before(parse.instant(rows[-1], "submitted_at", "the last order of a page"))
        raise BrokerError(f"more than {PAGES} pages of orders after {after}; ask for a later moment")

    def submit(self, order: Order) -> Outcome:
        """Send an order once and return what became of it; never raises."""
        if fault := problem_of(order):
            return Rejected(NOT_SENT, f"not sent: {fault}")
        try:
            self._take(order.is_reducing)
            return _outcome(order, parse.order(self._client.post("/orders", request_of(order))))
        except Refused as refusal:
            is_there = refusal.status == 422 and "unique" in refusal.reason
            return self._taken(order) if is_there else Rejected(refusal.code, refusal.reason)
        except NoAnswer as problem:
            return Unknown(str(problem), is_held_back=problem.is_held_back)
        except BrokerError as problem:
            return Unknown(str(problem))

    def cancel(self, broker_order_id: str) -> bool:
        """Ask to cancel: True when the broker took the wish, False when it is too late; raise BrokerError.

        True is no cancellation: the order may still fill, and only its status says that it has ended.
        """

        def ask() -> bool:
            try:
                self._client.cancel_order_by_id(UUID(broker_order_id))
            except Refused as refusal:
                if refusal.status == 422:
                    return False
                raise
            return True

        return self._read(f"the cancel of {broker_order_id}", ask, is_urgent=True)

    def cancel_all(self) -> None:
        """Ask to cancel every open order, whoever made it; raise BrokerError. Each may still fill."""
        self._read("the cancel of all orders", self._client.cancel_orders, is_urgent=True)

    def close_all(self) -> None:
        """Ask the broker to close every position by market orders of its own; raise BrokerError.

        The last rung of a flatten: those orders carry no ids of ours, and show as breaks.
        """
        close = self._client.close_all_positions
        self._read("the close of all positions", lambda: close(cancel_orders=True), is_urgent=True)

    def cash_flows(self, after: date) -> tuple[CashMoved, ...]:
        """Return what moved cash on or after the day `after` and was no fill; raise BrokerError.

        The same `activity_id` comes again on a later call for the same day.
        """
        asked: dict[str, object] = {
            "category": "non_trade_activity",
            "after": (after - timedelta(days=1)).isoformat(),
            "direction": "asc",
            "page_size": ACTIVITY_PAGE,
        }
        rows, token = list[parse.Fields](), ""
        for _ in range(PAGES):
            page = asked | ({"page_token": token} if token else {})
            got = parse.rows_of(self._get("the activities", "/account/activities", page), "activities")
            rows += got
            if len(got) < ACTIVITY_PAGE:
                return parse.cash_flows({row.get("id"): row for row in rows}.values(), after)
            token = parse.text(got[-1], "id", "an activity")
        raise BrokerError(f"more than {PAGES} pages of activities after {after}; ask for a later day")

    def equity_history(self, since: date) -> Mapping[date, Decimal]:
        """Return the account's equity at each session's close from `since` on; raise BrokerError."""
        asked: dict[str, object] = {"timeframe": "1D", "start": f"{since.isoformat()}T00:00:00Z"}
        return parse.equity_history(self._get("the history", "/account/portfolio/history", asked), since)

    def _taken(self, order: Order) -> Outcome:
        # the id is in use: an earlier sending of ours arrived, unless the order there is a different one
        try:
            found = self.order(order.client_order_id)
        except BrokerError as problem:
            return Unknown(f"the id is taken, and its order could not be read: {problem}")
        return Unknown("the id is taken, yet no order has it") if found is None else _outcome(order, found)

    def _get(self, what: str, path: str, asked: dict[str, object]) -> Any:
        return self._read(what, lambda: self._client.get(path, asked))

    def _read(self, what: str, ask: Callable[[], Answer], *, is_urgent: bool = False) -> Answer:
        try:
            self._take(is_urgent)
            return ask()
        except Refused as refusal:
            raise BrokerError(f"the broker refused {what}: {refusal}; check keys and account") from refusal
        except NoAnswer as problem:
            raise BrokerError(f"no answer for {what}: {problem}; ask again later") from problem
        except ValueError as problem:
            raise BrokerError(f"{what} cannot be asked for: {problem}; check the id") from problem

    def _take(self, is_urgent: bool) -> None:
        wait_s = self._budget.take(is_urgent=is_urgent or self._is_urgent)
        if wait_s:
            raise NoAnswer(f"our own call limit is used up for {wait_s:.1f} s", is_held_back=True)


def _outcome(order: Order, found: BrokerOrder) -> Outcome:
    """Believe a reply only when it speaks of the order that was sent."""
    theirs = (found.client_order_id, found.symbol, found.quantity, found.side)
    ours = (order.client_order_id, order.symbol, order.quantity, order.side)
    if theirs != ours:
        return Unknown(f"the broker answered with a different order: {theirs}, sent {ours}")
    return Accepted(found.broker_order_id)
