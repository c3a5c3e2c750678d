"""The market as the exchange sees it: with shocks laid over it and marks adjusted before an ex-day's open."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from qgtm.exchange.hours import Calendar, Hours
from qgtm.exchange.market.port import CorporateAction, Market, MarketBar, Quote, Session

CENT = Decimal("0.01")
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Shock:
    """A change of a symbol's prices from `from_at` to `until_at` (for good when None): times a factor."""

    symbol: str
    from_at: datetime
    until_at: datetime | None
    factor: Decimal

    def covers(self, at: datetime) -> bool:
        """Say whether the shock is in force at `at`."""
        return self.from_at <= at and (self.until_at is None or at < self.until_at)


@dataclass(frozen=True, slots=True)
class ExDay:
    """A split or dividend that shares already carry, and prices only from the open of the ex-day."""

    from_at: datetime
    open_at: datetime
    ratio: Decimal
    cash_usd: Decimal

    def price(self, price: Decimal) -> Decimal:
        """Return a price of before the open in terms of the shares after it."""
        return max(((price - self.cash_usd) / self.ratio).quantize(CENT), CENT)


class Prices:
    """A `Market` with shocks on it; without shocks it hands the market's own answers through."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.calendar = Calendar(market)
        self.shocks: dict[str, list[Shock]] = {}
        self.ex_days: dict[str, ExDay] = {}
        self.announced: list[CorporateAction] = []
        self._known = frozenset(market.symbols)
        self._marks: dict[str, Decimal] = {}
        self._marks_at: datetime | None = None
        self._closing: dict[tuple[str, datetime], Decimal] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols that the market has."""
        return self.market.symbols

    def knows(self, symbol: str) -> bool:
        """Say whether the market has a symbol."""
        return symbol in self._known

    def add(self, shock: Shock) -> None:
        """Lay a shock over the prices."""
        self.shocks.setdefault(shock.symbol, []).append(shock)
        self.forget_marks()

    def factor(self, symbol: str, at: datetime) -> Decimal:
        """Return by what a symbol's prices are multiplied at `at`."""
        product = Decimal(1)
        for shock in self.shocks.get(symbol, ()):
            if shock.covers(at):
                product *= shock.factor
        return product

    def session_on(self, day: date) -> Session | None:
        """Return the session of a day, None when there is none."""
        return self.market.session_on(day)

    def sessions(self, start: date, end: date) -> Sequence[Session]:
        """Return the sessions from `start` to `end`, both included."""
        return self.market.sessions(start, end)

    def actions(self, start: date, end: date) -> Sequence[CorporateAction]:
        """Return the corporate actions from `start` to `end`, both included."""
        found = self.market.actions(start, end)
        if not self.announced:
            return found
        return (*found, *(action for action in self.announced if start <= action.ex_day <= end))

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        """Return bid, offer and last at `at`, in dollars; None when the symbol has no price yet."""
        quote = self.market.quote(symbol, at)
        if quote is None or not (self.shocks or self.ex_days):
            return quote
        if symbol in self.shocks:
            quote = _scaled_quote(quote, self.factor(symbol, at))
        ex_day = self.ex_days.get(symbol)
        if ex_day is None or not ex_day.from_at <= at < ex_day.open_at:
            return quote
        bid, ask = ex_day.price(quote.bid), ex_day.price(quote.ask)
        return replace(quote, bid=bid, ask=ask, last=ex_day.price(quote.last))

    def mark(self, symbol: str, at: datetime) -> Decimal:
        """Return the last price in dollars; zero when the symbol has none yet."""
        if at != self._marks_at:
            self._marks, self._marks_at = {}, at
        known = self._marks.get(symbol)
        if known is None:
            known = self._marks[symbol] = self._last(symbol, at)
        return known

    def closing_mark(self, symbol: str, close_at: datetime) -> Decimal:
        """Return the last price at a session's close in dollars, kept for the next time it is asked for."""
        known = self._closing.get((symbol, close_at))
        if known is None:
            known = self._closing[symbol, close_at] = self._last(symbol, close_at)
        return known

    def _last(self, symbol: str, at: datetime) -> Decimal:
        if self.shocks or self.ex_days:
            quote = self.quote(symbol, at)
            return quote.last if quote is not None else _NOTHING
        return self.market.last_price(symbol, at) or _NOTHING

    def forget_marks(self) -> None:
        """Ask the market again: shocks or an ex-day have changed what it says."""
        self._marks_at = None
        self._closing.clear()

    def has_trades(self, symbol: str, day: date) -> bool:
        """Say whether the symbol trades at all in that session; thin ones skip some."""
        return self.market.figures(symbol, day) is not None

    def minutes(self, symbol: str, day: date) -> Sequence[MarketBar]:
        """Return all one-minute bars of a session; the caller cuts at now."""
        bars = self.market.minutes(symbol, day)
        if symbol not in self.shocks:
            return bars
        return [_scaled_bar(bar, self.factor(symbol, bar.at)) for bar in bars]

    def daily(self, symbol: str, day: date) -> MarketBar | None:
        """Return a session's finished daily bar, None when there is none."""
        bar = self.market.daily(symbol, day)
        hours = self.calendar.on(day) if bar is not None and symbol in self.shocks else None
        if bar is None or hours is None or not self._touched(symbol, hours):
            return bar
        return merged(self.minutes(symbol, day), bar.at)

    def _touched(self, symbol: str, hours: Hours) -> bool:
        return any(
            shock.from_at < hours.close_at and (shock.until_at is None or shock.until_at > hours.open_at)
            for shock in self.shocks[symbol]
        )


def merged(bars: Sequence[MarketBar], at: datetime) -> MarketBar | None:
    """Return one bar, stamped `at`, that covers `bars`; None when there are none."""
    if not bars:
        return None
    volume = sum(bar.volume for bar in bars)
    value = sum((bar.vwap * bar.volume for bar in bars), Decimal(0))
    return MarketBar(
        at=at,
        open=bars[0].open,
        high=max(bar.high for bar in bars),
        low=min(bar.low for bar in bars),
        close=bars[-1].close,
        volume=volume,
        trades=sum(bar.trades for bar in bars),
        vwap=value / volume if volume else bars[-1].close,
    )


def _cents(price: Decimal, factor: Decimal) -> Decimal:
    return max((price * factor).quantize(CENT), CENT)


def _scaled_quote(quote: Quote, factor: Decimal) -> Quote:
    if factor == 1:
        return quote
    bid, ask = _cents(quote.bid, factor), _cents(quote.ask, factor)
    return replace(quote, bid=bid, ask=max(ask, bid + CENT), last=_cents(quote.last, factor))


def _scaled_bar(bar: MarketBar, factor: Decimal) -> MarketBar:
    if factor == 1:
        return bar
    return replace(
        bar,
        open=_cents(bar.open, factor),
        high=_cents(bar.high, factor),
        low=_cents(bar.low, factor),
        close=_cents(bar.close, factor),
        vwap=bar.vwap * factor,
    )
