"""A year of the thirty funds' opens and closes, and the path of all of them through one session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Final

import numpy as np

from qgtm.adapters.calendar import Session
from qgtm.exchange.market.driver import DRIVERS, YEAR, DriverYear, Mood, driver_year, tails
from qgtm.exchange.market.fund import FUNDS, INDEX, Fund
from qgtm.exchange.market.path import (
    FULL_SESSION,
    Floats,
    Ints,
    bridge,
    clock,
    generator,
    minutes_of,
)
from qgtm.exchange.market.port import CorporateAction

_YEAR_DRAWS, _TICK_DRAWS = 21, 22  # what a generator is for
_DAYS: Final = 366
_OWN_NIGHT: Final = 0.4  # share of a fund's own variance that comes overnight
_QUARTERS: Final = (3, 6, 9, 12)
_SPLIT_BELOW_USD: Final = 10.0
_SPLIT: Final = 5
_WORST: Final = 0.05  # a leveraged fund keeps at least this of its value, whatever its base does

_PLACE: Final = {name: number for number, name in enumerate(DRIVERS)}
_OWN: Final = {symbol: number for number, symbol in enumerate(s for s, f in FUNDS.items() if f.own_vol)}


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What one year hands to the next: the drivers' mood, the last closes (funds,), the last session."""

    mood: Mood
    close: Floats
    last: date | None


@dataclass(frozen=True, slots=True, eq=False)
class FundYear:
    """A year of sessions (n) by funds: dollars as floats for the paths, cents as published.

    `base` is the last close less dividend, split and fee: what the session's returns start from.
    """

    rows: dict[date, int]
    drivers: DriverYear
    own_day: Floats
    base: Floats
    open: Floats
    open_cents: list[list[int]]
    close_cents: list[list[int]]
    volume: list[list[int]]
    actions: tuple[CorporateAction, ...]
    after: Start

    @property
    def regime(self) -> tuple[int, ...]:
        """Return the mood of each session: 0 calm, 1 ordinary, 2 stressed."""
        return self.drivers.regime


def starting_prices() -> Floats:
    """Return the price of each fund before the first session (funds,)."""
    return np.array([fund.price_usd for fund in FUNDS.values()])


def fund_year(seed: int, sessions: Sequence[Session], before: Start, is_splitting: bool) -> FundYear:
    """Return the year of the given sessions, following on `before`."""
    drivers = driver_year(seed, sessions, before.mood)
    draw = generator(seed, _YEAR_DRAWS, sessions[0].day.year)
    rows = np.array([session.day.timetuple().tm_yday - 1 for session in sessions])
    own_night, own_day = _own(draw, rows, drivers.scale)
    volume = _volume(draw, rows, drivers.scale, sessions)
    nights, days = _returns(drivers, own_night, own_day)
    paid = _dividends(sessions, before.last)
    kept = (1.0 - paid) * (1.0 - np.array([fund.fee_frac for fund in FUNDS.values()]) / YEAR)
    whole = np.cumprod(kept * nights * days, axis=0) * before.close
    split = _splits(whole, before.close) if is_splitting else np.ones_like(whole)
    close = whole * split
    last = np.vstack((before.close, close[:-1]))
    joined = split / np.vstack((np.ones(len(FUNDS)), split[:-1]))
    base = last * joined * kept
    return FundYear(
        rows={session.day: row for row, session in enumerate(sessions)},
        drivers=drivers,
        own_day=own_day,
        base=base,
        open=base * nights,
        open_cents=cents(base * nights).tolist(),
        close_cents=cents(close).tolist(),
        volume=volume.tolist(),
        actions=_actions(sessions, paid * last, joined),
        after=Start(drivers.after, close[-1], sessions[-1].day),
    )


def session_ticks(seed: int, year: FundYear, day: date, ticks: int) -> Ints:
    """Return the last prices of one session in cents, (funds, ticks), agreeing with open and close."""
    row = year.rows[day]
    moved, own = _ways(seed, year, day, ticks)
    found = np.empty((len(FUNDS), ticks), dtype=np.int64)
    levels: dict[str, Floats] = {}
    for column, (symbol, fund) in enumerate(FUNDS.items()):
        if fund.multiple:
            change = levels[fund.base] / year.base[row, INDEX[fund.base]] - 1.0
            level = year.base[row, column] * _levered(change, fund.multiple)
        else:
            level = year.open[row, column] * np.exp(_way(symbol, fund, moved, own))
        levels[symbol] = level
        found[column] = cents(level)
    found[:, 0], found[:, -1] = year.open_cents[row], year.close_cents[row]
    found.setflags(write=False)
    return found


def _ways(seed: int, year: FundYear, day: date, ticks: int) -> tuple[Floats, Floats]:
    row, known = year.rows[day], len(DRIVERS)
    noise = generator(seed, _TICK_DRAWS, day.toordinal())
    bridges = bridge(noise.standard_normal((known + len(_OWN), ticks)))
    own_sd = year.drivers.scale[row] * _OWN_SD * (1.0 - _OWN_NIGHT) ** 0.5
    ends = np.concatenate((year.drivers.day[row], year.own_day[row]))
    widths = np.concatenate((year.drivers.sd[row], own_sd))
    ways = clock(ticks) * ends[:, None] + bridges * widths[:, None]
    return ways[:known], ways[known:]


def cents(level: Floats) -> Ints:
    """Return dollars as whole cents, at least one."""
    return np.asarray(np.maximum(np.rint(level * 100.0), 1.0), dtype=np.int64)


_OWN_SD: Final = np.array([FUNDS[symbol].own_vol for symbol in _OWN]) / YEAR**0.5


def _own(draw: np.random.Generator, rows: Ints, scale: Floats) -> tuple[Floats, Floats]:
    def shocks(share: float) -> Floats:
        normals = draw.standard_normal((_DAYS, len(_OWN))) * tails(draw, _DAYS)[:, None]
        return np.asarray(normals[rows] * scale[:, None] * _OWN_SD * share**0.5, dtype=np.float64)

    return shocks(_OWN_NIGHT), shocks(1.0 - _OWN_NIGHT)


def _volume(draw: np.random.Generator, rows: Ints, scale: Floats, sessions: Sequence[Session]) -> Ints:
    usual = np.array([fund.volume for fund in FUNDS.values()])
    busy = np.exp(0.3 * draw.standard_normal((_DAYS, len(FUNDS)))[rows] - 0.045)
    length = np.array([minutes_of(session) / FULL_SESSION for session in sessions])
    return np.asarray(usual * busy * (scale**0.8 * length)[:, None], dtype=np.int64)


def _returns(drivers: DriverYear, own_night: Floats, own_day: Floats) -> tuple[Floats, Floats]:
    nights, days = (np.empty((len(own_day), len(FUNDS))) for _ in range(2))
    for symbol, fund in FUNDS.items():
        column = INDEX[symbol]
        if fund.multiple:
            base = INDEX[fund.base]
            opened = _levered(nights[:, base] - 1.0, fund.multiple)
            closed = _levered(nights[:, base] * days[:, base] - 1.0, fund.multiple)
            nights[:, column], days[:, column] = opened, closed / opened
        else:
            nights[:, column] = np.exp(_way(symbol, fund, drivers.night.T, own_night.T))
            days[:, column] = np.exp(_way(symbol, fund, drivers.day.T, own_day.T))
    return nights, days


def _way(symbol: str, fund: Fund, moved: Floats, own: Floats) -> Floats:
    parts = [loading * moved[_PLACE[name]] for name, loading in fund.loadings.items()]
    if symbol in _OWN:
        parts.append(own[_OWN[symbol]])
    return np.asarray(sum(parts[1:], parts[0]), dtype=np.float64)


def _levered(change: Floats, multiple: int) -> Floats:
    return np.asarray(np.maximum(1.0 + multiple * change, _WORST), dtype=np.float64)


def _dividends(sessions: Sequence[Session], last: date | None) -> Floats:
    yields = np.array([fund.yield_frac for fund in FUNDS.values()]) / 4.0
    days = [last or sessions[0].day, *(session.day for session in sessions)]
    falls_due = [day.month in _QUARTERS and day.month != before.month for before, day in pairwise(days)]
    return np.asarray(np.array(falls_due)[:, None] * yields, dtype=np.float64)


def _splits(whole: Floats, close: Floats) -> Floats:
    """Return the factors on the price: five times as much from the session after a close below $10."""
    factors = np.ones_like(whole)
    for column, fund in enumerate(FUNDS.values()):
        if not (fund.multiple or "volatility" in fund.loadings):
            continue
        factor, before = 1.0, close[column]
        for row in range(len(whole)):
            factor *= _SPLIT if before * factor < _SPLIT_BELOW_USD else 1
            factors[row, column] = factor
            before = whole[row, column]
    return factors


def _actions(sessions: Sequence[Session], cash: Floats, joined: Floats) -> tuple[CorporateAction, ...]:
    found: list[CorporateAction] = []
    for row, session in enumerate(sessions):
        for symbol, column in INDEX.items():
            if cash[row, column] > 0:
                paid = Decimal(f"{cash[row, column]:.4f}")
                found.append(CorporateAction(symbol, session.day, None, paid))
            if joined[row, column] != 1.0:
                ratio = 1 / Decimal(f"{joined[row, column]:.0f}")
                found.append(CorporateAction(symbol, session.day, ratio, None))
    return tuple(found)
