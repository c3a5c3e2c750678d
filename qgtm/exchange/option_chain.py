"""A thin option chain: Black-Scholes prices (Black and Scholes 1973) on a smile over realised volatility."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from qgtm.exchange.hours import new_york
from qgtm.exchange.price import Prices

_RATE = 0.03
_WEEKS, _MONTHS = 6, 6
_YEAR_S = 365.0 * 86400.0


@dataclass(frozen=True, slots=True)
class Contract:
    """An option: `strike` in dollars, `is_call` or a put; expires at 16:00 New York."""

    underlying: str
    expiry: date
    is_call: bool
    strike: float

    @property
    def symbol(self) -> str:
        """Return the OCC symbol, such as GLD260116C00180000."""
        kind = "C" if self.is_call else "P"
        return f"{self.underlying}{self.expiry:%y%m%d}{kind}{round(self.strike * 1000):08d}"


@dataclass(frozen=True, slots=True)
class Value:
    """An option's worth in dollars a share, its yearly volatility, its greeks (theta a day, vega a point)."""

    price: float
    implied_volatility: float
    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def contract_from(symbol: str) -> Contract | None:
    """Return the contract that an OCC symbol names, None for anything else."""
    root, tail = symbol[:-15], symbol[-15:]
    try:
        expiry = date(2000 + int(tail[:2]), int(tail[2:4]), int(tail[4:6]))
        strike = int(tail[7:]) / 1000
    except ValueError:
        return None
    return Contract(root, expiry, tail[6] == "C", strike) if root and tail[6] in "CP" else None


def expiries(today: date) -> list[date]:
    """Return the next six Fridays and the third Fridays of six months."""
    friday = today + timedelta(days=(4 - today.weekday()) % 7)
    found = {friday + timedelta(weeks=n) for n in range(_WEEKS)}
    for n in range(_MONTHS):
        year, month = divmod(today.year * 12 + today.month - 1 + n, 12)
        first = date(year, month + 1, 1)
        third = first + timedelta(days=(4 - first.weekday()) % 7 + 14)
        if third >= today:
            found.add(third)
    return sorted(found)


def chain(underlying: str, spot: float, today: date) -> Iterator[Contract]:
    """Yield the listed contracts: strikes within a fifth of the spot, calls before puts."""
    step = 0.5 if spot < 25 else 1.0 if spot < 200 else 5.0
    low, high = math.ceil(spot * 0.8 / step), math.floor(spot * 1.2 / step)
    for expiry in expiries(today):
        for is_call in (True, False):
            for n in range(low, high + 1):
                yield Contract(underlying, expiry, is_call, n * step)


def realised_volatility(prices: Prices, symbol: str, now: datetime) -> float:
    """Return the yearly deviation of the last 20 sessions' log returns, 0.2 where there are too few."""
    hours = prices.calendar.current(now)
    closes: list[float] = []
    while len(closes) < 21:
        before = prices.calendar.before(hours.day)
        bar = None if before is None else prices.daily(symbol, before.day)
        if before is None or bar is None:
            break
        closes.append(float(bar.close))
        hours = before
    moves = [math.log(a / b) for a, b in pairwise(closes)]
    if len(moves) < 5:
        return 0.2
    mean = math.fsum(moves) / len(moves)
    return max(0.05, math.sqrt(252 * math.fsum((m - mean) ** 2 for m in moves) / (len(moves) - 1)))


def value_of(contract: Contract, spot: float, volatility: float, now: datetime) -> Value:
    """Return price and greeks at `now`; the smile adds a tenth of volatility per 10% of moneyness."""
    seconds = (new_york(contract.expiry, 16) - now).total_seconds()
    years = max(seconds / _YEAR_S, 1e-6)
    moneyness = math.log(contract.strike / spot)
    sigma = volatility * (1.0 + moneyness * moneyness * 10.0)
    root = sigma * math.sqrt(years)
    d1 = (-moneyness + (_RATE + sigma * sigma / 2) * years) / root
    d2 = d1 - root
    sign = 1.0 if contract.is_call else -1.0
    discount = contract.strike * math.exp(-_RATE * years)
    density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    decay = -spot * density * sigma / (2 * math.sqrt(years))
    return Value(
        price=max(sign * (spot * _normal(sign * d1) - discount * _normal(sign * d2)), 0.0),
        implied_volatility=sigma,
        delta=sign * _normal(sign * d1),
        gamma=density / (spot * root),
        theta=(decay - sign * _RATE * discount * _normal(sign * d2)) / 365,
        vega=spot * density * math.sqrt(years) / 100,
        rho=sign * discount * years * _normal(sign * d2) / 100,
    )


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))
