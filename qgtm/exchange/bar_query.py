"""Bars of any length out of the market's minutes and days, as of a moment and adjusted as asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from qgtm.exchange.hours import Hours, new_york
from qgtm.exchange.market.port import CorporateAction, MarketBar
from qgtm.exchange.price import Prices, merged

Unit = Literal["Min", "Hour", "Day", "Week", "Month"]
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Timeframe:
    """A bar's length, such as 15 Min or 1 Day."""

    count: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class BarQuery:
    """Which bars: those that begin from `start` to `end`, both included, and are known at `now`."""

    timeframe: Timeframe
    start: datetime
    end: datetime
    now: datetime
    adjustment: str = "raw"


def bars_of(prices: Prices, symbol: str, query: BarQuery) -> Iterator[MarketBar]:
    """Yield a symbol's bars, oldest first; the session in progress has a bar of what it has so far."""
    source = _periods(prices, symbol, query)
    factors = _Factors(prices, symbol, query)
    for bar in source:
        if bar.at > query.end:
            return
        if bar.at >= query.start:
            yield factors.applied(bar)


def _periods(prices: Prices, symbol: str, query: BarQuery) -> Iterator[MarketBar]:
    unit = query.timeframe.unit
    if unit in ("Min", "Hour"):
        return _intraday(prices, symbol, query)
    if unit == "Day":
        return _daily(prices, symbol, _sessions(prices, query, timedelta()), query.now)
    return _longer(prices, symbol, query)


def _sessions(prices: Prices, query: BarQuery, back: timedelta) -> list[Hours]:
    last = min(query.end, query.now).date()
    return prices.calendar.between((query.start - back).date() - timedelta(days=1), last)


def _daily(prices: Prices, symbol: str, sessions: Sequence[Hours], now: datetime) -> Iterator[MarketBar]:
    for hours in sessions:
        if hours.open_at > now:
            return
        bar = (
            prices.daily(symbol, hours.day) if hours.close_at <= now else _so_far(prices, symbol, hours, now)
        )
        if bar is not None:
            yield replace(bar, at=new_york(hours.day, 0))


def _so_far(prices: Prices, symbol: str, hours: Hours, now: datetime) -> MarketBar | None:
    known = [bar for bar in prices.minutes(symbol, hours.day) if bar.at + _MINUTE <= now]
    return merged(known, hours.open_at)


def _intraday(prices: Prices, symbol: str, query: BarQuery) -> Iterator[MarketBar]:
    minutes = query.timeframe.count * (60 if query.timeframe.unit == "Hour" else 1)
    for hours in _sessions(prices, query, timedelta()):
        group: list[MarketBar] = []
        group_at = hours.open_at
        for bar in prices.minutes(symbol, hours.day):
            if bar.at + _MINUTE > query.now:
                break
            at = _floor(bar.at, minutes)
            if group and at != group_at:
                yield _joined(group, group_at)
                group = []
            group_at = at
            group.append(bar)
        if group:
            yield _joined(group, group_at)


def _joined(group: list[MarketBar], at: datetime) -> MarketBar:
    bar = merged(group, at)
    return bar if bar is not None else group[0]


def _floor(at: datetime, minutes: int) -> datetime:
    midnight = new_york(at.date(), 0)
    passed = int((at - midnight).total_seconds()) // 60
    return midnight + timedelta(minutes=passed // minutes * minutes)


def _longer(prices: Prices, symbol: str, query: BarQuery) -> Iterator[MarketBar]:
    group: list[MarketBar] = []
    label: date | None = None
    for bar in _daily(prices, symbol, _sessions(prices, query, timedelta(days=366)), query.now):
        own = _label(bar.at.date(), query.timeframe)
        if group and label is not None and own != label:
            yield _joined(group, new_york(label, 0))
            group = []
        label = own
        group.append(bar)
    if group and label is not None:
        yield _joined(group, new_york(label, 0))


def _label(day: date, timeframe: Timeframe) -> date:
    if timeframe.unit == "Week":
        return day - timedelta(days=day.weekday())
    return date(day.year, (day.month - 1) // timeframe.count * timeframe.count + 1, 1)


class _Factors:
    """What earlier prices are multiplied with, so that splits and dividends up to now leave no step."""

    def __init__(self, prices: Prices, symbol: str, query: BarQuery) -> None:
        self._steps: list[tuple[datetime, Decimal, Decimal]] = []
        if query.adjustment == "raw":
            return
        for action in prices.actions(query.start.date(), query.now.date()):
            if action.symbol == symbol:
                self._add(prices, action, query)

    def _add(self, prices: Prices, action: CorporateAction, query: BarQuery) -> None:
        price = volume = Decimal(1)
        if action.ratio is not None and query.adjustment in ("split", "all"):
            price, volume = price / action.ratio, volume * action.ratio
        if action.cash_usd is not None and query.adjustment in ("dividend", "all"):
            before = prices.calendar.before(action.ex_day)
            close = prices.mark(action.symbol, before.close_at) if before is not None else Decimal(0)
            price *= 1 - action.cash_usd / close if close else Decimal(1)
        if price != 1 or volume != 1:
            self._steps.append((new_york(action.ex_day, 0), price, volume))

    def applied(self, bar: MarketBar) -> MarketBar:
        price = volume = Decimal(1)
        for at, price_factor, volume_factor in self._steps:
            if bar.at < at:
                price, volume = price * price_factor, volume * volume_factor
        if price == 1 and volume == 1:
            return bar
        return replace(
            bar,
            open=round(bar.open * price, 4),
            high=round(bar.high * price, 4),
            low=round(bar.low * price, 4),
            close=round(bar.close * price, 4),
            vwap=bar.vwap * price,
            volume=int(bar.volume * volume),
        )
