"""What each effect does to the world, and the facts that come of it.

Every function here may block (within the adapters' time limits), so the daemon runs them on
threads of their own and the answers come back through its one queue.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from qgtm.adapters.alpaca_parse import STATES, WORKING
from qgtm.core.bar import BarSet, refuse_future
from qgtm.core.effects import (
    AskOrder,
    Cancel,
    CancelAll,
    CloseAll,
    CompareClocks,
    CountCoolOff,
    Effect,
    FetchBars,
    FetchEquityHistory,
    FetchPositions,
    FetchQuotes,
    PollOrders,
    SampleAccount,
    Submit,
    ValueBook,
)
from qgtm.core.errors import FeedError
from qgtm.core.events import (
    AccountSampled,
    AlertRaised,
    BarsClosed,
    BookUnjudged,
    BookValued,
    CancelRequested,
    ClocksCompared,
    CloseAllAsked,
    CoolOffCounted,
    EquityHistorySeen,
    Event,
    FeedFailed,
    FeedRecovered,
    MarketHoursSeen,
    OrderAccepted,
    OrderNotFound,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    PositionsSeen,
    QuoteSeen,
    QuotesSeen,
)
from qgtm.core.order import Order
from qgtm.core.outcome import Accepted, Rejected
from qgtm.core.reducing import is_flattening
from qgtm.core.universe import SYMBOLS
from qgtm.engine.intent import is_two_sided
from qgtm.features.history import EMPTY, Known
from qgtm.live.beside import Beside, NothingBeside
from qgtm.live.scale import refusals
from qgtm.ports import Broker, BrokerOrder, Clock, Feed
from qgtm.risk.checks import PARAMS as CHECKS

OHLCV: Final = "ohlcv"
URGENT: Final = (Cancel, CancelAll, CloseAll, FetchPositions)
# Process seconds between two asks for the same thing; a new order is sent at once.
PACE_S: Final[dict[type[Any], float]] = {
    AskOrder: 2.0,
    PollOrders: 2.0,
    Cancel: 2.0,
    CancelAll: 2.0,
    CloseAll: 30.0,
    CountCoolOff: 5.0,
    FetchPositions: 2.0,
    FetchBars: 1.0,
    FetchQuotes: 1.0,
    SampleAccount: 2.0,
    CompareClocks: 2.0,
    ValueBook: 10.0,
    FetchEquityHistory: 60.0,
}


@dataclass(frozen=True)
class World:
    """The daemon's hands: whom to ask, and two fences that are looked at right before an order is sent."""

    broker: Broker
    feed: Feed
    clock: Clock
    is_leader: Callable[[], bool]
    cool_off_s: Callable[[], float] | None = None  # what counts a cool-off; process time by default
    checked: Callable[[BarSet], BarSet] = lambda bars: bars  # what puts bars aside that are off their scale
    beside: Beside = field(default_factory=NothingBeside)  # what is known beside the bars
    is_wanted: Callable[[Order], bool] = lambda order: True  # whether the kill switch lets it out now


def is_urgent(effect: object) -> bool:
    """Return whether an effect takes the way of its own that no slow read can block: what ends exposure."""
    return isinstance(effect, URGENT) or (isinstance(effect, Submit) and is_flattening(effect.order))


def key_of(effect: object) -> str:
    """Return what makes two effects the same wish, so that one of a kind is in flight."""
    if isinstance(effect, Submit):
        return f"Submit {effect.order.client_order_id}"
    if isinstance(effect, Cancel):
        return f"Cancel {effect.order.client_order_id}"
    if isinstance(effect, AskOrder):
        return f"AskOrder {effect.client_order_id}"
    return type(effect).__name__


def waits_for(effect: object) -> tuple[str, ...]:
    """Return the keys of what must be done first: an order is not asked about while it is being sent."""
    return (f"Submit {effect.client_order_id}",) if isinstance(effect, AskOrder) else ()


def perform(effect: Effect, world: World) -> Sequence[Event]:
    """Do what `effect` asks and return the facts that came of it; none when no answer came.

    Raises BrokerError when a reading call could not be answered: the engine will ask again.
    """
    return DEEDS[type(effect)](effect, world)


# --- orders -------------------------------------------------------------------------------------


def _submit(effect: Submit, world: World) -> Sequence[Event]:
    order = effect.order
    if not world.is_leader():  # a daemon that was asleep while another took over sends nothing
        return ()
    if not world.is_wanted(order):  # the switch has moved while it waited behind a call that hung
        return ()
    outcome = world.broker.submit(order)
    if isinstance(outcome, Accepted):
        return [OrderAccepted(client_order_id=order.client_order_id, broker_order_id=outcome.broker_order_id)]
    if isinstance(outcome, Rejected):
        return [
            OrderRejected(client_order_id=order.client_order_id, code=outcome.code, reason=outcome.reason)
        ]
    if outcome.is_held_back:
        return ()
    return [OrderUnknown(client_order_id=order.client_order_id, reason=outcome.reason)]


def _cancel(effect: Cancel, world: World) -> Sequence[Event]:
    order = effect.order
    if order.broker_order_id is None or not world.broker.cancel(order.broker_order_id):
        return ()
    return [CancelRequested(client_order_id=order.client_order_id, reason=effect.reason)]


def _cancel_all(effect: CancelAll, world: World) -> Sequence[Event]:
    if not effect.spared:
        world.broker.cancel_all()
        return ()
    for order in world.broker.orders(is_open=True):
        if order.client_order_id not in effect.spared:
            world.broker.cancel(order.broker_order_id)
    return ()


def _close_all(effect: CloseAll, world: World) -> Sequence[Event]:
    if not world.is_leader():
        return ()
    world.broker.close_all()
    return [CloseAllAsked(epoch=effect.kill_epoch, at=world.clock.now())]


def _count_cool_off(effect: CountCoolOff, world: World) -> Sequence[Event]:
    count_s = world.clock.monotonic if world.cool_off_s is None else world.cool_off_s
    return [
        CoolOffCounted(monotonic_s=count_s(), wall_at=world.clock.now(), broker_at=world.broker.clock().now)
    ]


def _ask(effect: AskOrder, world: World) -> Sequence[Event]:
    found = world.broker.order(effect.client_order_id)
    if found is None:
        return [OrderNotFound(client_order_id=effect.client_order_id)]
    return [update_of(found), *strange_words([found])]


def _poll(effect: PollOrders, world: World) -> Sequence[Event]:
    # Two days reach back over any session, whatever the zone; one page holds 500 orders, a day 300.
    orders = world.broker.orders(after=world.clock.now() - timedelta(days=2))
    return [*map(update_of, orders), *strange_words(orders)]


def strange_words(orders: Sequence[BrokerOrder]) -> list[AlertRaised]:
    """Return an alert for each status that is new to us; such an order counts as working."""
    text = "The broker calls order {} {!r:.40}, which we do not know: it counts as working. Look at it there."
    return [
        AlertRaised(
            level="yellow", cause="order status", text=text.format(order.client_order_id, order.status)
        )
        for order in orders
        if order.status not in STATES and order.status not in WORKING
    ]


def update_of(order: BrokerOrder) -> OrderUpdated:
    """Return what the broker says of an order as a fact."""
    return OrderUpdated(
        client_order_id=order.client_order_id,
        broker_order_id=order.broker_order_id,
        state=order.state,
        filled_quantity=order.filled_quantity,
        filled_price=order.filled_price,
        updated_at=order.updated_at,
        quantity=order.quantity,
    )


# --- the account --------------------------------------------------------------------------------


def _sample(effect: SampleAccount, world: World) -> Sequence[Event]:
    return [market_hours(world.broker), account_sample(world.broker, world.clock)]


def market_hours(broker: Broker) -> MarketHoursSeen:
    """Return what the broker's clock says of the market; raise BrokerError."""
    seen = broker.clock()
    return MarketHoursSeen(
        is_open=seen.is_open, next_open_at=seen.next_open_at, next_close_at=seen.next_close_at
    )


def _compare_clocks(effect: CompareClocks, world: World) -> Sequence[Event]:
    before, brokers_at, after = world.clock.now(), world.broker.clock().now, world.clock.now()
    ahead_s = seconds_ahead(min(before, after), max(before, after), brokers_at)
    return [ClocksCompared(turn=effect.turn, ahead_s=round(ahead_s, 1))]


def seconds_ahead(earliest: datetime, latest: datetime, brokers_at: datetime) -> float:
    """Return how far ours is ahead of the broker's moment, which it told between two of ours; 0.0 within.

    However long the answer took, and however fast venue time runs, it lies between the two.
    """
    if brokers_at < earliest:
        return (earliest - brokers_at).total_seconds()
    return min(0.0, (latest - brokers_at).total_seconds())


def account_sample(broker: Broker, clock: Clock) -> AccountSampled:
    """Return what the broker says of the account and its positions' prices; raise BrokerError."""
    account, positions = broker.account(), broker.positions()
    return AccountSampled(
        equity_usd=account.equity_usd,
        cash_usd=account.cash_usd,
        last_equity_usd=account.last_equity_usd,
        marks={position.symbol: position.mark for position in positions},
        is_blocked=account.is_blocked,
        monotonic_s=clock.monotonic(),
    )


def _value(effect: ValueBook, world: World) -> Sequence[Event]:
    """Return fresh prices of all that is held, or why the book cannot be valued by prices alone."""
    try:
        quotes = world.feed.quotes(effect.symbols)
    except FeedError as problem:
        return [BookUnjudged(reason=f"no prices come ({problem})")]
    now = world.clock.now()
    lacking = [symbol for symbol in effect.symbols if not is_fresh(quotes.get(symbol), now)]
    if lacking:
        return [BookUnjudged(reason=f"no fresh prices come for {', '.join(lacking)}")]
    return [
        BookValued(
            mids={symbol: (quote.bid + quote.ask) / 2 for symbol, quote in sorted(quotes.items())},
            lasts={symbol: quote.last for symbol, quote in sorted(quotes.items())},
            monotonic_s=world.clock.monotonic(),
        )
    ]


def is_fresh(quote: QuoteSeen | None, now: datetime) -> bool:
    """Return whether a quote is two-sided and as young as an order would need it."""
    if quote is None or not is_two_sided(quote):
        return False
    return -CHECKS.quote_ahead_s <= (now - quote.at).total_seconds() <= CHECKS.quote_age_s


def _history(effect: FetchEquityHistory, world: World) -> Sequence[Event]:
    found = sorted(world.broker.equity_history(effect.since).items())
    closes = {day.isoformat(): equity for day, equity in found if day <= effect.session}
    return [EquityHistorySeen(session=effect.session, equity_usd=closes)]


def _positions(effect: FetchPositions, world: World) -> Sequence[Event]:
    positions = world.broker.positions()
    return [
        PositionsSeen(
            quantities={position.symbol: position.quantity for position in positions},
            available={position.symbol: position.available for position in positions},
            at=world.clock.now(),
        )
    ]


# --- prices -------------------------------------------------------------------------------------


def _bars(effect: FetchBars, world: World) -> Sequence[Event]:
    start = effect.session if effect.after is None else effect.after + timedelta(days=1)
    try:
        sets = [world.checked(bars) for bars in world.feed.daily(SYMBOLS, start, effect.session)]
    except FeedError as problem:
        return [FeedFailed(feed=OHLCV, reason=str(problem))]
    told = [alert for bars in sets for alert in refusals(bars.session, bars.refused)]
    full = [bars for bars in sets if bars.bars]
    if not full or full[-1].session != effect.session:
        lacking = FeedFailed(feed=OHLCV, reason=f"no daily bars of {effect.session} yet")
        return [*told, *_decided(full, world), lacking]
    return [*told, *_decided(full, world), FeedRecovered(feed=OHLCV)]


def _decided(sets: Sequence[BarSet], world: World) -> list[Event]:
    """Return the sets with what else was known at their closes, and before them how the feeds stand."""
    now = world.clock.now()
    told = list[Event](world.beside.judged(now) if sets else ())
    try:
        rows = world.beside.rows([bars.known_at for bars in sets])
    except FeedError as problem:
        text = f"What is known beside the bars cannot be read ({problem}): the decision is made without it."
        told.append(AlertRaised(level="orange", cause="store", text=text))
        rows = [EMPTY for _ in sets]
    return [*told, *(closed(bars, now, row) for bars, row in zip(sets, rows, strict=True))]


def closed(bars: BarSet, now: datetime, known: Mapping[str, Known] = EMPTY) -> BarsClosed:
    """Return a session's bars as the fact that they are known; raise BarError when stamped after `now`."""
    refuse_future(bars, now)
    rows: Mapping[str, tuple[float, float, float, float, float]] = {
        symbol: (bar.open, bar.high, bar.low, bar.close, bar.volume)
        for symbol, bar in sorted(bars.bars.items())
    }
    return BarsClosed(
        session=bars.session, known_at=bars.known_at, bars=rows, refused=bars.refused, known=known
    )


def _quotes(effect: FetchQuotes, world: World) -> Sequence[Event]:
    now = world.clock.now()
    if not effect.symbols:
        return [QuotesSeen(quotes={}, at=now)]
    try:
        return [QuotesSeen(quotes=world.feed.quotes(effect.symbols), at=now), FeedRecovered(feed="quotes")]
    except FeedError as problem:
        return [FeedFailed(feed="quotes", reason=str(problem))]


DEEDS: Final[dict[type[Any], Callable[[Any, World], Sequence[Event]]]] = {
    Submit: _submit,
    Cancel: _cancel,
    CancelAll: _cancel_all,
    CloseAll: _close_all,
    CountCoolOff: _count_cool_off,
    AskOrder: _ask,
    PollOrders: _poll,
    SampleAccount: _sample,
    CompareClocks: _compare_clocks,
    ValueBook: _value,
    FetchEquityHistory: _history,
    FetchPositions: _positions,
    FetchBars: _bars,
    FetchQuotes: _quotes,
}
