"""A market small enough to work out by hand, and exchanges over it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from qgtm.adapters.calendar import xnys
from qgtm.exchange.core import Exchange
from qgtm.exchange.market.port import CorporateAction, Figures, MarketBar, Quote, Session, figures_of
from qgtm.exchange.market.venue import known_sessions
from qgtm.exchange.order import Order, OrderRequest

MINUTE = timedelta(minutes=1)
D = Decimal
HUNDRED = D(100)


@dataclass
class TinyMarket:
    """Every symbol costs 100.00 in every minute, unless `path` says otherwise.

    `path` gives (symbol, minute's begin) its open, high, low and close; from then on the close
    stays. The touch is one cent to either side of the last price, `size` shares deep.
    """

    names: tuple[str, ...] = ("GLD", "SLV", "GDX")
    price: Decimal = HUNDRED
    size: int = 1000
    path: dict[tuple[str, datetime], tuple[Decimal, Decimal, Decimal, Decimal]] = field(default_factory=dict)
    volume: int = 100_000
    silent: set[tuple[str, date]] = field(default_factory=set)
    events: list[CorporateAction] = field(default_factory=list)
    made: dict[Any, Sequence[MarketBar]] = field(default_factory=dict)

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.names

    def session_on(self, day: date) -> Session | None:
        return xnys().session_on(day)

    def sessions(self, start: date, end: date) -> Sequence[Session]:
        return known_sessions(xnys(), start, end)

    def set(self, symbol: str, at: datetime, *prices: object) -> None:
        """Give a minute its open, high, low and close, or one price for all four."""
        four = tuple(D(str(p)) for p in (prices if len(prices) == 4 else prices * 4))
        self.path[(symbol, at)] = four  # type: ignore[assignment]

    def last(self, symbol: str, at: datetime) -> Decimal:
        known = [(when, four) for (name, when), four in self.path.items() if name == symbol and when <= at]
        if not known:
            return self.price
        when, four = max(known)
        return four[0] if at < when + MINUTE else four[3]

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        if symbol not in self.names:
            return None
        last = self.last(symbol, at)
        return Quote(last - D("0.01"), last + D("0.01"), self.size, self.size, last)

    def last_price(self, symbol: str, at: datetime) -> Decimal | None:
        return self.last(symbol, at) if symbol in self.names else None

    def minutes(self, symbol: str, day: date) -> Sequence[MarketBar]:
        key = (symbol, day, len(self.path), self.volume, (symbol, day) in self.silent)
        if key not in self.made:
            self.made[key] = self.made_minutes(symbol, day)
        return self.made[key]

    def made_minutes(self, symbol: str, day: date) -> Sequence[MarketBar]:
        session = self.session_on(day)
        if session is None or (symbol, day) in self.silent:
            return []
        count = int((session.close_at - session.open_at) / MINUTE)
        return [self.bar(symbol, session.open_at + n * MINUTE) for n in range(count)]

    def bar(self, symbol: str, at: datetime) -> MarketBar:
        flat = self.last(symbol, at)
        o, h, low, c = self.path.get((symbol, at), (flat, flat, flat, flat))
        return MarketBar(at, o, h, low, c, self.volume, 10, (h + low) / 2)

    def daily(self, symbol: str, day: date) -> MarketBar | None:
        bars = self.minutes(symbol, day)
        if not bars:
            return None
        high, low = max(b.high for b in bars), min(b.low for b in bars)
        volume = self.volume * len(bars)
        return MarketBar(bars[0].at, bars[0].open, high, low, bars[-1].close, volume, 10, (high + low) / 2)

    def figures(self, symbol: str, day: date) -> Figures | None:
        bar = self.daily(symbol, day)
        return None if bar is None else figures_of(bar)

    def actions(self, start: date, end: date) -> Sequence[CorporateAction]:
        return [event for event in self.events if start <= event.ex_day <= end]


OPEN = datetime(2024, 3, 12, 13, 30, tzinfo=UTC)  # Tuesday 09:30 New York, summer time
CLOSE = datetime(2024, 3, 12, 20, 0, tzinfo=UTC)


@dataclass
class Bench:
    """An exchange over a tiny market, with short words for what tests do all the time."""

    market: TinyMarket
    exchange: Exchange
    now: datetime

    def at(self, **later: float) -> datetime:
        """Move on by timedelta's words and return the new moment."""
        self.now += timedelta(**later)
        return self.now

    def ask(self, side: str = "buy", qty: object = 10, symbol: str = "GLD", **more: Any) -> Any:
        """Submit now and return the answer."""
        amount = {} if "notional" in more else {"qty": D(str(qty))}
        request = OrderRequest(symbol=symbol, side=side, **amount, **more)  # type: ignore[arg-type]
        return self.exchange.submit(request, self.now)

    def buy(self, qty: object = 10, symbol: str = "GLD", **more: Any) -> Order:
        """Buy at the market and let it fill."""
        order = self.ask("buy", qty, symbol, **more)
        assert isinstance(order, Order), order
        self.exchange.advance(self.at(seconds=30))
        return order

    def run(self, **later: float) -> list[Any]:
        """Move on and return the updates as (kind, client id)."""
        return self.exchange.advance(self.at(**later))
