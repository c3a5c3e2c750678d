"""Option snapshots and chains over the wire."""

import math
from datetime import datetime, timedelta
from typing import Any, Final
from zlib import crc32

from qgtm.exchange.draw import uniform
from qgtm.exchange.market.macro import Smile
from qgtm.exchange.option_chain import Contract, chain, contract_from, realised_volatility
from qgtm.exchange.option_value import Terms, Value, value_of
from qgtm.exchange.text import day, rfc3339, symbols, whole
from qgtm.exchange.wire import Call, Malformed, Response, decimal_from
from qgtm.exchange.wire_data import traded_at

_JUNK: Final = 37  # what a draw is for
_CHEAP_USD: Final = 0.03
# Of all options, as in real chains: a bid of nothing, a crossed quote, an old one, a wide one, no volatility.
_NO_BID, _CROSSED, _OLD, _WIDE, _UNKNOWN = 0.015, 0.027, 0.042, 0.052, 0.08
_NEAR, _RARER = (0.15, 0.85), 12.0
_USUAL_RATE: Final = 0.03  # before the first session that tells of one


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
    prices = call.exchange.desk.prices
    listed = chain(underlying, float(quote.last), call.now, lambda day: prices.session_on(day) is not None)
    contracts = [contract for contract in listed if _wanted(call, contract)]
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
    page = rest[:limit]
    terms = {root: terms_of(call, root) for root in {contract.underlying for contract in page}}
    shots = ((c.symbol, _snapshot(call, c, terms[c.underlying])) for c in page)
    found = {symbol: shot for symbol, shot in shots if shot is not None}
    more = rest[limit - 1].symbol if len(rest) > limit else None
    return Response(200, {"snapshots": found, "next_page_token": more})


def terms_of(call: Call, root: str) -> Terms | None:
    """Return what a root's options are priced by: the last close's smile around the present price."""
    quote = call.exchange.desk.prices.quote(root, call.now)
    if quote is None:
        return None
    row = call.exchange.beside.macro.newest(call.now)
    rate = _USUAL_RATE if row is None else row.values["SOFR"] / 100.0
    smile = None if row is None else row.smiles.get(root)
    if smile is None:
        level = realised_volatility(call.exchange.desk.prices, root, call.now)
        smile = Smile(at_30=1.05 * level, far=level, skew=-0.05, lease=0.01)
    return Terms(float(quote.last), rate, smile)


def _snapshot(call: Call, contract: Contract, terms: Terms | None) -> dict[str, Any] | None:
    is_sane = math.isfinite(contract.strike) and contract.strike > 0
    if terms is None or not is_sane or contract.expires_at <= call.now:
        return None
    worth, at = value_of(contract, terms, call.now), traded_at(call)
    chance = uniform(call.exchange.desk.seed, _JUNK, at.toordinal(), crc32(contract.symbol.encode()))
    if _NEAR[0] < abs(worth.delta) < _NEAR[1]:  # where most is traded there is little junk
        chance *= _RARER
    shot: dict[str, Any] = {
        "latestQuote": _quote(worth.price, at, chance),
        "latestTrade": {"t": rfc3339(at), "x": "C", "p": round(max(worth.price, 0.01), 2), "s": 1, "c": "a"},
    }
    return shot if _WIDE <= chance < _UNKNOWN else {**shot, **_worked_out(worth)}


def _worked_out(worth: Value) -> dict[str, Any]:
    greeks = {name: round(getattr(worth, name), 6) for name in ("delta", "gamma", "rho", "theta", "vega")}
    return {"impliedVolatility": round(worth.implied_volatility, 6), "greeks": greeks}


def _quote(price: float, at: datetime, chance: float) -> dict[str, Any]:
    """Return the quote around a price; by `chance` one of those that a reader of chains has to leave out."""
    half = max(0.01, price * (0.015 if chance >= _WIDE else 0.4 if chance >= _OLD else 0.015))
    bid, ask = round(max(price - half, 0.0), 2), round(price + half, 2)
    if chance < _NO_BID or price < _CHEAP_USD:
        bid = 0.0
    elif chance < _CROSSED:
        bid, ask = round(ask + 0.05, 2), bid
    elif chance < _OLD:
        at, bid, ask = at - timedelta(days=1), round(1.1 * bid, 2), round(1.1 * ask + 0.01, 2)
    return {"t": rfc3339(at), "ax": "C", "ap": ask, "as": 10, "bx": "C", "bp": bid, "bs": 10, "c": "A"}
