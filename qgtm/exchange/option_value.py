"""What an option is worth: Black's formula on the forward (Black 1976), on a smile that the market gives.

The volatility at the money has a term structure: its variance falls back from today's to a far one, as a
mean-reverting variance does (Heston 1993, section 1, without the randomness of the variance).
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from qgtm.exchange.hours import NEW_YORK
from qgtm.exchange.market.macro import Smile
from qgtm.exchange.option_chain import Contract

_YEAR_S: Final = 365.0 * 86400.0
_MONTH: Final = 30.0 / 365.0
_BACK: Final = 5.0  # a year: how fast variance falls back
_CURVE: Final = 0.025
_FAR_OUT: Final = 3.0  # deviations, beyond which the smile is flat


@dataclass(frozen=True, slots=True)
class Terms:
    """What all options of a root have in common at a moment: price in dollars, rates a year, smile."""

    spot: float
    rate: float
    smile: Smile

    @property
    def carry(self) -> float:
        """Return what the forward gains on the spot in a year: interest less the lease rate."""
        return self.rate - self.smile.lease


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


def years_to(contract: Contract, now: datetime) -> float:
    """Return the time to a contract's end in years of 365 days."""
    return max((contract.expires_at - now.astimezone(NEW_YORK)).total_seconds() / _YEAR_S, 1e-6)


def at_the_money(smile: Smile, years: float) -> float:
    """Return volatility a year at the money; at 30 days it is the smile's own."""
    far, month = smile.far**2, smile.at_30**2
    now = max(far + (month - far) / _share(_MONTH), 0.1 * month)
    return math.sqrt(far + (now - far) * _share(years))


def _share(years: float) -> float:
    return -math.expm1(-_BACK * years) / (_BACK * years)


def volatility_of(contract: Contract, terms: Terms, years: float) -> float:
    """Return volatility a year at a strike: skew and curve in deviations from the forward."""
    level = at_the_money(terms.smile, years)
    away = (math.log(contract.strike / terms.spot) - terms.carry * years) / (level * math.sqrt(years))
    away = min(max(away, -_FAR_OUT), _FAR_OUT)
    return level * (1.0 + terms.smile.skew * away + _CURVE * away * away)


def value_of(contract: Contract, terms: Terms, now: datetime) -> Value:
    """Return price and greeks at `now`."""
    years = years_to(contract, now)
    sigma = volatility_of(contract, terms, years)
    root = sigma * math.sqrt(years)
    forward = terms.spot * math.exp(terms.carry * years)
    d1 = math.log(forward / contract.strike) / root + root / 2.0
    d2 = d1 - root
    sign = 1.0 if contract.is_call else -1.0
    discount = math.exp(-terms.rate * years)
    owned, owed = discount * forward * _normal(sign * d1), discount * contract.strike * _normal(sign * d2)
    density = math.exp(-d1 * d1 / 2.0) / math.sqrt(2.0 * math.pi)
    shares = math.exp(-terms.smile.lease * years)
    decay = -discount * forward * density * sigma / (2.0 * math.sqrt(years))
    return Value(
        price=max(sign * (owned - owed), 0.0),
        implied_volatility=sigma,
        delta=sign * shares * _normal(sign * d1),
        gamma=shares * density / (terms.spot * root),
        theta=(decay - sign * (terms.rate * owed - terms.smile.lease * owned)) / 365.0,
        vega=discount * forward * density * math.sqrt(years) / 100.0,
        rho=sign * years * owed / 100.0,
    )


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
