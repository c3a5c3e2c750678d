"""What the exchange core asks of a market: sessions, prices on a path, bars, corporate actions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from qgtm.adapters.calendar import Session

__all__ = ["CorporateAction", "Figures", "Market", "MarketBar", "Quote", "Session", "figures_of"]


@dataclass(frozen=True, slots=True)
class Quote:
    """The best bid and offer and the last trade, in dollars to the cent; sizes in shares."""

    bid: Decimal
    ask: Decimal
    bid_size: int
    ask_size: int
    last: Decimal


@dataclass(frozen=True, slots=True)
class MarketBar:
    """One bar that begins at `at` (aware UTC); prices to the cent, volume in shares.

    A daily bar begins at midnight in New York, as Alpaca stamps it. One that was recorded keeps
    its recorded prices, to four decimals. `trades` and `vwap` are estimates, `vwap` within the bar.
    """

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    trades: int
    vwap: Decimal


Figures = tuple[float, float, float, float, float]


def figures_of(bar: MarketBar) -> Figures:
    """Return open, high, low, close and volume as floats."""
    return (float(bar.open), float(bar.high), float(bar.low), float(bar.close), float(bar.volume))


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """A split (`ratio` new shares for one old) or a cash dividend (`cash_usd` a share), on its ex-day."""

    symbol: str
    ex_day: date
    ratio: Decimal | None
    cash_usd: Decimal | None


class Market(Protocol):
    """A price path that is a pure function of its seed (or its files) and of time.

    Nothing that it says of a session may depend on a later session, so that a longer
    market and one that ends earlier agree on all they share.
    """

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return what can be asked for."""
        ...

    def session_on(self, day: date) -> Session | None:
        """Return the session of `day`, None when the market is closed all day."""
        ...

    def sessions(self, start: date, end: date) -> Sequence[Session]:
        """Return the sessions from `start` to `end`, both included; none where the calendar ends."""
        ...

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        """Return the quote at `at`; out of hours the last one; None when the symbol has no price yet."""
        ...

    def last_price(self, symbol: str, at: datetime) -> Decimal | None:
        """Return the last price of the quote at `at`, without the price of a whole quote."""
        ...

    def minutes(self, symbol: str, day: date) -> Sequence[MarketBar]:
        """Return all one-minute bars of a session (the caller cuts at now); empty when it has none."""
        ...

    def daily(self, symbol: str, day: date) -> MarketBar | None:
        """Return the session's finished daily bar, None when the symbol has none that day."""
        ...

    def figures(self, symbol: str, day: date) -> Figures | None:
        """Return what `daily` says as floats; None when it has no bar."""
        ...

    def actions(self, start: date, end: date) -> Sequence[CorporateAction]:
        """Return the corporate actions with ex-days from `start` to `end`, both included."""
        ...
