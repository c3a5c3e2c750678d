# A print of notebooks/engine/flatten.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Flatten.

From a halt to the broker's word that nothing is left: cancel, close, look again, and tell what stays.
"""

# cell 5 of notebooks/engine/flatten.ipynb
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from qgtm.core.effects import CancelAll, CloseAll, CountCoolOff, Effect, FetchPositions
from qgtm.core.events import FlatConfirmed, FlattenDelayed, OrderDenied, PositionsSeen
from qgtm.core.ids import FORM, epoch_of, flatten_id
from qgtm.core.instant import NEW_YORK, new_york_day
from qgtm.core.mode import Mode
from qgtm.core.order import Order, Side
from qgtm.core.outcome import Denied
from qgtm.core.reducing import is_flattening
from qgtm.engine.intent import owned
from qgtm.engine.state import NO_MONEY, State
from qgtm.risk.case import Circumstances
from qgtm.risk.checks import judge
from qgtm.risk.exposure import Book
from qgtm.risk.kill_switch import must_flatten
from qgtm.risk.limits import Limits


# cell 6 of notebooks/engine/flatten.ipynb
@dataclass(frozen=True)
class Params:
    """The knobs of this module, in venue seconds."""

    look_s: int
    look_busy_s: int
    look_closed_s: int
    slowest_s: int
    tell_s: int
    tell_again_s: int
    rung_tries: int
    rung_s: int
    count_s: int
    settle_s: int


PARAMS = Params(
    look_s=2,  # venue seconds between two looks at what is left [1, 10]
    look_busy_s=10,  # the same while an order is at work in every symbol that is left [2, 60]
    look_closed_s=600,  # the same with the market closed [60, 3600]
    slowest_s=30,  # venue seconds between two tries to close a symbol in a session, at most [5, 60]
    tell_s=55,  # venue seconds until it is told that not all is flat: within the minute [30, 60]
    tell_again_s=300,  # the same until it is told again [60, 900]
    rung_tries=5,  # tries to close a symbol, after which the broker is asked to close everything [3, 20]
    rung_s=300,  # venue seconds in open market before that last rung, and between two of them [120, 3600]
    count_s=60,  # venue seconds between two counts of the cool-off [10, 600]
    settle_s=15,  # venue seconds of the broker's holding nothing, while our own count has shares [10, 55]
)


# cell 8 of notebooks/engine/flatten.ipynb
def is_trading(state: State, now: datetime) -> bool:
    """Return whether the market is open, by the calendar and by the broker's clock."""
    return state.is_open and not state.is_closed_by_broker(now)


def what_is_left(state: State) -> Mapping[str, Decimal]:
    """Return the signed shares still held: the broker's count once it was heard since the halt began."""
    return state.held if state.positions_at is None else state.held_there


def tries(state: State, symbol: str) -> tuple[Order, ...]:
    """Return the orders with which the present halt has tried to close `symbol`, in their order."""
    epoch = state.switch.kill_epoch
    return tuple(
        order
        for order in state.orders.values()
        if order.symbol == symbol and is_flattening(order) and epoch_of(order.client_order_id) == epoch
    )


def flatten_session(state: State, now: datetime) -> date | None:
    """Return the session in which a closing order that is sent now trades, None when it is not known."""
    if is_trading(state, now):
        return state.session
    return None if state.market is None else new_york_day(state.market.next_open_at)


# cell 10 of notebooks/engine/flatten.ipynb
def flatten_care(state: State, now: datetime) -> list[Effect]:
    """Return what a halt asks for now: the cool-off's count alone once the broker has called it flat."""
    if state.is_flat_confirmed:
        return [CountCoolOff()] if is_count_due(state, now) else []
    wanted: list[Effect] = []
    if any(not is_flattening(order) for order in state.live_orders):
        wanted.append(CancelAll(spared(state)))
    if is_rung_due(state, now):
        wanted.append(CloseAll(state.switch.kill_epoch))
    if _is_look_due(state, now):
        wanted.append(FetchPositions())
    return [*wanted, CountCoolOff()] if is_count_due(state, now) else wanted


def spared(state: State) -> tuple[str, ...]:
    """Return the ids of the flatten's own live orders, which no cancel may take."""
    return tuple(order.client_order_id for order in state.live_orders if is_flattening(order))


def _is_look_due(state: State, now: datetime) -> bool:
    if state.positions_at is None:
        return True
    busy = {order.symbol for order in state.live_orders}
    rest_s = PARAMS.look_busy_s if busy and busy >= set(what_is_left(state)) else PARAMS.look_s
    rest_s = rest_s if is_trading(state, now) else PARAMS.look_closed_s
    return abs(now - state.positions_at) >= timedelta(seconds=rest_s)


def is_rung_due(state: State, now: datetime) -> bool:
    """Return whether the broker is to close everything itself: our own tries have come to nothing."""
    began = _could_begin_at(state, now)
    last = began if state.closed_all_at is None else max(state.closed_all_at, began or state.closed_all_at)
    if last is None or now - last < timedelta(seconds=PARAMS.rung_s):
        return False
    return any(_is_tried_in_vain(state, symbol) for symbol in what_is_left(state))


def _is_tried_in_vain(state: State, symbol: str) -> bool:
    tried = tries(state, symbol)
    return len(tried) >= PARAMS.rung_tries and not any(order.is_live for order in tried)


def _could_begin_at(state: State, now: datetime) -> datetime | None:
    """Return since when the market has been open during this halt, None while it is closed."""
    since, open_at = state.switch.since, state.open_at
    return max(since, open_at) if is_trading(state, now) and since and open_at else None


def is_count_due(state: State, now: datetime) -> bool:
    """Return whether the clocks are to be read for the cool-off of a hard halt."""
    cool_off = state.cool_off
    if state.switch.mode is not Mode.HALTED_HARD or cool_off is None or cool_off.left_s == 0.0:
        return False
    counted_at = cool_off.began_at + timedelta(seconds=cool_off.wall_s)
    return cool_off.counted_at_s is None or abs(now - counted_at) >= timedelta(seconds=PARAMS.count_s)


# cell 12 of notebooks/engine/flatten.ipynb
def delays(state: State, now: datetime) -> list[FlattenDelayed]:
    """Return the word that something is left, when it is due: within the minute, and then again."""
    left = what_is_left(state)
    if not must_flatten(state.switch) or state.is_flat_confirmed or not (left or state.live_orders):
        return []
    began, told = _could_begin_at(state, now), state.told_flat_at
    if began is None:
        opens_at = None if state.market is None else state.market.next_open_at
        is_due = bool(left) and told is None
        return [FlattenDelayed(epoch=state.switch.kill_epoch, left=left, at=now, opens_at=opens_at)] * is_due
    due = began + timedelta(seconds=PARAMS.tell_s)
    is_fresh = told is None or told < due or now - told >= timedelta(seconds=PARAMS.tell_again_s)
    is_due = now >= due and is_fresh
    return [FlattenDelayed(epoch=state.switch.kill_epoch, left=left, at=now)] * is_due


# cell 14 of notebooks/engine/flatten.ipynb
@dataclass(frozen=True)
class Look:
    """What one look at the positions leads to: orders that close, refusals, or the end."""

    orders: tuple[Order, ...] = ()
    denied: tuple[OrderDenied, ...] = ()
    flat: FlatConfirmed | None = None
    is_in_the_way: bool = False  # somebody else's order holds shares that are to be closed


def looked(state: State, seen: PositionsSeen, now: datetime, limits: Limits) -> Look:
    """Return what is to be done about the broker's positions, which `state` has heard. Sends nothing."""
    if not must_flatten(state.switch) or state.is_flat_confirmed:
        return Look()
    if not state.held_there and not state.live_orders and _is_believed(state, now):
        since = state.switch.since or now
        took_s = max(0.0, (now - since).total_seconds())
        return Look(flat=FlatConfirmed(epoch=state.switch.kill_epoch, took_s=took_s))
    session = flatten_session(state, now)
    if session is None or (not is_trading(state, now) and 16 <= now.astimezone(NEW_YORK).hour < 19):
        return Look()  # after the close the broker takes no order before 19:00
    return _closed_by(state, seen, now, session, limits)


def _is_believed(state: State, now: datetime) -> bool:
    # A read may be older than our last fill: while we count shares, an empty one must last.
    since = state.nothing_since
    return not state.held or (since is not None and abs(now - since) >= timedelta(seconds=PARAMS.settle_s))


def _closed_by(state: State, seen: PositionsSeen, now: datetime, session: date, limits: Limits) -> Look:
    orders, denied, is_in_the_way = list[Order](), list[OrderDenied](), False
    busy = {order.symbol for order in state.live_orders}
    book = _there(state)
    for symbol, quantity in sorted(state.held_there.items()):
        if symbol in busy:
            continue
        free = min(abs(seen.available.get(symbol, NO_MONEY)), abs(quantity))
        is_in_the_way = is_in_the_way or free < abs(quantity)
        if free > 0 and _is_due(state, symbol, now):
            order = _closing(state, symbol, -free if quantity > 0 else free, now, session)
            verdict = judge(order, book, _around(state, now), limits)
            if isinstance(verdict, Denied):
                denied.append(_denied(order, session, verdict))
            else:
                orders.append(order)
    return Look(tuple(orders), tuple(denied), None, is_in_the_way)


def _is_due(state: State, symbol: str, now: datetime) -> bool:
    """Return whether the next try may go: at once at first, slower as it drags on, but never for long."""
    tried = tries(state, symbol)
    if len(tried) < 2 or tried[-1].filled_quantity:
        return True
    rest_s = min(5 * 2 ** min(len(tried) - 2, 8), PARAMS.slowest_s)
    rest_s = rest_s if is_trading(state, now) else PARAMS.look_closed_s
    return abs(now - tried[-1].formed_at) >= timedelta(seconds=rest_s)


def _closing(state: State, symbol: str, signed: Decimal, now: datetime, session: date) -> Order:
    is_held = state.quantity(symbol) != 0
    parts = {n: -m[symbol] for n, m in state.shares.items() if m.get(symbol)} if is_held else {}
    return Order(
        client_order_id=flatten_id(
            state.switch.kill_epoch, session, symbol, _attempt(state, symbol, session)
        ),
        symbol=symbol,
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=abs(signed),
        limit_price=None,
        arrival_price=state.marks.get(symbol, NO_MONEY),
        formed_at=now,
        is_reducing=True,
        shares=owned(parts, signed),
    )


def _attempt(state: State, symbol: str, session: date) -> int:
    found = [FORM.fullmatch(order.client_order_id) for order in tries(state, symbol)]
    numbers = [int(match["number"]) for match in found if match and match["session"] == f"{session:%Y%m%d}"]
    return max(numbers, default=-1) + 1


def _there(state: State) -> Book:
    return Book(
        equity_usd=state.equity_usd or NO_MONEY,
        positions=state.held_there,
        orders=state.live_orders,
        marks=state.marks,
    )


def _around(state: State, now: datetime) -> Circumstances:
    """Return what an order that can only reduce is judged with: nothing but the switch is asked."""
    return Circumstances(
        now=now,
        session=None,
        open_at=None,
        close_at=None,
        quote=None,
        average_volume_shares=None,
        orders_last_minute=0,
        orders_today=0,
        same_last_minute=0,
        turnover_today_usd=NO_MONEY,
        day_loss_frac=None,
        week_loss_frac=None,
        value_at_risk_after_frac=None,
        factor_shares=None,
        factor_shares_after=None,
        switch=state.switch,
    )


def _denied(order: Order, session: date, verdict: Denied) -> OrderDenied:
    return OrderDenied(
        session=session,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        check=verdict.check,
        reason=verdict.reason,
    )


__all__ = [
    "PARAMS",
    "Look",
    "Params",
    "delays",
    "flatten_care",
    "flatten_session",
    "is_count_due",
    "is_rung_due",
    "is_trading",
    "looked",
    "spared",
    "tries",
    "what_is_left",
]
