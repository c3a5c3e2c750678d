"""What a chain of options says: the forward, at-the-money volatility, the skew, at fixed distances of time.

Prices are Black's on the forward (Black 1976); the forward is what put-call parity implies (Stoll 1969).
Between two expiries total variance is interpolated, as the VIX does (Cboe, VIX methodology). Too few good
quotes give no estimate, never a bad one (faults E15).
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Final

from qgtm.core.instant import NEW_YORK, aware_utc

YEAR_S: Final = 365.0 * 86_400.0
WIDE_FRAC: Final = 0.25  # of the mid
WIDE_USD: Final = 0.10  # a cheap option may be wide in percent
STALE: Final = timedelta(minutes=20)  # a feed may be a quarter of an hour behind
AHEAD: Final = timedelta(minutes=2)  # our clock and the vendor's
PAIRS: Final = 5  # strikes with both a good call and a good put, for a forward
NEAREST: Final = 7  # of them count
AGREE_FRAC: Final = 0.01  # of the forward: further apart, the quotes contradict each other
GAP_FRAC: Final = 0.06  # the two strikes around the forward may lie this far apart
SHORTEST: Final = timedelta(days=5)
TOLERANCE: Final = timedelta(days=1)
VOL_BOUNDS: Final = (0.01, 4.0)
AT_DELTA: Final = 0.25


@dataclass(frozen=True, slots=True)
class Option:
    """An option's quote: dollars a share; `volatility` and `delta` as the vendor has them, None where not."""

    expiry: date
    is_call: bool
    strike: float
    bid: float
    ask: float
    quoted_at: datetime
    volatility: float | None = None
    delta: float | None = None

    @property
    def mid(self) -> float:
        """Return the middle of bid and ask."""
        return (self.bid + self.ask) / 2

    def is_good(self, at: datetime) -> bool:
        """Say whether the quote can be used: both sides there, not crossed, not wide, not old."""
        is_two_sided = 0 < self.bid < self.ask
        is_tight = self.ask - self.bid <= max(WIDE_USD, WIDE_FRAC * self.mid)
        return is_two_sided and is_tight and -AHEAD <= at - self.quoted_at <= STALE


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one expiry says: years to it, the forward, volatilities a year; None where quotes are too few."""

    years: float
    forward: float
    at_money: float
    call_25: float | None
    put_25: float | None


class TooFew(Exception):
    """The good quotes are too few for an estimate; the reason in words."""


def years_to(expiry: date, at: datetime) -> float:
    """Return the years of 365 days from `at` to 16:00 New York of the expiry."""
    ends_at = aware_utc(datetime.combine(expiry, time(16), NEW_YORK))
    return (ends_at - at).total_seconds() / YEAR_S


def estimate_of(options: Iterable[Option], spot: float, at: datetime) -> Estimate:
    """Return what the options of one expiry say. Raises TooFew."""
    good = [option for option in options if option.is_good(at)]
    if not good:
        raise TooFew("no good quote")
    years = years_to(good[0].expiry, at)
    if years <= 0:
        raise TooFew("it has expired")
    calls = {option.strike: option for option in good if option.is_call}
    puts = {option.strike: option for option in good if not option.is_call}
    forward = forward_of(calls, puts, spot)
    discount = spot / forward

    def volatility(option: Option) -> float | None:
        return option.volatility or volatility_of(option, forward, discount, years)

    return Estimate(
        years=years,
        forward=forward,
        at_money=_at_money(calls, puts, forward, volatility),
        call_25=_at_delta(calls.values(), forward, years, volatility),
        put_25=_at_delta(puts.values(), forward, years, volatility),
    )


def forward_of(calls: Mapping[float, Option], puts: Mapping[float, Option], spot: float) -> float:
    """Return the forward F of C - P = D(F - K), the median over the strikes nearest the money. Raises TooFew.

    The discount D is taken as spot / F, which is right where the lease rate is small, and stands before a
    difference of a few dollars only.
    """
    strikes = sorted(calls.keys() & puts.keys(), key=lambda strike: abs(calls[strike].mid - puts[strike].mid))
    if len(strikes) < PAIRS:
        raise TooFew(f"{len(strikes)} strikes have both a good call and a good put, and {PAIRS} are needed")
    forward = spot
    implied: list[float] = []
    for _ in range(3):  # the discount moves the forward by parts in ten thousand
        scale = forward / spot
        implied = [k + scale * (calls[k].mid - puts[k].mid) for k in strikes[:NEAREST]]
        forward = median(implied)
    if max(implied) - min(implied) > AGREE_FRAC * forward:
        raise TooFew(f"calls and puts imply forwards from {min(implied):.2f} to {max(implied):.2f}")
    return forward


Volatility = Callable[[Option], float | None]


def _at_money(
    calls: Mapping[float, Option], puts: Mapping[float, Option], forward: float, volatility: Volatility
) -> float:
    strikes = sorted(calls.keys() & puts.keys())
    place = bisect_left(strikes, forward)
    if not 0 < place < len(strikes):
        raise TooFew("the forward lies outside the strikes with good quotes")
    low, high = strikes[place - 1], strikes[place]
    if high - low > GAP_FRAC * forward:
        raise TooFew(f"no good quote between the strikes {low:g} and {high:g}, around the forward")
    below, above = (_mean(volatility(calls[strike]), volatility(puts[strike])) for strike in (low, high))
    return below + (above - below) * (forward - low) / (high - low)


def _mean(call: float | None, put: float | None) -> float:
    if call is None or put is None:
        raise TooFew("a price at the money is no option's")
    return (call + put) / 2


def _at_delta(
    options: Iterable[Option], forward: float, years: float, volatility: Volatility
) -> float | None:
    """Return the volatility at a delta of a quarter, between the two options around it; None without both."""
    found: list[tuple[float, float]] = []
    for option in options:
        sigma = volatility(option)
        if sigma is not None:
            delta = option.delta if option.delta is not None else delta_of(option, forward, sigma, years)
            found.append((abs(delta), sigma))
    found.sort()
    place = bisect_left(found, (AT_DELTA, 0.0))
    if not 0 < place < len(found):
        return None
    (low, below), (high, above) = found[place - 1], found[place]
    if high - low > 2 * AT_DELTA / 3:
        return None
    return below if high == low else below + (above - below) * (AT_DELTA - low) / (high - low)


def price_of(strike: float, forward: float, sigma: float, years: float, *, is_call: bool) -> float:
    """Return Black's undiscounted price (Black 1976)."""
    root = sigma * math.sqrt(years)
    d1 = math.log(forward / strike) / root + root / 2
    sign = 1.0 if is_call else -1.0
    return sign * (forward * _normal(sign * d1) - strike * _normal(sign * (d1 - root)))


def delta_of(option: Option, forward: float, sigma: float, years: float) -> float:
    """Return the forward delta of an option, negative for a put."""
    root = sigma * math.sqrt(years)
    d1 = math.log(forward / option.strike) / root + root / 2
    return _normal(d1) if option.is_call else _normal(d1) - 1.0


def volatility_of(option: Option, forward: float, discount: float, years: float) -> float | None:
    """Return the volatility at which the option is worth its mid, None when there is none within reason.

    By halving: the price grows with volatility, so it cannot miss, and 60 halvings leave nothing.
    """
    wanted = option.mid / discount
    low, high = VOL_BOUNDS
    if not _worth(option, forward, low, years) < wanted < _worth(option, forward, high, years):
        return None
    for _ in range(60):
        middle = (low + high) / 2
        is_below = _worth(option, forward, middle, years) < wanted
        low, high = (middle, high) if is_below else (low, middle)
    return (low + high) / 2


def _worth(option: Option, forward: float, sigma: float, years: float) -> float:
    return price_of(option.strike, forward, sigma, years, is_call=option.is_call)


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def around(estimates: Sequence[Estimate], days: int) -> tuple[Estimate, Estimate]:
    """Return the two expiries around a distance in days, twice the same when one is there. Raises TooFew."""
    years = days / 365.0
    usable = sorted(
        (each for each in estimates if each.years * 365.0 >= SHORTEST.days), key=lambda each: each.years
    )
    near = [each for each in usable if abs(each.years - years) <= TOLERANCE.days / 365.0]
    if near:
        return near[0], near[0]
    before = [each for each in usable if each.years < years]
    after = [each for each in usable if each.years > years]
    if not (before and after):
        raise TooFew(f"no good expiry on each side of {days} days")
    return before[-1], after[0]


def at_days(pair: tuple[Estimate, Estimate], days: int, sigmas: tuple[float, float]) -> float:
    """Return the volatility at a distance, total variance interpolated between two expiries."""
    (first, second), years = pair, days / 365.0
    if first is second:
        return sigmas[0]
    variances = [sigma * sigma * each.years for sigma, each in zip(sigmas, pair, strict=True)]
    share = (years - first.years) / (second.years - first.years)
    return math.sqrt((variances[0] + share * (variances[1] - variances[0])) / years)


def volatility_at(estimates: Sequence[Estimate], days: int) -> float:
    """Return the at-the-money volatility at a distance in days. Raises TooFew."""
    pair = around(estimates, days)
    return at_days(pair, days, (pair[0].at_money, pair[1].at_money))


def reversal_at(estimates: Sequence[Estimate], days: int) -> float:
    """Return the 25-delta call's volatility less the put's. Raises TooFew."""
    pair = around(estimates, days)
    first, second = pair
    wings = (first.call_25, second.call_25, first.put_25, second.put_25)
    if any(wing is None for wing in wings):
        raise TooFew(f"no good quotes around a delta of {AT_DELTA} at {days} days")
    c1, c2, p1, p2 = (wing or 0.0 for wing in wings)
    return at_days(pair, days, (c1, c2)) - at_days(pair, days, (p1, p2))


def carry_at(estimates: Sequence[Estimate], days: int, spot: float) -> float:
    """Return ln(F / S) a year, the log of the forward interpolated in time. Raises TooFew."""
    pair = around(estimates, days)
    first, second = (math.log(each.forward / spot) for each in pair)
    if pair[0] is pair[1]:
        return first / pair[0].years
    share = (days / 365.0 - pair[0].years) / (pair[1].years - pair[0].years)
    return (first + share * (second - first)) / (days / 365.0)
