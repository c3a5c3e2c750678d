"""Orders that belong together: an entry with its exits (bracket, oto), or two exits of which one fills (oco).

The exits of an entry wait as `held` until the whole of it is filled. Of two exits at work the one that
fills ends the other, and one that fills in part leaves the other what is still open. The end of any of them
is the end of all: an entry that is cancelled half filled has no exits.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from qgtm.exchange.desk import Desk
from qgtm.exchange.lifecycle import emit, end, move
from qgtm.exchange.order import TERMINAL, ZERO, Exits, Kind, Order, OrderRequest, PositionIntent, Side

COMPLEX: Final = ("bracket", "oco", "oto")
_CENT = Decimal("0.01")


def form_problem(request: OrderRequest) -> str | None:
    """Return what is wrong with the form of a complex order, None when nothing is."""
    name, exits = request.order_class, request.exits
    if name in ("", "simple"):
        return (
            None if exits == Exits() else "take_profit and stop_loss need the order_class bracket, oco or oto"
        )
    if name not in COMPLEX:
        return f"order_class {name} is not offered here; it is simple, bracket, oco or oto"
    count = (exits.profit is not None) + (exits.stop is not None)
    if count != (1 if name == "oto" else 2):
        word = "either" if name == "oto" else "both"
        return f"{name} orders require {word} of take_profit.limit_price and stop_loss.stop_price"
    if request.kind not in (("limit",) if name == "oco" else ("market", "limit")):
        return f"{name} orders must be {'limit' if name == 'oco' else 'market or limit'} orders"
    if request.time_in_force not in ("day", "gtc") or request.extended_hours:
        return f"{name} orders must be DAY or GTC orders in regular hours"
    if request.qty is None or request.qty != request.qty.to_integral_value():
        return "fractional orders must be simple orders"
    return None


def price_problem(request: OrderRequest, intent: PositionIntent, last: Decimal) -> str | None:
    """Return why the exits do not lie on either side of the base price: the entry's limit, else the last."""
    name, exits = request.order_class, request.exits
    if name not in COMPLEX:
        return None
    if (name == "oco") is intent.endswith("_to_open"):
        return f"{name} orders must be {'exit' if name == 'oco' else 'entry'} orders"
    is_long = (request.side == "buy") is (name != "oco")
    sign, more, less = (1, ">", "<") if is_long else (-1, "<", ">")
    base = last if name == "oco" or request.limit_price is None else request.limit_price
    profit, stop = exits.profit, exits.stop
    if profit is not None and stop is not None and sign * (profit - stop) <= 0:
        return f"take_profit.limit_price must be {more} stop_loss.stop_price"
    if profit is not None and name != "oco" and sign * (profit - base) < _CENT:
        return f"take_profit.limit_price must be {more}= base_price {base} by 0.01"
    if stop is not None and sign * (base - stop) < _CENT:
        return f"stop_loss.stop_price must be {less}= base_price {base} by 0.01"
    return None


def exits_of(parent: Order, exits: Exits, number: Callable[[int], tuple[str, str]]) -> list[Order]:
    """Return the exits that come with an order; `number` gives the ids of a seq.

    The stop comes first, so that a minute in which both could fill counts as the loss.
    """
    kinds: list[tuple[Kind, Decimal | None, Decimal | None]] = []
    if exits.stop is not None:
        kinds.append(("stop" if exits.stop_limit is None else "stop_limit", exits.stop, exits.stop_limit))
    if exits.profit is not None and parent.order_class != "oco":
        kinds.append(("limit", None, exits.profit))
    return [_exit(parent, n, number, *kind) for n, kind in enumerate(kinds, start=parent.seq + 1)]


def _exit(
    parent: Order,
    seq: int,
    number: Callable[[int], tuple[str, str]],
    kind: Kind,
    stop: Decimal | None,
    limit: Decimal | None,
) -> Order:
    side: Side = "sell" if (parent.side == "buy") is (parent.order_class != "oco") else "buy"
    own_id, client_order_id = number(seq)
    made = replace(
        parent,
        seq=seq,
        id=own_id,
        client_order_id=client_order_id,
        side=side,
        kind=kind,
        stop_price=stop,
        limit_price=limit,
        position_intent="sell_to_close" if side == "sell" else "buy_to_close",
        held_usd=ZERO,
        parent_id=parent.id,
    )
    if parent.order_class != "oco":
        made.status, made.look_at = "held", None
    return made


def follow(desk: Desk, order: Order, at: datetime) -> list[Order]:
    """Let what became of an order reach those that belong to it; return the exits that begin to work."""
    if order.order_class not in COMPLEX:
        return []
    if order.status == "replaced":
        _hand_on(desk, order)
        return []
    if order.parent_id is None and order.order_class != "oco":
        return _entered(desk, order, at)
    _share(desk, order, at)
    return []


def _hand_on(desk: Desk, old: Order) -> None:
    new = desk.book.by_id[old.replaced_by or ""]
    for leg in desk.book.legs.pop(old.id, []):
        leg.parent_id = new.id
        desk.book.legs.setdefault(new.id, []).append(leg)
        desk.book.touch(leg)


def _entered(desk: Desk, entry: Order, at: datetime) -> list[Order]:
    waiting = [leg for leg in desk.book.legs.get(entry.id, []) if leg.is_live]
    if entry.status == "filled":
        begun = [leg for leg in waiting if leg.status == "held"]
        for leg in begun:
            leg.qty, leg.working_since, leg.look_at = _filled_in_all(desk, entry), at, at
            move(desk, leg, "new", at)
            emit(desk, "new", leg, at)
        return begun
    if entry.status in TERMINAL:
        _end_all(desk, waiting, entry, at)
    return []


def _filled_in_all(desk: Desk, order: Order) -> Decimal:
    """Return what an order and those that it replaced have filled."""
    before = desk.book.by_id.get(order.replaces or "")
    return order.filled_qty + (ZERO if before is None else _filled_in_all(desk, before))


def _share(desk: Desk, order: Order, at: datetime) -> None:
    """Leave the other exit what is still open, or end it."""
    parent = desk.book.by_id[order.parent_id or order.id]
    group = [parent, *desk.book.legs.get(parent.id, [])]
    mates = [mate for mate in group if mate.is_live and mate is not order]
    if not order.is_live:
        _end_all(desk, [mate for mate in mates if not mate.is_replacement_waiting], order, at)
        return
    for mate in (mate for mate in mates if mate.side == order.side):
        done = desk.book.by_id[mate.replaces or ""] if mate.is_replacement_waiting else mate
        if (
            mate.qty is not None
            and mate.qty - done.filled_qty > order.remaining
            and mate.replaces != order.id
        ):
            mate.qty = done.filled_qty + order.remaining
            desk.book.touch(mate)


def _end_all(desk: Desk, orders: list[Order], cause: Order, at: datetime) -> None:
    for order in orders:
        end(desk, order, "expired" if cause.status == "expired" else "canceled", at)
