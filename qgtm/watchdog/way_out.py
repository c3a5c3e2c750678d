"""The way out: fence the daemon, cancel everything, close everything, and keep on until it is so.

It goes in rounds. A round reads the open orders and then the positions, and from these two alone it
follows what is sent: one closing order for each position that no order is closing. A round that cannot
be read ends there, and the next one comes later. Nothing here sends; `next_call` says what to ask next.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from qgtm.core.ids import FORM, flatten_id
from qgtm.core.instant import new_york_day
from qgtm.core.order import Order, OrderState, Side
from qgtm.core.reducing import FLATTEN
from qgtm.watchdog.deed import AskAccount, AskClock, AskOrders, AskPositions, Call, Cancel, CancelAll
from qgtm.watchdog.fact import ClockSeen, SeenOrder, SeenPosition
from qgtm.watchdog.setting import Settings

LEASE_TRIES: Final = 3
CLOCK_S: Final = 20.0
CLEAN_READS: Final = 2
HURRY_S: Final = 0.5
CANCELS: Final = 10  # single cancels in one round; more than that are left to the next one
ZERO: Final = Decimal(0)


class Act(StrEnum):
    """What is to be done."""

    HALT = "halt"  # fence the daemon and cancel its orders; what is held stays
    FLATTEN = "flatten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How far one symbol's closing has come in `session`.

    `attempt` is the number in the next order's id. `is_sent`: an order with that id may be at the broker,
    so it is looked up before the next one. `refusals` since the last success, and no try before `next_s`.
    """

    session: date | None = None
    attempt: int = 0
    is_sent: bool = False
    refusals: int = 0
    reason: str = ""
    next_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOut:
    """One halt or flatten, from its reason to its end.

    `epoch` is the lease's, `daemon_epoch` the one that the fenced daemon held, `kill_epoch` the one in the
    orders' ids. `wall_at` is for people; all else is process time. `clock` is the last word of the broker's
    clock, `quiet_until_at` and `over_at` are in its time. `due_s`: since when an open market and a broker
    that answers leave no excuse.
    """

    act: Act
    reason: str
    wall_at: datetime
    began_s: float
    epoch: int | None = None
    kill_epoch: int | None = None
    daemon_epoch: int = 0
    lease_tries: int = 0
    fenced_s: float | None = None
    is_account_wrong: bool = False
    is_cancelled: bool = False
    todo: tuple[Call, ...] = ()
    rounds: int = 0
    is_hurried: bool = False
    next_s: float = 0.0
    failures: int = 0
    told_down_s: float | None = None
    clock: ClockSeen | None = None
    clock_s: float | None = None
    live: tuple[SeenOrder, ...] = ()
    read_s: float | None = None
    held: Mapping[str, SeenPosition] = field(default_factory=dict)
    lines: Mapping[str, Line] = field(default_factory=dict)
    quiet_until_at: datetime | None = None
    rung_s: float | None = None
    clean: int = 0
    clean_s: float = 0.0
    due_s: float | None = None
    told_s: float | None = None
    is_told_closed: bool = False
    is_over: bool = False
    over_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Return whether the market is open; without the broker's word it is tried as if it were."""
        return self.clock is None or self.clock.is_open

    @property
    def session(self) -> date:
        """Return the session in which an order sent now trades."""
        if self.clock is None:
            return new_york_day(self.wall_at)
        return new_york_day(self.clock.now if self.clock.is_open else self.clock.next_open_at)

    @property
    def left(self) -> Mapping[str, Decimal]:
        """Return the signed shares that were still held when last looked at."""
        return {symbol: one.quantity for symbol, one in sorted(self.held.items())}


# --- rounds -------------------------------------------------------------------------------------


def new_round(out: WayOut, now_s: float, *, is_account_known: bool) -> WayOut:
    """Return the way out at the beginning of its next round."""
    calls: list[Call] = []
    if not is_account_known:
        return replace(out, todo=(AskAccount(),), rounds=out.rounds + 1)
    # the moment of the end is told by the broker's clock, so the last reading asks it anew
    if out.clock_s is None or not out.is_open or out.clean or now_s - out.clock_s >= CLOCK_S:
        calls.append(AskClock())
    if not out.is_cancelled:
        calls.append(CancelAll())
    calls.append(AskOrders())
    if out.act is Act.FLATTEN:
        calls.append(AskPositions())
    return replace(out, todo=tuple(calls), rounds=out.rounds + 1)


def rested(out: WayOut, now_s: float, settings: Settings) -> WayOut:
    """Return the way out with its next round set: soon at first, slower as it drags on."""
    wait_s = HURRY_S if out.is_hurried else pace_s(out, now_s, settings)
    return replace(out, todo=(), next_s=now_s + wait_s, is_hurried=False)


def pace_s(out: WayOut, now_s: float, settings: Settings) -> float:
    """Return the seconds to the next round."""
    if not out.is_open:
        return settings.closed_pace_s
    since_s = out.began_s if out.due_s is None else out.due_s
    if now_s - since_s > 60.0:
        return settings.late_pace_s
    return min(0.5 * 2.0 ** min(out.rounds - 1, 8), settings.open_pace_s)


def back_off_s(failures: int, settings: Settings) -> float:
    """Return the seconds to wait after so many calls in a row without an answer; it never ends."""
    return min(2.0 ** min(failures - 1, 8), settings.slowest_s)


# --- what follows from a reading ----------------------------------------------------------------


def is_ours(order: SeenOrder) -> bool:
    """Return whether an order carries one of our ids."""
    return FORM.fullmatch(order.client_order_id) is not None


def is_flatten(order: SeenOrder) -> bool:
    """Return whether an order carries the id of a flatten."""
    match = FORM.fullmatch(order.client_order_id)
    return match is not None and match["purpose"] == FLATTEN


def is_in_the_way(order: SeenOrder, out: WayOut) -> bool:
    """Return whether an order must go: all but a market order that closes what is held.

    Such a one does what is wanted, whoever sent it. To cancel it and send another would be a second order
    for the same shares.
    """
    if order.status == "pending_cancel":
        return False
    return out.act is Act.HALT or not is_closing(order, out)


def is_closing(order: SeenOrder, out: WayOut) -> bool:
    """Return whether a live order closes what is held, as soon as it can."""
    held = out.held.get(order.symbol)
    closes = held is not None and order.side is (Side.SELL if held.quantity > 0 else Side.BUY)
    return closes and order.kind == "market" and order.status != "pending_cancel"


def cancels(out: WayOut) -> tuple[Call, ...]:
    """Return the cancels of what came after everything was cancelled, or outlived it."""
    found = [order for order in out.live if is_in_the_way(order, out)]
    return tuple(Cancel(order.broker_order_id) for order in found[:CANCELS])


def closings(out: WayOut, now_s: float) -> tuple[str, ...]:
    """Return the symbols that are held and that no order is closing, as far as a try is due."""
    busy = {order.symbol for order in out.live}
    return tuple(
        symbol
        for symbol in sorted(out.held)
        if symbol not in busy and not is_quiet(out) and line_of(out, symbol).next_s <= now_s
    )


def is_quiet(out: WayOut) -> bool:
    """Return whether the broker takes no order for the next open yet (a refusal from 16:00 to 19:00)."""
    if out.quiet_until_at is None or out.clock is None or out.clock.is_open:
        return False
    return out.clock.now < out.quiet_until_at


def line_of(out: WayOut, symbol: str) -> Line:
    """Return a symbol's line; a new session counts its attempts anew, as the daemon's ids do."""
    line = out.lines.get(symbol, Line())
    return line if line.session == out.session else Line(session=out.session)


def with_line(out: WayOut, symbol: str, line: Line) -> WayOut:
    """Return the way out with a symbol's line put in."""
    return replace(out, lines={**out.lines, symbol: line})


@dataclass(frozen=True, slots=True)
class Book:
    """What is held and what may still fill, as `core.reducing` wants to see it."""

    positions: Mapping[str, Decimal]
    orders: tuple[Order, ...]


def book(out: WayOut) -> Book:
    """Return the broker's book as it was last read."""
    return Book(out.left, tuple(_live(order, out.wall_at) for order in out.live if order.side is not None))


def _live(order: SeenOrder, at: datetime) -> Order:
    return Order(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side or Side.SELL,
        quantity=order.remaining,
        limit_price=None,
        arrival_price=ZERO,
        formed_at=at,
        state=OrderState.WORKING,
    )


def closing_order(out: WayOut, symbol: str, client_order_id: str) -> Order:
    """Return the market order that closes all of a position that no order holds."""
    held = out.held[symbol]
    return Order(
        client_order_id=client_order_id,
        symbol=symbol,
        side=Side.SELL if held.quantity > 0 else Side.BUY,
        quantity=min(abs(held.quantity), held.available),
        limit_price=None,
        arrival_price=ZERO,
        formed_at=out.wall_at,
        is_reducing=True,
    )


def is_clean(out: WayOut) -> bool:
    """Return whether the last reading shows nothing that is still to be done."""
    return not out.live and (out.act is Act.HALT or not out.held)


def counted_clean(out: WayOut, now_s: float, settings: Settings) -> WayOut:
    """Return the way out after a whole reading: two clean ones, late enough and apart, end it.

    An order that was past the fence when the lease was taken may arrive until `longest_send_s` later.
    """
    if not is_clean(out):
        return replace(out, clean=0)
    read_s, fenced_s = out.read_s or now_s, out.fenced_s or now_s
    is_late = read_s >= fenced_s + settings.longest_send_s
    is_apart = out.clean == 0 or read_s >= out.clean_s + settings.clean_gap_s
    if not (is_late and is_apart):
        return out
    return replace(out, clean=out.clean + 1, clean_s=now_s, is_over=out.clean + 1 >= CLEAN_READS)


def id_of(out: WayOut, symbol: str) -> str:
    """Return the id of the symbol's order at its present attempt; the daemon forms the same."""
    line = line_of(out, symbol)
    return flatten_id(out.kill_epoch or 0, out.session, symbol, line.attempt)
