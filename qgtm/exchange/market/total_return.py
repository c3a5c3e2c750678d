"""What a session paid: the log return from close to close, dividends and splits put back in."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Final

from qgtm.exchange.market.port import Market, Session

# Whose return stands in, and how much of it, where a folder of recorded bars lacks a symbol.
_STAND_IN: Final[dict[str, tuple[str, float]]] = {
    "IEF": ("TLT", 0.43),
    "SHY": ("IEF", 0.22),
    "TIP": ("IEF", 0.8),
    "HYG": ("SPY", 0.4),
    "VIXY": ("SPY", -3.4),
    "UUP": ("GLD", -0.2),
    "SLV": ("GLD", 1.3),
    "GDX": ("GLD", 1.6),
    "PPLT": ("GLD", 0.8),
    "PALL": ("PPLT", 1.0),
    "CPER": ("SPY", 0.5),
}
SYMBOLS: Final = ("GLD", "SLV", "GDX", "PPLT", "PALL", "CPER", "SPY", "TLT", "IEF", "SHY", "TIP", "HYG")
_READ: Final = (*SYMBOLS, "UUP", "VIXY")
_MOST: Final = 0.35  # a session moves no fund of these further; what does is a fault in the file


class TotalReturns:
    """The returns of a market's sessions, asked for in order."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._known = frozenset(market.symbols)
        self._closes: dict[str, float] = {}
        self._paid: dict[tuple[str, date], tuple[float, float]] = {}
        self._year = 0

    def take(self, session: Session) -> Mapping[str, float]:
        """Return the log return of each symbol in a session, that of its stand-in where it has no price."""
        if session.day.year != self._year:
            self._year = session.day.year
            self._read_actions()
        found = {symbol: self._own(symbol, session) for symbol in _READ}
        return {symbol: _filled(found, symbol) for symbol in _READ}

    def _own(self, symbol: str, session: Session) -> float | None:
        price = self._market.last_price(symbol, session.close_at) if symbol in self._known else None
        if price is None:
            return None
        before, now = self._closes.get(symbol), float(price)
        self._closes[symbol] = now
        ratio, cash = self._paid.get((symbol, session.day), (1.0, 0.0))
        if before is None:
            return None
        return min(max(math.log((now * ratio + cash) / before), -_MOST), _MOST)

    def _read_actions(self) -> None:
        for action in self._market.actions(date(self._year, 1, 1), date(self._year, 12, 31)):
            ratio, cash = self._paid.get((action.symbol, action.ex_day), (1.0, 0.0))
            ratio = ratio if action.ratio is None else float(action.ratio)
            cash = cash if action.cash_usd is None else float(action.cash_usd)
            self._paid[action.symbol, action.ex_day] = (ratio, cash)


def _filled(found: Mapping[str, float | None], symbol: str) -> float:
    own = found.get(symbol)
    if own is not None:
        return own
    if symbol not in _STAND_IN:
        return 0.0
    other, share = _STAND_IN[symbol]
    return share * _filled(found, other)
