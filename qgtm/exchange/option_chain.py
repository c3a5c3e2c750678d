"""Which options are listed: the contracts of a root around its price."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from qgtm.exchange.hours import NEW_YORK, new_york
from qgtm.exchange.price import Prices

_WEEKS, _MONTHS = 6, 6


@dataclass(frozen=True, slots=True)
class Contract:
    """An option: `strike` in dollars, `is_call` or a put; expires at 16:00 New York."""

    underlying: str
    expiry: date
    is_call: bool
    strike: float

    @property
    def expires_at(self) -> datetime:
        """Return the end of the contract, aware UTC."""
        return new_york(self.expiry, 16)

    @property
    def symbol(self) -> str:
        """Return the OCC symbol, such as GLD260116C00180000."""
        kind = "C" if self.is_call else "P"
        return f"{self.underlying}{self.expiry:%y%m%d}{kind}{round(self.strike * 1000):08d}"


def contract_from(symbol: str) -> Contract | None:
    """Return the contract that an OCC symbol names, None for anything else."""
    root, tail = symbol[:-15], symbol[-15:]
    try:
        expiry = date(2000 + int(tail[:2]), int(tail[2:4]), int(tail[4:6]))
        strike = int(tail[7:]) / 1000
    except ValueError:
        return None
    return Contract(root, expiry, tail[6] == "C", strike) if root and tail[6] in "CP" else None


def expiries(today: date, is_session: Callable[[date], bool] = lambda _: True) -> list[date]:
    """Return the next six Fridays and the third Fridays of six months; Thursday where Friday is a holiday."""
    friday = today + timedelta(days=(4 - today.weekday()) % 7)
    found = {friday + timedelta(weeks=n) for n in range(_WEEKS)}
    for n in range(_MONTHS):
        year, month = divmod(today.year * 12 + today.month - 1 + n, 12)
        first = date(year, month + 1, 1)
        third = first + timedelta(days=(4 - first.weekday()) % 7 + 14)
        if third >= today:
            found.add(third)
    kept = (day if is_session(day) else day - timedelta(days=1) for day in found)
    return sorted({day for day in kept if day >= today})


def chain(
    underlying: str, spot: float, now: datetime, is_session: Callable[[date], bool] = lambda _: True
) -> Iterator[Contract]:
    """Yield the contracts that are listed at `now`: strikes within a quarter of the spot, calls first."""
    step = 0.5 if spot < 60 else 1.0 if spot < 300 else 5.0
    low, high = math.ceil(spot * 0.75 / step), math.floor(spot * 1.25 / step)
    for expiry in expiries(now.astimezone(NEW_YORK).date(), is_session):
        if new_york(expiry, 16) <= now:
            continue
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
