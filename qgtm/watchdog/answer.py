"""What each of the broker's answers means for the way out."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time
from typing import Any, Final

from qgtm.core.ids import FORM
from qgtm.core.instant import NEW_YORK
from qgtm.core.reducing import why_not_reducing
from qgtm.watchdog.deed import (
    Action,
    Alert,
    AskClock,
    AskOrder,
    AskOrders,
    AskPositions,
    Call,
    Cancel,
    CancelAll,
    Close,
    CloseAll,
    Note,
)
from qgtm.watchdog.fact import (
    ClockSeen,
    Done,
    NoAnswer,
    OrderSeen,
    OrdersSeen,
    PositionsSeen,
    Refused,
)
from qgtm.watchdog.setting import Settings
from qgtm.watchdog.way_out import (
    Act,
    Line,
    WayOut,
    back_off_s,
    book,
    cancels,
    closing_order,
    closings,
    counted_clean,
    id_of,
    is_closing,
    line_of,
    rested,
    with_line,
)

LATE_S: Final = 60.0
RUNG_REFUSALS: Final = 3
RUNG_FAILURES: Final = 4
RUNG_S: Final = 60.0
FAILURES: Final = 2  # closing orders in a row without an answer: the rest of the round waits
QUEUE_ET: Final = time(19, 0, 5)  # from 19:00 on an order is queued for the next open
REFUSED_FROM_ET: Final = time(13)  # the earliest close of a session

Told = tuple[WayOut, tuple[Action, ...]]


def taken(out: WayOut, call: Call, answer: Any, asked_s: float, now_s: float, settings: Settings) -> Told:
    """Return the way out after the answer to `call`, which was asked at `asked_s`."""
    if isinstance(answer, NoAnswer | Refused) and not isinstance(call, Close | Cancel | AskOrder):
        return _misread(out, call, answer, now_s, settings)
    if isinstance(answer, NoAnswer):
        after, actions = unanswered(out, _name(call), answer, now_s, settings)
        is_one_of_many = answer.wait_s <= 0 and after.failures < FAILURES
        return _unsure(replace(after, todo=out.todo if is_one_of_many else ()), call, answer), actions
    out, back = _answering(out)
    after, actions = _ON[type(call)](out, call, answer, asked_s, now_s, settings)
    return (after if after.todo or after.is_over else rested(after, now_s, settings)), (*back, *actions)


def why(answer: object) -> str:
    """Return why an answer is none that helps, in words."""
    if isinstance(answer, Refused):
        return f"refused with {answer.status}: {answer.reason}"
    return getattr(answer, "reason", "an answer of another kind")


def unanswered(out: WayOut, what: str, answer: object, now_s: float, settings: Settings) -> Told:
    """Count a call without an answer, log it, and tell both operators at the first one."""
    wait_s = answer.wait_s if isinstance(answer, NoAnswer) else 0.0
    if wait_s > 0:
        note = Note(f"{what}: the broker's call limit is used up; again in {wait_s:.0f} s")
        return replace(out, todo=(), next_s=now_s + wait_s), (note,)
    failures = out.failures + 1
    after = replace(out, failures=failures, todo=(), next_s=now_s + back_off_s(failures, settings))
    note = Note(f"{what}: {why(answer)}; try {failures}, the next in {after.next_s - now_s:.0f} s")
    if out.told_down_s is not None and now_s - out.told_down_s < settings.told_again_s:
        return after, (note,)
    text = (
        f"The broker does not answer the watchdog, which has to act ({out.reason}): {why(answer)}. It tries "
        "until the broker answers. Look at the broker's own page: positions can be closed there."
    )
    alert = Alert(level="red", cause="watchdog's broker", text=text)
    return replace(after, told_down_s=now_s), (note, alert)


def _answering(out: WayOut) -> Told:
    if not out.failures:
        return out, ()
    back = Note(f"the broker answers again, after {out.failures} tries")
    return replace(out, failures=0), (back,)


def _misread(out: WayOut, call: Call, answer: Any, now_s: float, settings: Settings) -> Told:
    """Go on without clock or cancel-all; without the orders or the positions the round ends."""
    is_held_back = isinstance(answer, NoAnswer) and answer.wait_s > 0
    if isinstance(call, AskClock | CancelAll) and out.todo and not is_held_back:
        return out, (Note(f"{_name(call)}: {why(answer)}; going on without"),)
    after, actions = unanswered(out, _name(call), answer, now_s, settings)
    if isinstance(call, CloseAll):
        return replace(after, rung_s=now_s), actions
    if after.failures >= RUNG_FAILURES and _is_rung_free(after, now_s):
        return replace(after, todo=(CloseAll(),)), (*actions, Note("the book cannot be read: close-all"))
    return after, actions


def _unsure(out: WayOut, call: Call, answer: NoAnswer) -> WayOut:
    """Remember that a closing order without an answer may be working: its id is looked up first."""
    if isinstance(call, Close) and answer.wait_s <= 0:
        symbol = call.order.symbol
        out = with_line(out, symbol, replace(line_of(out, symbol), is_sent=True))
    return out


def _name(call: Call) -> str:
    if isinstance(call, Close):
        return f"{call.order.side} {call.order.quantity} {call.order.symbol}"
    return _NAMES[type(call)]


# --- the readings -------------------------------------------------------------------------------


def _clock(out: WayOut, call: Any, answer: Any, asked_s: float, now_s: float, settings: Settings) -> Told:
    if not isinstance(answer, ClockSeen):
        return out, ()
    was_closed = out.clock is not None and not out.clock.is_open
    after = replace(out, clock=answer, clock_s=now_s)
    if not answer.is_open:
        return replace(after, due_s=None), ()
    if not was_closed:
        return after, ()
    note = Note("the market is open: looking whether the exits are there")
    return replace(after, quiet_until_at=None, rounds=1), (note,)


def _orders(out: WayOut, call: Any, answer: Any, asked_s: float, now_s: float, settings: Settings) -> Told:
    if not isinstance(answer, OrdersSeen):
        return out, ()
    after = replace(out, live=tuple(o for o in answer.orders if not o.is_over), read_s=asked_s)
    return _followed(after, now_s, settings) if out.act is Act.HALT else (after, ())


def _positions(out: WayOut, call: Any, answer: Any, asked_s: float, now_s: float, settings: Settings) -> Told:
    if not isinstance(answer, PositionsSeen):
        return out, ()
    held = {one.symbol: one for one in answer.positions if one.quantity}
    return _followed(replace(out, held=held), now_s, settings)


def _followed(out: WayOut, now_s: float, settings: Settings) -> Told:
    """Return what a whole reading leads to: the end, or cancels and closing orders."""
    out = counted_clean(out, now_s, settings)
    if out.is_over:
        at = out.clock.now if out.clock else None
        took = f"{now_s - out.began_s:.0f} s after it began"
        what = "everything is closed" if out.act is Act.FLATTEN else "no order is open; what is held stays"
        text = f"Done, {took}: {what}. The daemon trades again once it is restarted and OpA says so."
        after = replace(out, over_at=at, todo=(), next_s=now_s + settings.after_s)
        return after, (Alert(level="red", cause="dead man", text=text),)
    if out.is_open and out.due_s is None:
        out = replace(out, due_s=now_s)
    out, actions = _planned(replace(out, todo=cancels(out)), now_s)
    out, told = _told(out, now_s, settings)
    return out, (*actions, *told)


def _planned(out: WayOut, now_s: float) -> Told:
    actions: list[Action] = []
    for symbol in closings(out, now_s) if out.act is Act.FLATTEN else ():
        out, more = _closing(out, symbol, now_s)
        actions += more
    stuck = [symbol for symbol in out.held if _is_stuck(out, symbol, now_s)]
    if stuck and out.is_open and _is_rung_free(out, now_s):
        actions.append(Note(f"own orders do not close {', '.join(stuck)}: close-all"))
        out = replace(out, todo=(*out.todo, CloseAll()))
    return out, tuple(actions)


def _is_stuck(out: WayOut, symbol: str, now_s: float) -> bool:
    """Return whether own orders get nowhere: refused, or behind an order that will not be cancelled."""
    if line_of(out, symbol).refusals >= RUNG_REFUSALS:
        return True
    is_late = out.due_s is not None and now_s - out.due_s >= LATE_S
    return is_late and any(order.symbol == symbol and not is_closing(order, out) for order in out.live)


def _is_rung_free(out: WayOut, now_s: float) -> bool:
    is_rested = out.rung_s is None or now_s - out.rung_s >= RUNG_S
    return out.act is Act.FLATTEN and is_rested


def _closing(out: WayOut, symbol: str, now_s: float) -> Told:
    line, own_id = line_of(out, symbol), id_of(out, symbol)
    if line.is_sent:
        return replace(out, todo=(*out.todo, AskOrder(own_id))), ()
    order = closing_order(out, symbol, own_id)
    problem = why_not_reducing(order, book(out))
    if problem is None:
        return with_line(replace(out, todo=(*out.todo, Close(order))), symbol, line), ()
    return _put_off(out, symbol, f"not sent: {problem}", now_s)


def _put_off(out: WayOut, symbol: str, reason: str, now_s: float) -> Told:
    line = line_of(out, symbol)
    refusals = line.refusals + 1
    later = replace(line, refusals=refusals, reason=reason, next_s=now_s + min(2.0**refusals, LATE_S))
    return with_line(out, symbol, later), (Note(f"{symbol}: {reason}"),)


def _told(out: WayOut, now_s: float, settings: Settings) -> Told:
    if out.act is Act.HALT or not out.held:
        return out, ()
    if not out.is_open and not out.is_told_closed and out.clock is not None:
        at = out.clock.next_open_at.astimezone(NEW_YORK)
        text = (
            f"The market is closed; {', '.join(out.held)} can be closed from {at:%Y-%m-%d %H:%M} New York "
            "on. Exits are queued for then, and looked after at the open."
        )
        return replace(out, is_told_closed=True), (Alert(level="red", cause="dead man", text=text),)
    is_late = out.due_s is not None and now_s - out.due_s >= LATE_S
    is_news = out.told_s is None or now_s - out.told_s >= settings.told_again_s
    if not (out.is_open and is_late and is_news):
        return out, ()
    named = "; ".join(
        f"{symbol} {one.quantity} ({_state_of(out, symbol)})" for symbol, one in out.held.items()
    )
    text = f"Still open {now_s - out.began_s:.0f} s after the watchdog began: {named}. It keeps on."
    return replace(out, told_s=now_s), (Alert(level="red", cause="not flat", text=text),)


def _state_of(out: WayOut, symbol: str) -> str:
    if any(order.symbol == symbol for order in out.live):
        return "an order is at work; the symbol may be halted"
    return line_of(out, symbol).reason or "no order is at work"


# --- orders -------------------------------------------------------------------------------------


def _cancelled(out: WayOut, call: Any, answer: Any, asked_s: float, now_s: float, settings: Settings) -> Told:
    return replace(out, is_cancelled=True), (Note("all open orders are being cancelled"),)


def _cancel(out: WayOut, call: Any, answer: Any, asked_s: float, now_s: float, settings: Settings) -> Told:
    return out, (Note(f"order {call.broker_order_id} cancelled: {_said(answer)}"),)


def _close(out: WayOut, call: Any, answer: Any, asked_s: float, now_s: float, settings: Settings) -> Told:
    symbol, line = call.order.symbol, line_of(out, call.order.symbol)
    if isinstance(answer, Done):
        after = with_line(out, symbol, replace(line, is_sent=True, refusals=0, reason=""))
        return after, (Note(f"{call.order.client_order_id}: {_name(call)}"),)
    if answer.is_known_id:  # the daemon's, or our own from before: what became of it?
        after = with_line(out, symbol, replace(line, is_sent=True))
        note = Note(f"{call.order.client_order_id} is at the broker already")
        return replace(after, todo=(AskOrder(call.order.client_order_id), *out.todo)), (note,)
    queue_at = _queue_at(out)
    if queue_at is not None:
        todo = tuple(one for one in out.todo if not isinstance(one, Close))
        note = Note(f"{symbol}: {why(answer)}; again from 19:00 New York on")
        return replace(out, todo=todo, quiet_until_at=queue_at), (note,)
    return _put_off(out, symbol, why(answer), now_s)


def _queue_at(out: WayOut) -> datetime | None:
    """Return 19:00 New York when the market is closed and it is after a close and before that."""
    if out.clock is None or out.clock.is_open:
        return None
    local = out.clock.now.astimezone(NEW_YORK)
    if not REFUSED_FROM_ET <= local.time() < QUEUE_ET:
        return None
    return datetime.combine(local.date(), QUEUE_ET, NEW_YORK)


def _found(out: WayOut, call: Any, answer: Any, asked_s: float, now_s: float, settings: Settings) -> Told:
    match = FORM.fullmatch(call.client_order_id)
    if match is None or id_of(out, match["symbol"]) != call.client_order_id:
        return out, ()
    symbol, line = match["symbol"], line_of(out, match["symbol"])
    out = replace(out, is_hurried=True)
    order = answer.order if isinstance(answer, OrderSeen) else None
    if order is None:  # it may still be on its way: the same id again settles it
        return with_line(out, symbol, replace(line, is_sent=False)), (
            Note(f"{call.client_order_id}: not there"),
        )
    if not order.is_over:
        return out, ()
    after = with_line(
        out, symbol, Line(session=line.session, attempt=line.attempt + 1, refusals=line.refusals)
    )
    note = Note(f"{call.client_order_id} has ended ({order.status}) and {symbol} is still held")
    if order.status != "rejected":
        return after, (note,)
    return _put_off(after, symbol, "the broker rejected the order after taking it", now_s)


def _closed_all(
    out: WayOut, call: Any, answer: Any, asked_s: float, now_s: float, settings: Settings
) -> Told:
    return replace(out, rung_s=now_s), (Note("the broker was asked to close every position itself"),)


def _said(answer: object) -> str:
    return "yes" if isinstance(answer, Done) else why(answer)


_ON: Final[dict[type[Any], Callable[..., Told]]] = {
    AskClock: _clock,
    AskOrders: _orders,
    AskPositions: _positions,
    CancelAll: _cancelled,
    Cancel: _cancel,
    Close: _close,
    AskOrder: _found,
    CloseAll: _closed_all,
}
_NAMES: Final[dict[type[Any], str]] = {
    AskClock: "the clock",
    AskOrders: "the orders",
    AskPositions: "the positions",
    AskOrder: "an order of ours",
    CancelAll: "the cancel of all orders",
    Cancel: "a cancel",
    CloseAll: "close-all",
}
