"""Orders over the wire: `/v2/orders` in all its forms."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from qgtm.exchange.asset import Asset
from qgtm.exchange.change import Replacement
from qgtm.exchange.order import (
    Exits,
    Kind,
    Order,
    OrderRequest,
    PositionIntent,
    Refusal,
    Side,
    TimeInForce,
)
from qgtm.exchange.text import moment, plain, price, stamp, symbols, whole
from qgtm.exchange.wire import Call, Malformed, Response, decimal_from, error, refused

_FLAGS = {"none": False, "": False, "false": False, "true": True}
_KINDS = ("market", "limit", "stop", "stop_limit", "trailing_stop")


def order_json(order: Order, assets: dict[str, Asset], legs: Sequence[Order] = ()) -> dict[str, Any]:
    """Return an order as Alpaca writes it: amounts as strings, absent values as null, exits under `legs`."""
    asset = assets.get(order.symbol)
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": stamp(order.submitted_at),
        "updated_at": stamp(order.updated_at),
        "submitted_at": stamp(order.submitted_at),
        "filled_at": stamp(order.filled_at),
        "expired_at": stamp(order.expired_at),
        "expires_at": stamp(order.expires_at),
        "canceled_at": stamp(order.canceled_at),
        "failed_at": stamp(order.failed_at),
        "replaced_at": stamp(order.replaced_at),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": asset.id if asset else None,
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": plain(order.notional),
        "qty": plain(order.qty),
        "filled_qty": plain(order.filled_qty),
        "filled_avg_price": price(order.filled_avg_price),
        "order_class": order.order_class,
        "order_type": order.kind,
        "type": order.kind,
        "side": order.side,
        "position_intent": order.position_intent,
        "time_in_force": order.time_in_force,
        "limit_price": plain(order.limit_price),
        "stop_price": plain(order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": [order_json(leg, assets) for leg in legs] or None,
        "trail_percent": plain(order.trail_percent),
        "trail_price": plain(order.trail_price),
        "hwm": plain(order.hwm),
        "subtag": None,
        "source": None,
    }


def submit(call: Call) -> Response:
    """Answer `POST /v2/orders`."""
    return _order(call, call.exchange.submit(_request(call.json()), call.now), is_nested=True)


def replace(call: Call) -> Response:
    """Answer `PATCH /v2/orders/{id}`: 200 is the new order, and no proof of the swap."""
    body = call.json()
    for name in ("client_order_id", "time_in_force"):
        if not isinstance(body.get(name), str | None):
            raise Malformed(f"{name} must be a string")
    wanted = Replacement(
        qty=decimal_from(body.get("qty"), "qty"),
        time_in_force=cast(TimeInForce | None, body.get("time_in_force")),
        limit_price=decimal_from(body.get("limit_price"), "limit_price"),
        stop_price=decimal_from(body.get("stop_price"), "stop_price"),
        trail=decimal_from(body.get("trail"), "trail"),
        client_order_id=body.get("client_order_id") or None,
    )
    return _order(call, call.exchange.replace(call.parts[0], wanted, call.now))


def cancel(call: Call) -> Response:
    """Answer `DELETE /v2/orders/{id}`: 204 means asked for."""
    answer = call.exchange.cancel(call.parts[0], call.now)
    return refused(answer) if isinstance(answer, Refusal) else Response(204)


def cancel_all(call: Call) -> Response:
    """Answer `DELETE /v2/orders`: 207, with a status for each order."""
    entries = []
    for order, refusal in call.exchange.cancel_all(call.now):
        body = None if refusal is None else {"code": refusal.code, "message": refusal.message}
        status = 200 if refusal is None else refusal.status
        entries.append({"id": order.id, "status": status, "resource": f"/v2/orders/{order.id}", "body": body})
    return Response(207, entries)


def by_id(call: Call) -> Response:
    """Answer `GET /v2/orders/{id}`."""
    order = call.exchange.order(call.parts[0])
    return _missing(call.parts[0]) if order is None else _order(call, order, is_nested=_is_nested(call))


def by_client_id(call: Call) -> Response:
    """Answer `GET /v2/orders:by_client_order_id`."""
    client_order_id = call.request.query.get("client_order_id", "")
    order = call.exchange.order_by_client_id(client_order_id)
    return _missing(client_order_id) if order is None else _order(call, order)


def listed(call: Call) -> Response:
    """Answer `GET /v2/orders`: open ones unless asked otherwise, newest first, 50 to a page."""
    query = call.request.query
    status = query.get("status", "open")
    if status not in ("open", "closed", "all"):
        raise Malformed(f"invalid status: {status}")
    wanted = _filter(query)
    found = [order for order in call.exchange.orders(cast(Any, status)) if wanted(order)]
    found = _between_ids(call, found)
    if query.get("direction", "desc") != "asc":
        found.reverse()
    limit = whole(query.get("limit"), "limit", 50, 500)
    legs = call.exchange.legs if _is_nested(call) else {}
    inner = {leg.id for order in found for leg in legs.get(order.id, ())}
    rows = [order for order in found if order.id not in inner][:limit]
    return Response(
        200, [order_json(o, call.exchange.desk.assets, _sorted(legs.get(o.id, ()))) for o in rows]
    )


def _is_nested(call: Call) -> bool:
    return call.request.query.get("nested", "").lower() == "true"


def _sorted(legs: Sequence[Order]) -> list[Order]:
    return sorted(legs, key=lambda leg: (leg.stop_price is not None, leg.seq))


def _filter(query: Mapping[str, str]) -> Callable[[Order], bool]:
    after, until = moment(query.get("after"), "after"), moment(query.get("until"), "until")
    names = symbols(query.get("symbols"))
    side, has_class = query.get("side"), query.get("asset_class") in (None, "", "us_equity", "all")
    return lambda order: (
        has_class
        and (after is None or order.submitted_at > after)
        and (until is None or order.submitted_at < until)
        and (not names or order.symbol in names)
        and side in (None, "", order.side)
    )


def _between_ids(call: Call, orders: list[Order]) -> list[Order]:
    """Keep what was taken between two orders, whatever has become of those two since."""
    ends: dict[str, int | None] = {"before_order_id": None, "after_order_id": None}
    for name in ends:
        order_id = call.request.query.get(name)
        order = call.exchange.order(order_id) if order_id else None
        if order_id and order is None:
            raise Malformed(f"invalid {name}: {order_id}")
        ends[name] = None if order is None else order.seq
    before, after = ends["before_order_id"], ends["after_order_id"]
    return [o for o in orders if (before is None or o.seq < before) and (after is None or o.seq > after)]


def _order(call: Call, answer: Order | Refusal, *, is_nested: bool = False) -> Response:
    if isinstance(answer, Refusal):
        return refused(answer)
    legs = _sorted(call.exchange.legs.get(answer.id, ())) if is_nested else ()
    return Response(200, order_json(answer, call.exchange.desk.assets, legs))


def _missing(order_id: str) -> Response:
    return error(404, 40410000, f"order not found for {order_id}")


def _request(body: dict[str, Any]) -> OrderRequest:
    kind = body.get("type", body.get("order_type"))
    for name in ("symbol", "side", "time_in_force"):
        if not isinstance(body.get(name), str):
            raise Malformed(f"{name} is required")
    if kind not in _KINDS:
        raise Malformed(f"invalid order type: {kind}")
    own = body.get("client_order_id")
    if not isinstance(own, str | None):
        raise Malformed("client_order_id must be a string")
    exits = _exits(body)
    is_pair = body.get("order_class") == "oco"  # its limit order is the take-profit itself
    return OrderRequest(
        symbol=body["symbol"].upper(),
        side=cast(Side, body["side"]),
        kind=cast(Kind, kind),
        time_in_force=cast(TimeInForce, body["time_in_force"]),
        qty=decimal_from(body.get("qty"), "qty"),
        notional=decimal_from(body.get("notional"), "notional"),
        limit_price=exits.profit
        if is_pair and body.get("limit_price") is None
        else _number(body, "limit_price"),
        stop_price=_number(body, "stop_price"),
        trail_price=_number(body, "trail_price"),
        trail_percent=_number(body, "trail_percent"),
        extended_hours=_flag(body, "extended_hours"),
        client_order_id=own or None,
        exits=exits,
        position_intent=cast(PositionIntent | None, body.get("position_intent")),
        order_class=body.get("order_class") or "",
    )


def _exits(body: dict[str, Any]) -> Exits:
    if body.get("legs"):
        raise Malformed("legs belong to orders for options, which are not offered here")
    parts = {name: body.get(name) or {} for name in ("take_profit", "stop_loss")}
    for name, part in parts.items():
        if not isinstance(part, dict):
            raise Malformed(f"{name} must be an object with its prices")
    return Exits(
        profit=_number(parts["take_profit"], "limit_price"),
        stop=_number(parts["stop_loss"], "stop_price"),
        stop_limit=_number(parts["stop_loss"], "limit_price"),
    )


def _flag(body: dict[str, Any], name: str) -> bool:
    value = _FLAGS.get(str(body.get(name)).lower())
    if value is None:
        raise Malformed(f"{name} must be true or false")
    return value


def _number(body: dict[str, Any], name: str) -> Decimal | None:
    return decimal_from(body.get(name), name)
