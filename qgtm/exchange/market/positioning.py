"""Who holds the futures, week by week: the CFTC's categories, made from the metals' own closes.

Money managers follow the trend of the last months, producers and swap dealers take the other side,
and everything adds up to the open interest. A report uses closes up to its Tuesday, no later one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from qgtm.core.series import COT_CODES
from qgtm.exchange.hours import new_york
from qgtm.exchange.market.macro import Macro
from qgtm.exchange.market.path import generator
from qgtm.exchange.market.release import cot_as_of, cot_published_at

_WEEK: Final = timedelta(weeks=1)
_PURPOSE: Final = 32
_DRAWS: Final = 16
CROWDS: Final = ("prod_merc", "swap", "m_money", "other_rept")


@dataclass(frozen=True, slots=True)
class Metal:
    """A contract: its fund here, usual open interest, and what the CFTC's report says of it."""

    name: str
    code: str
    fund: str
    usual: int
    market: str
    commodity: str
    exchange: str
    units: str


def _metal(name: str, fund: str, usual: int, market: str, exchange: str, units: str) -> Metal:
    return Metal(name, COT_CODES[name], fund, usual, market, name, exchange, units)


_COMEX: Final = "COMMODITY EXCHANGE INC."
_NYMEX: Final = "NEW YORK MERCANTILE EXCHANGE"
METALS: Final = (
    _metal("GOLD", "GLD", 470_000, f"GOLD - {_COMEX}", "CMX ", "(CONTRACTS OF 100 TROY OUNCES)"),
    _metal("SILVER", "SLV", 180_000, f"SILVER - {_COMEX}", "CMX ", "(CONTRACTS OF 5,000 TROY OUNCES)"),
    _metal("PLATINUM", "PPLT", 75_000, f"PLATINUM - {_NYMEX}", "NYME", "(CONTRACTS OF 50 TROY OUNCES)"),
    _metal("PALLADIUM", "PALL", 25_000, f"PALLADIUM - {_NYMEX}", "NYME", "(CONTRACTS OF 100 TROY OUNCES)"),
    _metal("COPPER", "CPER", 230_000, f"COPPER- #1 - {_COMEX}", "CMX ", "(CONTRACTS OF 25,000 POUNDS)"),
)


@dataclass(frozen=True, slots=True)
class Report:
    """One contract in one week: positions in contracts by (crowd, side), and how many traders hold them.

    Crowds are the four that report and `nonrept`; sides are long, short and spread. For each side,
    crowds and spreads add up to the open interest.
    """

    metal: Metal
    as_of: date
    published_at: datetime
    open_interest: int
    held: Mapping[tuple[str, str], int]
    traders: Mapping[tuple[str, str], int]
    before: "Report | None" = field(repr=False)


@dataclass(slots=True)
class _Mood:
    """What a contract's week hands to the next: the trend, what each crowd holds beyond it, its size."""

    trend: float = 0.0
    extra: list[float] = field(default_factory=lambda: [0.0] * 8)
    size: float = 0.0
    last: Report | None = None


class CotHistory:
    """The weekly reports of a market's metals, worked out as far as somebody asks."""

    def __init__(self, macro: Macro, seed: int) -> None:
        self._macro = macro
        self._seed = seed
        self._moods = {metal.name: _Mood() for metal in METALS}
        self._found: list[Report] = []
        self._week = macro.first - timedelta(days=macro.first.weekday()) + _WEEK
        self._since = macro.first

    def published(self, now: datetime) -> Sequence[Report]:
        """Return the reports that had come out by `now`, oldest first, gold before silver and so on."""
        while (at := cot_published_at(as_of := cot_as_of(self._week))) <= now:
            self._add(as_of, at)
            self._week += _WEEK
        if self._found and self._found[-1].published_at > now:
            return [report for report in self._found if report.published_at <= now]
        return self._found

    def _add(self, as_of: date, at: datetime) -> None:
        self._macro.until(new_york(as_of, 20).astimezone(UTC))
        days = [self._since + timedelta(days=n) for n in range((as_of - self._since).days + 1)]
        rows = [row for day in days if (row := self._macro.on(day)) is not None]
        noise = generator(self._seed, _PURPOSE, as_of.toordinal()).standard_normal((len(METALS), _DRAWS))
        for metal, draws in zip(METALS, noise.tolist(), strict=True):
            moved = math.fsum(row.returns[metal.fund] for row in rows)
            self._found.append(_report(metal, self._moods[metal.name], as_of, at, moved, draws))
        self._since = as_of + timedelta(days=1)


def _report(
    metal: Metal, mood: _Mood, as_of: date, at: datetime, moved: float, noise: Sequence[float]
) -> Report:
    mood.trend = 0.9 * mood.trend + moved
    mood.extra = [0.9 * old + 0.008 * new for old, new in zip(mood.extra, noise, strict=False)]
    pull = math.tanh(mood.trend / 0.07)
    mood.size = 0.95 * mood.size + 0.02 * noise[8] + 0.012 * abs(pull)
    interest = round(metal.usual * math.exp(mood.size - 0.1))
    held = _held(interest, _shares(pull, mood.extra))
    traders = {place: max(round(2.2 * count**0.33), 4) for place, count in held.items()}
    mood.last = Report(metal, as_of, at, interest, held, traders, mood.last)
    return mood.last


def _shares(pull: float, extra: Sequence[float]) -> dict[tuple[str, str], float]:
    """Return the parts of the open interest; `pull`, -1 to 1, is how the trend draws money in."""
    found = {
        ("m_money", "long"): 0.22 + 0.13 * pull + extra[0],
        ("m_money", "short"): 0.12 - 0.09 * pull + extra[1],
        ("prod_merc", "long"): 0.08 - 0.02 * pull + extra[2],
        ("prod_merc", "short"): 0.28 + 0.09 * pull + extra[3],
        ("swap", "long"): 0.18 - 0.05 * pull + extra[4],
        ("swap", "short"): 0.20 + 0.05 * pull + extra[5],
        ("swap", "spread"): 0.06,
        ("m_money", "spread"): 0.09 + 0.2 * extra[6],
        ("other_rept", "spread"): 0.04,
        ("nonrept", "long"): 0.10 + 0.02 * pull,
        ("nonrept", "short"): 0.06 - 0.01 * pull,
    }
    return {place: max(share, 0.015) for place, share in found.items()}


def _held(interest: int, shares: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], int]:
    """Return whole contracts; what no other crowd holds is the other reportables', so that all adds up."""
    held = {place: round(interest * share) for place, share in shares.items()}
    spreads = sum(count for (_, side), count in held.items() if side == "spread")
    for side in ("long", "short"):
        taken = spreads + sum(count for (_, known), count in held.items() if known == side)
        rest = interest - taken
        floor = round(0.01 * interest)
        if rest < floor:
            held["prod_merc", side] -= floor - rest
        held["other_rept", side] = max(rest, floor)
    return held
