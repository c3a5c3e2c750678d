"""Bars and quotes as Alpaca writes them, one by one: a bad one is left out, with its reason."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from qgtm.adapters.alpaca_parse import decimal_or_none, instant_or_none
from qgtm.core.bar import Bar, nonsense
from qgtm.core.events import QuoteSeen

Fields = Mapping[str, Any]
NAMES: Final = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
EARLY: Final = timedelta(seconds=60)  # how far the vendor's clock may be ahead of ours


def bar_or_reason(symbol: str, session: date, known_at: datetime, row: Fields) -> Bar | str:
    """Return the daily bar of a row `{t,o,h,l,c,v}`, or why it is none. `n` and `vw` may be missing."""
    figures = {name: decimal_or_none(row.get(key)) for key, name in NAMES.items()}
    for name, figure in figures.items():
        if figure is None:
            return f"the {name} is {row.get(name[0])!r:.40}, no number that can be believed"
    values = {name: float(figure) for name, figure in figures.items() if figure is not None}
    if problem := nonsense(*values.values()):
        return problem
    if not values["volume"]:
        return "nothing was traded, so its prices are no prices"
    return Bar(symbol=symbol, session=session, known_at=known_at, **values)


def quote_or_none(quote: Fields, trade: Fields, now: datetime) -> QuoteSeen | None:
    """Return the best bid and offer and the last trade, None when they cannot be the market now.

    A side without an offer is written as 0 by the vendor. `at` is the quote's moment.
    """
    bid, ask, last = (_price(body, name) for body, name in ((quote, "bp"), (quote, "ap"), (trade, "p")))
    at = instant_or_none(quote.get("t"))
    if bid is None or ask is None or last is None or at is None:
        return None
    return None if bid > ask or at > now + EARLY else QuoteSeen(bid=bid, ask=ask, last=last, at=at)


def _price(body: Fields, name: str) -> Decimal | None:
    found = decimal_or_none(body.get(name))
    return found if found is not None and found > 0 else None
