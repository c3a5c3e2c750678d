"""The exchange behind the daemon's ports, with the weather in between.

What a call comes to is what the real adapter would make of it: an answer, a refusal, or no answer that can
be believed, in which case what was asked for may have been done.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final, Protocol, TypeVar

from qgtm.adapters.alpaca_line import NoAnswer
from qgtm.adapters.call_budget import CallBudget
from qgtm.core.bar import BarSet
from qgtm.core.errors import BrokerError, FeedError
from qgtm.core.events import CashMoved, QuoteSeen
from qgtm.core.order import Order, OrderState
from qgtm.core.outcome import Accepted, Outcome, Rejected, Unknown
from qgtm.exchange.core import Exchange
from qgtm.ports import Account, BrokerOrder, BrokerPosition, Clock, MarketClock
from qgtm.simulation.direct import DirectBroker
from qgtm.simulation.tape import Tape
from qgtm.simulation.weather import Weather

T = TypeVar("T")
CALL_S: Final = 0.03  # there and back
LIMIT_S: Final = 4.8  # after which a call is given up
CLOSED_FOR: Final = timedelta(days=1)
LATE_FOR: Final = timedelta(hours=12)
RESCALED: Final = ("GLD", "SLV", "GDX")


class Wire(Protocol):
    """What a call does to the world around it."""

    weather: Weather
    chance: Random

    def spend(self, seconds: float) -> None:
        """Let a call take so long."""
        ...

    def sent(self, method: str, order_id: str = "") -> None:
        """Note that a request is on its way."""
        ...

    def reached(self, method: str, order_id: str = "", outcome: str = "") -> None:
        """Note that a request has reached the exchange, and what it did."""
        ...


class WeatheredBroker:
    """One session of a process with the broker."""

    def __init__(
        self, exchange: Exchange, times: Clock, wire: Wire, budget: CallBudget, *, is_urgent: bool = False
    ) -> None:
        self._direct = DirectBroker(exchange, exchange.desk.prices.market, times)
        self._exchange = exchange
        self._wire = wire
        self._budget = budget
        self._is_urgent = is_urgent
        self._past: deque[tuple[datetime, str, Any]] = deque(maxlen=60)

    # -- reads -----------------------------------------------------------------------------

    def clock(self) -> MarketClock:
        """Return what the venue's clock says."""
        seen = self._asked("GET /clock", self._direct.clock)
        if self._wire.weather.closed_by_broker:
            self._wire.weather.note("closed_by_broker")
            later = seen.now + CLOSED_FOR
            return replace(seen, is_open=False, next_open_at=later, next_close_at=later)
        return seen

    def account(self) -> Account:
        """Return the account, as it is or as the weather has it."""
        account, weather = self._asked("GET /account", self._direct.account), self._wire.weather
        if weather.equity_times != 1.0:
            weather.note("equity_times")
            account = replace(account, equity_usd=account.equity_usd * Decimal(str(weather.equity_times)))
        if weather.blocked:
            weather.note("blocked")
            account = replace(account, is_blocked=True)
        return account

    def positions(self) -> tuple[BrokerPosition, ...]:
        """Return the open positions."""
        return self._asked("GET /positions", self._direct.positions)

    def orders(self, *, after: datetime | None = None, is_open: bool = False) -> tuple[BrokerOrder, ...]:
        """Return the orders accepted after a moment."""
        what = f"GET /orders {is_open}"
        found = self._asked(what, lambda: self._direct.orders(after=after, is_open=is_open))
        return tuple(self._strange(order) for order in found) if self._wire.weather.strange else found

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Return an order by our id."""
        return self._asked(f"GET /orders:{client_order_id}", lambda: self._direct.order(client_order_id))

    def cash_flows(self, after: date) -> tuple[CashMoved, ...]:
        """Return what moved cash and was no fill."""
        return self._asked("GET /activities", lambda: self._direct.cash_flows(after))

    def equity_history(self, since: date) -> Mapping[date, Decimal]:
        """Return what the account was worth at each close."""
        return self._asked("GET /portfolio/history", lambda: self._direct.equity_history(since))

    def _strange(self, order: BrokerOrder) -> BrokerOrder:
        if order.state is OrderState.WORKING and self._wire.weather.strikes("strange", self._wire.chance):
            return replace(order, status="held_for_review")
        return order

    def _asked(self, what: str, ask: Callable[[], T]) -> T:
        self._before(what, is_urgent=False)
        answer = self._lagging(what, ask())
        self._wire.reached(what)
        self._after(what)
        return answer

    def _lagging(self, what: str, answer: T) -> T:
        lag_s, now = self._wire.weather.lag_s, self._exchange.now
        self._past.append((now, what, answer))
        if not lag_s:
            return answer
        old = [a for at, name, a in self._past if name == what and at <= now - timedelta(seconds=lag_s)]
        first: T = next(a for _, name, a in self._past if name == what)
        if (chosen := old[-1] if old else first) != answer:
            self._wire.weather.note("lag_s")
        return chosen

    # -- writes ----------------------------------------------------------------------------

    def submit(self, order: Order) -> Outcome:
        """Send an order once; never raises."""
        try:
            self._before("POST /orders", is_urgent=order.is_reducing, order_id=order.client_order_id)
            if self._wire.weather.strikes("rejected", self._wire.chance):
                outcome: Outcome = Rejected(40310000, "insufficient buying power")
            else:
                outcome = arrived(self._direct, order)
            self._wire.reached("POST /orders", order.client_order_id, type(outcome).__name__)
            self._after("POST /orders")
        except BrokerError as problem:
            return Unknown(str(problem), is_held_back=is_held_back(problem))
        return outcome

    def cancel(self, broker_order_id: str) -> bool:
        """Ask for a cancel."""
        return self._changed("DELETE /orders/id", lambda: self._direct.cancel(broker_order_id))

    def cancel_all(self) -> None:
        """Ask for the cancel of every live order."""
        self._changed("DELETE /orders", self._direct.cancel_all)

    def close_all(self) -> None:
        """Close everything by the broker's own orders."""
        self._changed("DELETE /positions", self._direct.close_all)

    def _changed(self, what: str, ask: Callable[[], T]) -> T:
        self._before(what, is_urgent=True)
        answer = ask()
        self._wire.reached(what)
        self._after(what)
        return answer

    def close(self) -> None:
        """Do nothing: there is no connection."""

    # -- the way there and back ------------------------------------------------------------

    def _before(self, what: str, *, is_urgent: bool, order_id: str = "") -> None:
        """Let the request travel; raise BrokerError when it never arrives."""
        wire, weather = self._wire, self._wire.weather
        if wait_s := self._budget.take(is_urgent=is_urgent or self._is_urgent):
            raise _no_answer(what, f"our own call limit is used up for {wait_s:.1f} s", is_held_back=True)
        wire.sent(what, order_id)
        if weather.slow_s:
            weather.note("slow_s")
        wire.spend(CALL_S / 2 + weather.slow_s / 2)
        if weather.strikes("refused", wire.chance):
            raise _no_answer(what, "connection refused")
        if weather.strikes("hang", wire.chance):
            wire.spend(LIMIT_S)
            raise _no_answer(what, f"no whole answer within {LIMIT_S} s")
        if weather.revoked:
            weather.note("revoked")
            raise BrokerError(f"the broker refused {what}: 401 40110000: unauthorized; check keys")
        if weather.strikes("limited", wire.chance):
            self._budget.stop(20.0)
            raise _no_answer(what, "the broker's call limit is used up (429)", is_held_back=True)
        if weather.strikes("failing", wire.chance):
            raise _no_answer(what, "status 503 with a body that is not the broker's")

    def _after(self, what: str) -> None:
        """Let the answer travel; raise BrokerError when it is lost or spoilt on the way."""
        wire, weather = self._wire, self._wire.weather
        wire.spend(CALL_S / 2 + weather.slow_s / 2)
        for name, reason in SPOILT:
            if weather.strikes(name, wire.chance):
                raise _no_answer(what, reason)


SPOILT: Final = (
    ("lost", "ConnectionError: the connection was reset"),
    ("gateway", "status 504 with a body that is not the broker's"),
    ("garbled", "status 200 with a body that cannot be read"),
)


def arrived(direct: DirectBroker, order: Order) -> Outcome:
    """Let an order arrive at the exchange; one whose id is in use was sent before, and is looked up."""
    outcome = direct.submit(order)
    if isinstance(outcome, Rejected) and "unique" in outcome.reason:
        found = direct.order(order.client_order_id)
        if found is None:
            return Unknown("the id is taken, yet no order has it")
        theirs = (found.symbol, found.quantity, found.side)
        if theirs != (order.symbol, order.quantity, order.side):
            return Unknown(f"the broker answered with a different order: {theirs}")
        return Accepted(found.broker_order_id)
    return outcome


def _no_answer(what: str, reason: str, *, is_held_back: bool = False) -> BrokerError:
    problem = BrokerError(f"no answer for {what}: {reason}; ask again later")
    problem.__cause__ = NoAnswer(reason, is_held_back=is_held_back)
    return problem


def is_held_back(problem: BrokerError) -> bool:
    """Return whether only a call limit kept the call from being made."""
    return bool(getattr(problem.__cause__, "is_held_back", False))


class WeatheredFeed:
    """The exchange's prices as a Feed, with the weather in between."""

    def __init__(self, tape: Tape, times: Clock, wire: Wire) -> None:
        self._tape = tape
        self._times = times
        self._wire = wire

    def daily(self, symbols: Sequence[str], start: date, end: date) -> tuple[BarSet, ...]:
        """Return the finished sessions' bars."""
        self._wire.spend(CALL_S)
        if self._wire.weather.strikes("bars_fail", self._wire.chance):
            raise FeedError("the bars did not come: status 503")
        if self._wire.weather.strikes("pages_endless", self._wire.chance):
            raise FeedError("the bars' page token came twice, so the pages have no end; ask again later")
        now = self._times.now()
        return self._told(self._tape.bar_sets(symbols, start, end, now), now)

    def _told(self, sets: tuple[BarSet, ...], now: datetime) -> tuple[BarSet, ...]:
        """Return the bars as the vendor tells them: the newest not yet, or part of them on another scale."""
        weather = self._wire.weather
        if weather.bars_late and sets and now - sets[-1].known_at < LATE_FOR:
            weather.note("bars_late")
            sets = sets[:-1]
        if weather.bars_times != 1.0 and sets:
            weather.note("bars_times")
            sets = tuple(_rescaled(bars, weather.bars_times) for bars in sets)
        return sets

    def quotes(self, symbols: Sequence[str]) -> Mapping[str, QuoteSeen]:
        """Return the quotes now, without those that the weather takes."""
        wire, weather = self._wire, self._wire.weather
        wire.spend(CALL_S)
        if weather.strikes("quotes_fail", wire.chance):
            raise FeedError("the quotes did not come: status 503")
        now = self._times.now()
        at = now - timedelta(seconds=weather.quotes_stale_s)
        if weather.quotes_stale_s:
            weather.note("quotes_stale_s")
        found: dict[str, QuoteSeen] = {}
        for symbol in symbols:
            quote = self._tape.quote(symbol, now)
            if quote is None or weather.strikes("quotes_missing", wire.chance):
                continue
            found[symbol] = QuoteSeen(bid=quote.bid, ask=quote.ask, last=quote.last, at=at)
            if weather.strikes("quotes_spoilt", wire.chance):
                found[symbol] = _spoilt(found[symbol], wire.chance)
        return found

    def close(self) -> None:
        """Do nothing: there is no connection."""


def _rescaled(bars: BarSet, times: float) -> BarSet:
    """Return a session's bars with some symbols' prices times a factor."""
    news = {
        name: replace(
            bar, open=bar.open * times, high=bar.high * times, low=bar.low * times, close=bar.close * times
        )
        for name, bar in bars.bars.items()
        if name in RESCALED
    }
    return replace(bars, bars={**bars.bars, **news})


def _spoilt(quote: QuoteSeen, chance: Random) -> QuoteSeen:
    ways: tuple[dict[str, Any], ...] = (
        {"bid": Decimal(0), "ask": Decimal(0)},
        {"bid": quote.bid * 10, "ask": quote.ask * 10},
        {"last": quote.last * 10},
        {"bid": Decimal("NaN")},
        {"ask": quote.bid / 2},
        {"bid": -quote.bid},
    )
    return replace(quote, **ways[chance.randrange(len(ways))])
