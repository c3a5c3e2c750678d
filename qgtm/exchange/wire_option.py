"""Option snapshots and chains over the wire."""

import math
from datetime import datetime
from typing import Any

from qgtm.exchange.hours import NEW_YORK
from qgtm.exchange.option_chain import Contract, chain, contract_from, realised_volatility, value_of
from qgtm.exchange.text import day, rfc3339, symbols, whole
from qgtm.exchange.wire import Call, Malformed, Response, decimal_from
from qgtm.exchange.wire_data import traded_at


def snapshots(call: Call) -> Response:
    """Answer `GET /v1beta1/options/snapshots` for a list of contracts."""
    names = symbols(call.request.query.get("symbols"))
    if not names:
        raise Malformed("symbols is required")
    contracts = [contract for name in names if (contract := contract_from(name)) is not None]
    return _page(call, sorted(contracts, key=_symbol))


def by_underlying(call: Call) -> Response:
    """Answer `GET /v1beta1/options/snapshots/{underlying}`, filtered by kind, strike and expiry."""
    underlying = call.parts[0].upper()
    quote = call.exchange.desk.prices.quote(underlying, call.now)
    if quote is None:
        return Response(200, {"snapshots": {}, "next_page_token": None})
    today = call.now.astimezone(NEW_YORK).date()
    contracts = [c for c in chain(underlying, float(quote.last), today) if _wanted(call, c)]
    return _page(call, sorted(contracts, key=_symbol))


def _symbol(contract: Contract) -> str:
    return contract.symbol


def _wanted(call: Call, contract: Contract) -> bool:
    query = call.request.query
    strike_from = decimal_from(query.get("strike_price_gte"), "strike_price_gte")
    strike_to = decimal_from(query.get("strike_price_lte"), "strike_price_lte")
    on = day(query.get("expiration_date"), "expiration_date")
    first, last = (day(query.get(f"expiration_date_{end}"), "expiration_date") for end in ("gte", "lte"))
    return (
        query.get("type") in (None, "", "call" if contract.is_call else "put")
        and (strike_from is None or contract.strike >= strike_from)
        and (strike_to is None or contract.strike <= strike_to)
        and on in (None, contract.expiry)
        and (first is None or contract.expiry >= first)
        and (last is None or contract.expiry <= last)
    )


def _page(call: Call, contracts: list[Contract]) -> Response:
    query = call.request.query
    limit = whole(query.get("limit"), "limit", 100, 1000)
    token = query.get("page_token") or ""
    rest = [contract for contract in contracts if contract.symbol > token]
    volatility: dict[str, float] = {}
    found = {c.symbol: shot for c in rest[:limit] if (shot := _snapshot(call, c, volatility)) is not None}
    more = rest[limit - 1].symbol if len(rest) > limit else None
    return Response(200, {"snapshots": found, "next_page_token": more})


def _snapshot(call: Call, contract: Contract, volatility: dict[str, float]) -> dict[str, Any] | None:
    prices = call.exchange.desk.prices
    quote = prices.quote(contract.underlying, call.now)
    if quote is None or not math.isfinite(contract.strike) or contract.strike <= 0:
        return None
    if contract.underlying not in volatility:
        volatility[contract.underlying] = realised_volatility(prices, contract.underlying, call.now)
    worth = value_of(contract, float(quote.last), volatility[contract.underlying], call.now)
    at = traded_at(call)
    greeks = {name: round(getattr(worth, name), 6) for name in ("delta", "gamma", "rho", "theta", "vega")}
    return {
        "latestQuote": _quote(worth.price, at),
        "latestTrade": {"t": rfc3339(at), "x": "C", "p": round(max(worth.price, 0.01), 2), "s": 1, "c": "a"},
        "impliedVolatility": round(worth.implied_volatility, 6),
        "greeks": greeks,
    }


def _quote(price: float, at: datetime) -> dict[str, Any]:
    half = max(0.01, price * 0.015)
    bid, ask = round(max(price - half, 0.0), 2), round(price + half, 2)
    return {"t": rfc3339(at), "ax": "C", "ap": ask, "as": 10, "bx": "C", "bp": bid, "bs": 10, "c": "A"}
