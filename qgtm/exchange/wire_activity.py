"""Activities over the wire: fills, dividends, splits, deposits and withdrawals, a page at a time."""

from datetime import UTC, datetime
from typing import Any

from qgtm.exchange.event import Activity, Execution
from qgtm.exchange.hours import NEW_YORK
from qgtm.exchange.text import day, moment, number, plain, rfc3339, whole
from qgtm.exchange.wire import Call, Malformed, Response

_KNOWN = """FILL TRANS MISC ACATC ACATS CFEE CIL CSD CSW DIV DIVCGL DIVCGS DIVFEE DIVFT DIVNRA DIVROC DIVTW
DIVTXEX FEE INT INTNRA INTTW JNL JNLC JNLS MA NC OPASN OPCA OPCSH OPEXC OPEXP OPTRD PTC PTR REORG SC SPIN
SPLIT SSO SSP"""
KNOWN = frozenset(_KNOWN.split())
_Row = tuple[datetime, str, dict[str, Any]]


def activities(call: Call) -> Response:
    """Answer `GET /v2/account/activities[/{type}]`: newest first, 100 to a page.

    Rows of one millisecond come in the order of their ids, which is not that of their making.
    """
    query = call.request.query
    named = call.parts[0] if call.parts else query.get("activity_types", "")
    kinds = [kind for kind in named.split(",") if kind]
    category = query.get("category") or ""
    if category not in ("", "trade_activity", "non_trade_activity"):
        raise Malformed(f"invalid category: {category}")
    if category and kinds:
        raise Malformed("category and activity_types exclude each other")
    for kind in kinds:
        if kind not in KNOWN:
            raise Malformed(f"invalid activity type: {kind}")
    rows = sorted(_rows(call, kinds, category), key=_key)
    if query.get("direction", "desc") != "asc":
        rows.reverse()
    size = whole(query.get("page_size"), "page_size", 100, 100)
    return Response(200, [row for _, _, row in _after_token(rows, query.get("page_token"))[:size]])


def _rows(call: Call, kinds: list[str], category: str) -> list[_Row]:
    query = call.request.query
    after = moment(query.get("after"), "after")
    until = moment(query.get("until"), "until")
    on = day(query.get("date"), "date")
    rows: list[_Row] = []
    if category != "non_trade_activity" and (not kinds or "FILL" in kinds):
        rows += [(e.executed_at, *_fill(e)) for e in call.exchange.executions()]
    if category != "trade_activity":
        rows += [(a.at, *_other(a)) for a in call.exchange.activities() if not kinds or a.kind in kinds]
    return [
        row
        for row in rows
        if (after is None or row[0] > after)
        and (until is None or row[0] < until)
        and (on is None or row[0].astimezone(NEW_YORK).date() == on)
    ]


def _after_token(rows: list[_Row], token: str | None) -> list[_Row]:
    if not token:
        return rows
    places = [place for place, (_, row_id, _) in enumerate(rows) if row_id == token]
    return rows[places[0] + 1 :] if places else []


def _key(row: _Row) -> tuple[datetime, str]:
    return row[0].replace(microsecond=row[0].microsecond // 1000 * 1000), row[1].partition("::")[2]


def activity_id(at: datetime, unique: str) -> str:
    """Return `YYYYMMDDhhmmssmmm::uuid`, the time in New York."""
    local = at.astimezone(UTC).astimezone(NEW_YORK)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}::{unique}"


def _fill(execution: Execution) -> tuple[str, dict[str, Any]]:
    row_id = activity_id(execution.executed_at, execution.id)
    is_done = execution.leaves_qty == 0
    return row_id, {
        "id": row_id,
        "activity_type": "FILL",
        "transaction_time": rfc3339(execution.executed_at),
        "type": "fill" if is_done else "partial_fill",
        "price": number(execution.price),
        "qty": number(execution.qty),
        "side": execution.side,
        "symbol": execution.symbol,
        "leaves_qty": number(execution.leaves_qty),
        "order_id": execution.order_id,
        "cum_qty": number(execution.cum_qty),
        "order_status": "filled" if is_done else "partially_filled",
    }


def _other(activity: Activity) -> tuple[str, dict[str, Any]]:
    row_id = activity_id(activity.at, activity.id)
    row = {
        "id": row_id,
        "activity_type": activity.kind,
        "date": activity.day.isoformat(),
        "net_amount": number(activity.net_amount),
        "description": "",
        "status": "executed",
        "symbol": activity.symbol,
        "qty": plain(activity.qty),
        "per_share_amount": plain(activity.per_share_amount),
    }
    return row_id, {name: value for name, value in row.items() if value is not None}
