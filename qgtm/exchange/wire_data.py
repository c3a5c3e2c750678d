"""Market data over the wire: bars by the page, latest quotes and trades, snapshots, corporate actions."""

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, cast

from qgtm.exchange.bar_query import BarQuery, Timeframe, Unit, bars_of
from qgtm.exchange.draw import id_in
from qgtm.exchange.hours import NEW_YORK, Hours
from qgtm.exchange.market.port import CorporateAction, MarketBar, Quote
from qgtm.exchange.market.venue import quoted_at
from qgtm.exchange.text import day, moment, rfc3339, seconds, symbols, whole
from qgtm.exchange.wire import Call, Malformed, Response

_TIMEFRAME = re.compile(r"(\d{1,3})(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_UNITS = {"T": "Min", "H": "Hour", "D": "Day", "W": "Week", "M": "Month"}
_MOST = {"Min": 59, "Hour": 23, "Day": 1, "Week": 1, "Month": 12}
_WORDS = {
    "adjustment": ("raw", "split", "dividend", "all"),
    "sort": ("asc", "desc"),
    "feed": ("iex", "sip", "otc", "boats", "overnight", "delayed_sip"),
    "currency": ("USD",),
}
_RECENT = timedelta(minutes=15)
_MINUTE = timedelta(minutes=1)
_SESSIONS_BACK = 6


def bars(call: Call) -> Response:
    """Answer `GET /v2/stocks/bars` and `/v2/stocks/{symbol}/bars`."""
    query = call.request.query
    names = call.parts or symbols(query.get("symbols"))
    if not names:
        raise Malformed("symbols is required")
    span = _span(call)
    if span is None:
        return Response(403, {"message": "subscription does not permit querying recent SIP data"})
    limit = whole(query.get("limit"), "limit", 1000, 10_000)
    page, token = _page(call, sorted(set(names)), span, limit)
    if call.parts:
        return Response(200, {"bars": page.get(names[0], []), "symbol": names[0], "next_page_token": token})
    return Response(200, {"bars": page, "next_page_token": token})


def _page(
    call: Call, names: list[str], span: BarQuery, limit: int
) -> tuple[dict[str, list[dict[str, Any]]], str | None]:
    """Return at most `limit` bars, symbol after symbol, and the token of the last when there are more."""
    first, since = _from_token(call.request.query.get("page_token"))
    is_down = call.request.query.get("sort", "asc") == "desc"
    page: dict[str, list[dict[str, Any]]] = {}
    last = ("", datetime.min.replace(tzinfo=UTC))
    count = 0
    for name in names:
        if name < first or not call.exchange.desk.prices.knows(name):
            continue
        found = bars_of(call.exchange.desk.prices, name, _rest(span, name == first, since, is_down=is_down))
        ordered = reversed(list(found)) if is_down else found
        rest = (b for b in ordered if name != first or (b.at < since if is_down else b.at > since))
        for bar in islice(rest, limit - count + 1):
            if count == limit:
                return page, _token(*last)
            page.setdefault(name, []).append(bar_json(bar))
            last, count = (name, bar.at), count + 1
    return page, None


def _rest(span: BarQuery, is_first: bool, since: datetime, *, is_down: bool) -> BarQuery:
    """Return the part of a span that the pages before have not shown of their last symbol."""
    if not is_first:
        return span
    return replace(span, end=min(span.end, since)) if is_down else replace(span, start=max(span.start, since))


def _token(name: str, at: datetime) -> str:
    return base64.urlsafe_b64encode(f"{name}|{at.isoformat()}".encode()).decode()


def _from_token(token: str | None) -> tuple[str, datetime]:
    if not token:
        return "", datetime.min.replace(tzinfo=UTC)
    try:
        name, _, at = base64.urlsafe_b64decode(token.encode()).decode().partition("|")
        return name, datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Malformed(f"invalid page_token: {token}") from None


def _span(call: Call) -> BarQuery | None:
    """Return the span asked for; None where the free plan may not look: the newest 15 minutes of SIP."""
    query = call.request.query
    found = _TIMEFRAME.fullmatch(query.get("timeframe", "1Day"))
    if found is None:
        raise Malformed(f"invalid timeframe: {query.get('timeframe')}")
    unit = _UNITS.get(found[2], found[2])
    if not 1 <= int(found[1]) <= _MOST[unit]:
        raise Malformed(f"invalid timeframe: {query.get('timeframe')}")
    for name, words in _WORDS.items():
        if query.get(name, "") not in ("", *words):
            raise Malformed(f"invalid {name}: {query.get(name)}; it must be one of {', '.join(words)}")
    adjustment = query.get("adjustment") or "raw"
    if query.get("asof") != "-":  # no symbol here was ever renamed, so its day changes nothing
        day(query.get("asof"), "asof")
    midnight = call.now.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
    start = moment(query.get("start"), "start") or midnight.astimezone(UTC)
    end = moment(query.get("end"), "end", end_of_day=True)
    if query.get("feed") == "sip":
        if end is not None and end > call.now - _RECENT and len(query.get("end", "")) > 10:
            return None
        end = min(end or call.now, call.now - _RECENT)
    return BarQuery(Timeframe(int(found[1]), cast(Unit, unit)), start, end or call.now, call.now, adjustment)


def bar_json(bar: MarketBar) -> dict[str, Any]:
    """Return a bar as Alpaca writes it; `n` and `vw` are always there, the client library needs them."""
    return {
        "t": seconds(bar.at),
        "o": float(bar.open),
        "h": float(bar.high),
        "l": float(bar.low),
        "c": float(bar.close),
        "v": bar.volume,
        "n": bar.trades,
        "vw": round(float(bar.vwap), 6),
    }


def quote_json(quote: Quote, at: datetime) -> dict[str, Any]:
    """Return a quote as Alpaca writes it."""
    return {
        "t": rfc3339(at),
        "ax": "V",
        "ap": float(quote.ask),
        "as": quote.ask_size,
        "bx": "V",
        "bp": float(quote.bid),
        "bs": quote.bid_size,
        "c": ["R"],
        "z": "B",
    }


def trade_json(quote: Quote, at: datetime) -> dict[str, Any]:
    """Return the last trade as Alpaca writes it; its id counts milliseconds."""
    number = int(at.timestamp() * 1000)
    return {
        "t": rfc3339(at), "x": "V", "p": float(quote.last), "s": 100, "c": ["@"], "i": number, "z": "B",
    }  # fmt: skip


def traded_at(call: Call) -> datetime:
    """Return when the newest quote is from: now in regular hours, else the last close."""
    calendar = call.exchange.desk.prices.calendar
    hours = calendar.current(call.now)
    if call.now >= hours.open_at:
        return min(call.now, hours.close_at)
    before = calendar.before(hours.day)
    return call.now if before is None else before.close_at


def _quoted_at(call: Call, symbol: str) -> datetime:
    return quoted_at(call.exchange.desk.prices.market, symbol, call.now)


def latest_quotes(call: Call) -> Response:
    """Answer `GET /v2/stocks/quotes/latest` and `/v2/stocks/{symbol}/quotes/latest`."""
    return _latest(call, "quote", {s: quote_json(q, _quoted_at(call, s)) for s, q in _quotes(call).items()})


def latest_trades(call: Call) -> Response:
    """Answer `GET /v2/stocks/trades/latest` and `/v2/stocks/{symbol}/trades/latest`."""
    return _latest(call, "trade", {s: trade_json(q, _quoted_at(call, s)) for s, q in _quotes(call).items()})


def latest_bars(call: Call) -> Response:
    """Answer `GET /v2/stocks/bars/latest` and `/v2/stocks/{symbol}/bars/latest`: the last whole minute."""
    found = {s: bar for s in _names(call) if (bar := _minute(call, s)) is not None}
    return _latest(call, "bar", {s: bar_json(bar) for s, bar in found.items()})


def snapshots(call: Call) -> Response:
    """Answer `GET /v2/stocks/snapshots` and `/v2/stocks/{symbol}/snapshot`."""
    found = {s: _snapshot(call, s, quote, _quoted_at(call, s)) for s, quote in _quotes(call).items()}
    if call.parts:
        return Response(200, {"symbol": call.parts[0], **found.get(call.parts[0], {})})
    return Response(200, found)


def _names(call: Call) -> tuple[str, ...]:
    names = call.parts or symbols(call.request.query.get("symbols"))
    if not names:
        raise Malformed("symbols is required")
    return tuple(name for name in names if call.exchange.desk.prices.knows(name))


def _quotes(call: Call) -> dict[str, Quote]:
    prices = call.exchange.desk.prices
    found = {name: prices.quote(name, call.now) for name in _names(call)}
    return {name: quote for name, quote in found.items() if quote is not None}


def _latest(call: Call, what: str, found: dict[str, dict[str, Any]]) -> Response:
    if call.parts:
        name = call.parts[0]
        if name not in found:
            return Response(404, {"message": f"no {what} found for {name}"})
        return Response(200, {"symbol": name, what: found[name]})
    return Response(200, {f"{what}s": found})


def _minute(call: Call, symbol: str) -> MarketBar | None:
    prices = call.exchange.desk.prices
    hours: Hours | None = prices.calendar.current(call.now)
    for _ in range(_SESSIONS_BACK):
        if hours is None:
            return None
        known = [bar for bar in prices.minutes(symbol, hours.day) if bar.at + _MINUTE <= call.now]
        if known:
            return known[-1]
        hours = prices.calendar.before(hours.day)
    return None


def _snapshot(call: Call, symbol: str, quote: Quote, at: datetime) -> dict[str, Any]:
    query = BarQuery(Timeframe(1, "Day"), call.now - timedelta(days=14), call.now, call.now)
    days = list(bars_of(call.exchange.desk.prices, symbol, query))
    minute = _minute(call, symbol)
    return {
        "latestTrade": trade_json(quote, at),
        "latestQuote": quote_json(quote, at),
        "minuteBar": None if minute is None else bar_json(minute),
        "dailyBar": bar_json(days[-1]) if days else None,
        "prevDailyBar": bar_json(days[-2]) if len(days) > 1 else None,
    }


def corporate_actions(call: Call) -> Response:
    """Answer `GET /v1/corporate-actions`: splits and cash dividends between two ex-days."""
    query = call.request.query
    today = call.now.astimezone(NEW_YORK).date()
    start, end = day(query.get("start"), "start") or today, day(query.get("end"), "end") or today
    wanted, kinds = symbols(query.get("symbols")), (query.get("types") or "").split(",")
    found: dict[str, list[dict[str, Any]]] = {}
    for action in call.exchange.desk.prices.actions(start, end):
        if wanted and action.symbol not in wanted:
            continue
        for kind, row in _action_rows(action, call):
            if kinds == [""] or kind.removesuffix("s") in kinds:
                found.setdefault(kind, []).append(row)
    return Response(200, {"corporate_actions": found, "next_page_token": None})


def _action_rows(action: CorporateAction, call: Call) -> list[tuple[str, dict[str, Any]]]:
    ex_day = action.ex_day.isoformat()
    own_id = id_in(call.exchange.desk.space, f"corporate action {action.symbol} {ex_day}")
    shared = {"id": own_id, "symbol": action.symbol, "process_date": ex_day, "ex_date": ex_day}
    rows: list[tuple[str, dict[str, Any]]] = []
    if action.cash_usd is not None:
        own = {"rate": float(action.cash_usd), "special": False, "foreign": False, "cusip": ""}
        rows.append(("cash_dividends", {**shared, **own}))
    if action.ratio is not None:
        new, old = action.ratio.as_integer_ratio()
        rates: dict[str, Any] = {"new_rate": float(new), "old_rate": float(old)}
        if action.ratio > 1:
            rows.append(("forward_splits", {**shared, **rates, "cusip": ""}))
        else:
            rows.append(("reverse_splits", {**shared, **rates, "old_cusip": "", "new_cusip": ""}))
    return rows


def news(call: Call) -> Response:
    """Answer `GET /v1beta1/news`: this exchange has no news."""
    return Response(200, {"news": [], "next_page_token": None})
