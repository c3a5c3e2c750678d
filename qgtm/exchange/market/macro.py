"""Yields, spreads, the dollar and volatilities, made from the market's own closes.

Each session's numbers follow from those of the session before, from that session's returns and from
noise drawn by the seed and the day. So nothing depends on a later price, and the same rule serves an
invented market and a recorded one. Durations and betas are rounded from public figures of 2015 to 2023;
they have to be plausible, not exact.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from qgtm.exchange.market.path import generator
from qgtm.exchange.market.port import Market, Session
from qgtm.exchange.market.release import fomc_days
from qgtm.exchange.market.total_return import TotalReturns

YEAR: Final = 252.0
OPTION_ROOTS: Final = ("GLD", "SLV", "GDX")
_PURPOSE: Final = 31  # what a generator is for
_DRAWS: Final = 24
_DAY: Final = timedelta(days=1)
_EARLIEST: Final = date(2005, 1, 3)


@dataclass(frozen=True, slots=True)
class Smile:
    """A root's options at a close: volatility a year at 30 days and far out, skew, lease rate a year."""

    at_30: float
    far: float
    skew: float
    lease: float


@dataclass(frozen=True, slots=True)
class MacroDay:
    """What is true at a session's close: FRED's numbers by id in its units, and the options' smiles."""

    day: date
    values: Mapping[str, float]
    smiles: Mapping[str, Smile]
    returns: Mapping[str, float]


@dataclass(slots=True)
class _RootState:
    """The memory of one root's volatility, skew and lease rate."""

    fast: float
    slow: float
    far: float
    premium: float = 0.0
    skew: float = 0.0
    lease: float = 0.0
    drift: float = 0.0


# volatility a year to begin with, what implied adds to realised (points), usual skew, usual lease rate
_ROOTS: Final[dict[str, tuple[float, float, float, float]]] = {
    "GLD": (0.15, 1.3, 0.02, 0.004),
    "SLV": (0.27, 2.2, 0.03, 0.006),
    "GDX": (0.35, 2.6, -0.06, 0.012),
}


@dataclass(slots=True)
class _State:
    """What one session hands to the next; yields and spreads in percent."""

    ten: float = 2.4
    real_ten: float = 0.4
    two: float = 1.4
    target: float = 1.125
    decided: float = 1.125
    five_real: float = 0.0
    five_even: float = 0.0
    dollar: float = math.log(114.0)
    vix: float = math.log(16.0)
    equity_var: float = 0.15**2 / YEAR
    spread: float = 3.8
    assets: float = math.log(4_500_000.0)
    roots: dict[str, _RootState] = field(
        default_factory=lambda: {
            root: _RootState(vol**2 / YEAR, vol**2 / YEAR, vol**2 / YEAR)
            for root, (vol, *_) in _ROOTS.items()
        }
    )


class Macro:
    """The economy beside one market: a list of sessions that grows as far as somebody asks, never further."""

    def __init__(self, market: Market, seed: int) -> None:
        self._market = market
        self._seed = seed
        self._returns = TotalReturns(market)
        self._state = _State()
        self._rows: list[MacroDay] = []
        self._by_day: dict[date, MacroDay] = {}
        self._fed: dict[date, float] = {}
        self._next = self.first = max(getattr(market, "first", _EARLIEST), _EARLIEST)

    def until(self, now: datetime) -> Sequence[MacroDay]:
        """Return the sessions that have closed by `now`, oldest first; more only if asked for before."""
        today = now.astimezone(UTC).date()
        if self._next <= today:
            for session in self._market.sessions(self._next, today):
                if session.close_at > now:
                    break
                self._add(session)
        return self._rows

    def on(self, day: date) -> MacroDay | None:
        """Return a session that has been worked out, None for any other day."""
        return self._by_day.get(day)

    def newest(self, now: datetime) -> MacroDay | None:
        """Return the last session that has closed by `now`, None before the first."""
        rows = self.until(now)
        day = now.astimezone(UTC).date()
        for row in reversed(rows[-3:]):  # asked for the present: it is among the last
            if row.day < day or (row.day == day and self._has_closed(row.day, now)):
                return row
        earlier = [row for row in rows if row.day < day]
        return earlier[-1] if earlier else None

    def assets(self, wednesday: date) -> float | None:
        """Return the Federal Reserve's assets in millions of dollars; None where no session is worked out."""
        return self._fed.get(wednesday)

    def _has_closed(self, day: date, now: datetime) -> bool:
        session = self._market.session_on(day)
        return session is not None and session.close_at <= now

    def _add(self, session: Session) -> None:
        between = (self._next + n * _DAY for n in range((session.day - self._next).days))
        self._note_assets(*between)  # a Wednesday without a session is of the state before it
        moved = self._returns.take(session)
        noise = generator(self._seed, _PURPOSE, session.day.toordinal()).standard_normal(_DRAWS).tolist()
        _move(self._state, session.day, moved, noise)
        row = MacroDay(session.day, _values(self._state, session.day, noise), _smiles(self._state), moved)
        self._next = session.day + _DAY
        self._rows.append(row)
        self._by_day[session.day] = row
        self._note_assets(session.day)

    def _note_assets(self, *days: date) -> None:
        self._fed.update({day: math.exp(self._state.assets) for day in days if day.weekday() == 2})


def _move(state: _State, day: date, moved: Mapping[str, float], noise: Sequence[float]) -> None:
    """Take the state from one close to the next."""
    state.target = state.decided  # told yesterday, in force today
    if day in fomc_days(day.year):
        state.decided = _decision(state.two, state.target)
    _move_yields(state, moved, noise)
    _move_risk(state, moved, noise)
    for place, root in enumerate(OPTION_ROOTS):
        _move_root(state.roots[root], moved[root], noise[8 + 4 * place : 12 + 4 * place])
    calm = -0.0002 if state.target > 2.5 else 0.0006 if state.target < 0.3 else 0.0
    rush = 0.0012 if math.exp(state.vix) > 35.0 else 0.0
    state.assets += calm + rush + 0.0004 * noise[7] + 0.0002 * (math.log(6_500_000.0) - state.assets)


def _decision(two: float, target: float) -> float:
    """Return the middle of the committee's range after a meeting: it follows the two-year yield."""
    gap = two - target
    step = 0.5 if abs(gap) > 1.25 else 0.25 if abs(gap) > 0.4 else 0.0
    return max(target + math.copysign(step, gap), 0.125)


def _move_yields(state: _State, moved: Mapping[str, float], noise: Sequence[float]) -> None:
    # a fund's return beyond its carry, over its duration in years, is the fall of its yield; the carry is
    # a usual one, not the yield of the day: a fund that pays less than that would drive it off for good
    ten = state.ten - 100.0 * (moved["IEF"] - 0.026 / YEAR) / 7.5 + 0.002 * (2.8 - state.ten)
    real = state.real_ten - 100.0 * (moved["TIP"] - 0.0235 / YEAR) / 7.0
    two = state.two - 100.0 * (moved["SHY"] - 0.006 / YEAR) / 1.85 + 0.025 * noise[6]
    state.ten = max(ten, 0.4)
    real += 0.004 * (state.ten - 2.1 - real)
    state.real_ten = min(max(real, state.ten - 3.8), state.ten - 0.3)
    state.two = max(two + 0.006 * (0.6 * state.target + 0.4 * state.ten - two), 0.1)
    state.five_real = 0.985 * state.five_real + 0.02 * noise[0]
    state.five_even = 0.985 * state.five_even + 0.02 * noise[1]


def _move_risk(state: _State, moved: Mapping[str, float], noise: Sequence[float]) -> None:
    state.dollar += 0.85 * moved["UUP"] + 0.0006 * noise[2] + 0.0005 * (math.log(116.0) - state.dollar)
    state.equity_var = 0.95 * state.equity_var + 0.05 * moved["SPY"] ** 2
    usual = math.log(9.5 + 0.5 * (2.0 + 110.0 * math.sqrt(YEAR * state.equity_var)))
    # the futures that the fund holds move about two thirds as much as the index, and decay
    vix = state.vix + 1.5 * (moved["VIXY"] + 0.0018) + 0.01 * noise[3] + 0.04 * (usual - state.vix)
    state.vix = min(max(vix, math.log(9.0)), math.log(85.0))
    spread = state.spread - 100.0 * (moved["HYG"] - 0.0435 / YEAR - 0.25 * moved["IEF"]) / 3.6
    spread += 0.01 * (3.2 + 0.08 * (math.exp(state.vix) - 15.0) - spread)
    state.spread = min(max(spread, 2.3), 21.0)


def _move_root(root: _RootState, moved: float, noise: Sequence[float]) -> None:
    # one gap is not taken for a new world: what counts is at most three and a half usual days
    root.fast = 0.96 * root.fast + 0.04 * min(moved**2, 12.0 * root.slow)
    root.slow = 0.985 * root.slow + 0.015 * moved**2
    root.far = 0.996 * root.far + 0.004 * moved**2
    root.premium = 0.93 * root.premium + 0.35 * noise[0]
    root.skew = 0.96 * root.skew + 0.008 * noise[1]
    root.lease = 0.98 * root.lease + 0.0003 * noise[2]
    root.drift = 0.95 * root.drift + 0.05 * moved


def _values(state: _State, day: date, noise: Sequence[float]) -> dict[str, float]:
    real, even, two = round(state.real_ten, 2), round(state.ten - state.real_ten, 2), round(state.two, 2)
    ten = round(real + even, 2)  # what the Treasury's two yields leave is the breakeven, by definition
    funds = round(max(state.target - 0.04 + 0.004 * noise[4], 0.04), 2)
    is_turn = (day + _DAY * (3 if day.weekday() == 4 else 1)).month != day.month
    return {
        "DFII10": real,
        "T10YIE": even,
        "DGS10": ten,
        "DGS2": two,
        "T10Y2Y": round(ten - two, 2),
        "DFII5": round(real + 0.15 * (two - ten) + state.five_real, 2),
        "T5YIE": round(max(2.1 + 1.2 * (even - 2.1) + state.five_even, 0.1), 2),
        "DTWEXBGS": round(math.exp(state.dollar), 4),
        "VIXCLS": round(math.exp(state.vix), 2),
        "GVZCLS": round(100.0 * _at_30(state, "GLD"), 2),
        "DFF": funds,
        "SOFR": round(max(funds - 0.02 + 0.01 * noise[5] + (0.07 if is_turn else 0.0), 0.01), 2),
        "BAMLH0A0HYM2": round(state.spread, 2),
    }


def _at_30(state: _State, name: str) -> float:
    """Return implied volatility at 30 days: realised, fast and slow, and a premium that fear adds to."""
    root, premium = state.roots[name], _ROOTS[name][1]
    realised = 0.5 * (math.sqrt(YEAR * root.fast) + math.sqrt(YEAR * root.slow))
    points = premium + root.premium + 0.08 * (math.exp(state.vix) - 17.0)
    return min(max(1.02 * realised + points / 100.0, 0.07), 1.2)


def _smiles(state: _State) -> dict[str, Smile]:
    found: dict[str, Smile] = {}
    for name, (_, premium, skew, lease) in _ROOTS.items():
        root = state.roots[name]
        found[name] = Smile(
            at_30=round(_at_30(state, name), 4),
            far=math.sqrt(YEAR * root.far) + premium / 100.0,
            skew=min(max(skew + root.skew + 8.0 * root.drift, -0.2), 0.2),
            lease=lease + root.lease,
        )
    return found
