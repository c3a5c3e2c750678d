"""The venue over the wire: clock, calendar and assets."""

from datetime import date, timedelta
from typing import Any

from qgtm.exchange.asset import Asset
from qgtm.exchange.hours import NEW_YORK, Hours
from qgtm.exchange.text import day, local
from qgtm.exchange.wire import Call, Response, error
from qgtm.exchange.wire_account import symbol_of

_FIRST, _LAST = date(1990, 1, 1), date(2029, 12, 31)


def clock(call: Call) -> Response:
    """Answer `GET /v2/clock`."""
    calendar = call.exchange.desk.prices.calendar
    hours = calendar.current(call.now)
    if call.now >= hours.close_at:
        hours = calendar.after(hours)
    is_open = hours.open_at <= call.now < hours.close_at
    opens = calendar.after(hours).open_at if is_open else hours.open_at
    return Response(
        200,
        {
            "timestamp": local(call.now, nanoseconds=True),
            "is_open": is_open,
            "next_open": local(opens),
            "next_close": local(hours.close_at),
        },
    )


def calendar(call: Call) -> Response:
    """Answer `GET /v2/calendar`: naive New York times, 13:00 on half days."""
    query = call.request.query
    start, end = day(query.get("start"), "start") or _FIRST, day(query.get("end"), "end") or _LAST
    found = call.exchange.desk.prices.calendar.between(max(start, _FIRST), min(end, _LAST))
    return Response(200, [_session(hours) for hours in found])


def _session(hours: Hours) -> dict[str, str]:
    return {
        "date": hours.day.isoformat(),
        "open": f"{hours.open_at.astimezone(NEW_YORK):%H:%M}",
        "close": f"{hours.close_at.astimezone(NEW_YORK):%H:%M}",
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": (hours.day + timedelta(days=1)).isoformat(),
    }


def assets(call: Call) -> Response:
    """Answer `GET /v2/assets`."""
    query = call.request.query
    found = [
        _asset(asset)
        for asset in call.exchange.desk.assets.values()
        if query.get("status", "active") in ("", "active", "all")
        and query.get("asset_class", "us_equity") in ("", "us_equity")
        and query.get("exchange", asset.exchange) in ("", asset.exchange)
    ]
    return Response(200, found)


def asset(call: Call) -> Response:
    """Answer `GET /v2/assets/{symbol or id}`."""
    name = symbol_of(call)
    found = call.exchange.desk.assets.get(name)
    if found is None:
        return error(404, 40410000, f"asset not found for {name}")
    return Response(200, _asset(found))


def _asset(asset: Asset) -> dict[str, Any]:
    return {
        "id": asset.id,
        "class": "us_equity",
        "exchange": asset.exchange,
        "symbol": asset.symbol,
        "name": asset.name,
        "status": "active",
        "tradable": asset.is_tradable,
        "marginable": asset.is_marginable,
        "maintenance_margin_requirement": 30,
        "margin_requirement_long": "30",
        "margin_requirement_short": "30",
        "shortable": asset.is_shortable,
        "easy_to_borrow": asset.is_shortable,
        "fractionable": asset.is_fractionable,
        "attributes": [],
    }
