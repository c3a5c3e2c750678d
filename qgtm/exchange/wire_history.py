"""Portfolio history over the wire: equity and profit at regular points in time."""

import math
from bisect import bisect_right
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from qgtm.exchange.hours import NEW_YORK, Hours
from qgtm.exchange.text import moment
from qgtm.exchange.wire import Call, Malformed, Response, error

_STEP: Final = {
    "1Min": timedelta(minutes=1),
    "5Min": timedelta(minutes=5),
    "15Min": timedelta(minutes=15),
    "1H": timedelta(hours=1),
}
_UNIT_DAYS: Final = {"D": 1, "W": 7, "M": 30, "A": 365}
_MOST_POINTS: Final = 10_000


def portfolio_history(call: Call) -> Response:
    """Answer `GET /v2/account/portfolio/history`; profit counts from the base value at the start."""
    query = call.request.query
    given = [name for name in ("start", "end", "period") if query.get(name)]
    if len(given) == 3:
        return error(422, 42210000, "only two of start, end and period can be specified at the same time")
    start, end = _span(call, query.get("period") or ("" if "start" in given else "1M"))
    timeframe = query.get("timeframe") or _default_timeframe(end - start)
    points = _points(call, start, end, timeframe, _reporting(call))
    if len(points) > _MOST_POINTS:
        return error(422, 42210000, f"too many points: ask for a shorter period than {start:%F} to {end:%F}")
    views = call.exchange.views
    opened_at = call.exchange.desk.ledger.opened_at
    base = views.equity_at(max(start, opened_at))
    equities = [views.equity_at(at) for _, at in points]
    bases = _bases(call, [label for label, _ in points], base, timeframe)
    gains = [equity - own for equity, own in zip(equities, bases, strict=True)]
    return Response(
        200,
        {
            "timestamp": [int(label.timestamp()) for label, _ in points],
            "equity": [_float(equity) for equity in equities],
            "profit_loss": [_float(gain) for gain in gains],
            "profit_loss_pct": [
                float(round(gain / own, 10)) if own else None for gain, own in zip(gains, bases, strict=True)
            ],
            "base_value": _float(base),
            "base_value_asof": f"{start.astimezone(NEW_YORK):%Y-%m-%d}",
            "timeframe": timeframe,
            "cashflow": _cashflow(call, [at for _, at in points]),
        },
    )


def _span(call: Call, period: str) -> tuple[datetime, datetime]:
    query = call.request.query
    end = moment(query.get("end") or query.get("date_end"), "end", end_of_day=True)
    start = moment(query.get("start"), "start")
    length = _length(period) if period else None
    if start is not None and end is None and length is not None:
        end = start + length
    end = min(end or call.now, call.now)
    if start is None:
        start = end - (length or timedelta(days=30))
    if start > end:
        raise Malformed("start must be before end")
    return start, end


def _length(period: str) -> timedelta:
    count, unit = period[:-1], period[-1:]
    if not count.isdecimal() or unit not in _UNIT_DAYS or not 1 <= int(count) <= 999:
        raise Malformed(f"invalid period: {period}")
    return timedelta(days=int(count) * _UNIT_DAYS[unit])


def _default_timeframe(span: timedelta) -> str:
    if span < timedelta(days=7):
        return "1Min"
    return "15Min" if span < timedelta(days=30) else "1D"


def _reporting(call: Call) -> str:
    query = call.request.query
    reporting = query.get("intraday_reporting") or (
        "extended_hours" if query.get("extended_hours", "").lower() == "true" else "market_hours"
    )
    if reporting not in ("market_hours", "extended_hours", "continuous"):
        raise Malformed(f"invalid intraday_reporting: {reporting}")
    return reporting


def _bases(call: Call, labels: list[datetime], base: Decimal, timeframe: str) -> list[Decimal]:
    """Return what the profit of each point counts from: of an intraday one the close before its day."""
    reset = call.request.query.get("pnl_reset") or "per_day"
    if reset not in ("per_day", "no_reset"):
        raise Malformed(f"invalid pnl_reset: {reset}")
    if timeframe == "1D" or reset == "no_reset":
        return [base] * len(labels)
    views, calendar = call.exchange.views, call.exchange.desk.prices.calendar
    found: dict[date, Decimal] = {}
    for label in labels:
        day = label.astimezone(NEW_YORK).date()
        if day not in found:
            before = calendar.before(day)
            opened_at = call.exchange.desk.ledger.opened_at
            is_first = before is None or before.close_at < opened_at
            found[day] = views.equity_at(opened_at if is_first or before is None else before.close_at)
    return [found[label.astimezone(NEW_YORK).date()] for label in labels]


def _points(
    call: Call, start: datetime, end: datetime, timeframe: str, reporting: str
) -> list[tuple[datetime, datetime]]:
    """Return (label, moment of the equity) for each point; a window is labelled by its begin."""
    if timeframe != "1D" and timeframe not in _STEP:
        raise Malformed(f"invalid timeframe: {timeframe}")
    calendar = call.exchange.desk.prices.calendar
    first = max(start, call.exchange.desk.ledger.opened_at).astimezone(NEW_YORK).date()
    sessions = calendar.between(first, end.astimezone(NEW_YORK).date())
    if timeframe == "1D":
        return [(h.open_at, min(h.close_at, end)) for h in sessions if h.open_at <= end]
    step = _STEP[timeframe]
    if reporting == "continuous":
        begin = max(start, call.exchange.desk.ledger.opened_at)
        return _within(begin.replace(minute=0, second=0, microsecond=0), end, step, begin, end)
    spans = [_span_of(hours, reporting) for hours in sessions]
    return [point for first, last in spans for point in _within(first, last, step, max(start, first), end)]


def _span_of(hours: Hours, reporting: str) -> tuple[datetime, datetime]:
    if reporting == "extended_hours":
        return hours.pre_at, hours.after_end_at
    return hours.open_at, hours.close_at


def _within(
    first: datetime, last: datetime, step: timedelta, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    count = min(max(math.ceil((min(last, end) - first) / step) + 1, 0), _MOST_POINTS + 1)
    labels = [label for n in range(count) if (label := first + n * step) < last and label <= end]
    return [(label, min(label + step, last, end)) for label in labels if label >= start]


def _cashflow(call: Call, moments: list[datetime]) -> dict[str, list[float]]:
    asked = (call.request.query.get("cashflow_types") or "NONE").split(",")
    flows: dict[str, list[float]] = {}
    for activity in call.exchange.activities():
        if moments and activity.net_amount and ("ALL" in asked or activity.kind in asked):
            place = min(bisect_right(moments, activity.at), len(moments) - 1)
            row = flows.setdefault(activity.kind, [0.0] * len(moments))
            row[place] += float(activity.net_amount)
    return flows


def _float(value: Decimal) -> float:
    return float(round(value, 2))
