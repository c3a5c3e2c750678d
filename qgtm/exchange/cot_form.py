"""A report on positions in the CFTC's two forms: a row of the Socrata API and a line of the yearly file.

The names are the Commission's own, double underscores, missing letters and numbered twins included.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import product
from typing import Final

from qgtm.exchange.market.positioning import CROWDS, CotHistory, Report

PERIODS: Final = ("all", "old", "other")
_Place = tuple[str, str]
# In the order of both forms: who and which side; None is the open interest.
_SPREADERS: Final = ("swap", "m_money", "other_rept")
_REPORTED: Final[tuple[_Place, ...]] = tuple(
    (crowd, side)
    for crowd in CROWDS
    for side in ("long", "short", *(("spread",) if crowd in _SPREADERS else ()))
)
_SUMS: Final[tuple[_Place, ...]] = (
    ("tot_rept", "long"),
    ("tot_rept", "short"),
    ("nonrept", "long"),
    ("nonrept", "short"),
)
_POSITIONS: Final = (*_REPORTED, *_SUMS)
_HOLDERS: Final = (*_REPORTED, ("tot_rept", "long"), ("tot_rept", "short"))
_CONCENTRATION: Final = tuple(product(("gross", "net"), ("4", "8"), ("long", "short")))
# Places whose name in the API carries no `_all` and numbers its twins: _1 for old, _2 for other crop years.
_NUMBERED: Final = frozenset(
    {
        *((crowd, side) for crowd in ("prod_merc", "other_rept") for side in ("long", "short", "spread")),
        ("m_money", "spread"),
        ("tot_rept", "short"),
    }
)


def row_of(report: Report) -> dict[str, str]:
    """Return a report as the Socrata API gives it: all texts, and no key where there is no value."""
    metal, as_of = report.metal, report.as_of
    row = {
        "id": f"{as_of:%y%m%d}{metal.code}F",
        "market_and_exchange_names": metal.market,
        "report_date_as_yyyy_mm_dd": f"{as_of}T00:00:00.000",
        "yyyy_report_week_ww": f"{as_of.year} Report Week {(as_of.timetuple().tm_yday - 1) // 7 + 1:02d}",
        "contract_market_name": metal.market.rsplit(" - ", 1)[0],
        "cftc_contract_market_code": metal.code,
        "cftc_market_code": metal.exchange,
        "cftc_region_code": "NYC",
        "cftc_commodity_code": f"{metal.code[:3]} ",
        "commodity_name": metal.commodity,
    }
    row |= dict(_numbers(report))
    return row | {
        "contract_units": metal.units,
        "cftc_subgroup_code": _subgroup(report),
        "commodity": metal.commodity,
        "commodity_subgroup_name": "BASE METALS" if metal.name == "COPPER" else "PRECIOUS METALS",
        "commodity_group_name": "NATURAL RESOURCES",
        "futonly_or_combined": "FutOnly",
    }


def line_of(report: Report) -> list[str]:
    """Return a report as a line of the yearly file, one text for each name of `HEADER`."""
    metal, as_of = report.metal, report.as_of
    row = dict(_numbers(report))
    head = [metal.market, f"{as_of:%y%m%d}", as_of.isoformat(), metal.code, metal.exchange, "01"]
    numbers = [f"{row.get(name, '.'):>8}" for name in _FILE_ORDER]
    tail = [metal.units, metal.code, metal.exchange, f"{metal.code[:3]} ", _subgroup(report), "FutOnly"]
    return [*head, f"{metal.code[:3]} ", *numbers, *tail]


def _subgroup(report: Report) -> str:
    return "N25" if report.metal.name == "COPPER" else "N20"


def _numbers(report: Report) -> Iterator[tuple[str, str]]:
    yield from _positions(report)
    yield from _changes(report)
    yield from _percents(report)
    yield from _traders(report)
    yield from _concentration(report)


def _held(report: Report, place: _Place) -> int:
    crowd, side = place
    if crowd != "tot_rept":
        return report.held[place]
    spreads = sum(report.held[name, "spread"] for name in _SPREADERS)
    return spreads + sum(report.held[name, side] for name in CROWDS)


def _positions(report: Report) -> Iterator[tuple[str, str]]:
    for period in PERIODS:  # metals know no crop years: all is old, nothing is other
        share = 0 if period == "other" else 1
        yield f"open_interest_{period}", str(share * report.open_interest)
        for place in _POSITIONS:
            yield _position_name(place, period), str(share * _held(report, place))


def _changes(report: Report) -> Iterator[tuple[str, str]]:
    before = report.before
    if before is None:
        return
    yield "change_in_open_interest_all", str(report.open_interest - before.open_interest)
    for place in _POSITIONS:
        yield _change_name(place), str(_held(report, place) - _held(before, place))


def _percents(report: Report) -> Iterator[tuple[str, str]]:
    for period in PERIODS:
        share = 0.0 if period == "other" else 100.0 / report.open_interest
        yield f"pct_of_open_interest_{period}", "100.0"
        for place in _POSITIONS:
            yield _percent_name(place, period), f"{share * _held(report, place):.1f}"


def _traders(report: Report) -> Iterator[tuple[str, str]]:
    sides = {s: sum(report.traders[c, s] for c in CROWDS) for s in ("long", "short")}
    for period in PERIODS:
        share = 0 if period == "other" else 1
        yield f"traders_tot_{period}", str(share * round(0.8 * sum(sides.values())))
        for place in _HOLDERS:
            count = sides[place[1]] if place[0] == "tot_rept" else report.traders[place]
            yield _trader_name(place, period), str(share * count)


def _concentration(report: Report) -> Iterator[tuple[str, str]]:
    for period in PERIODS:
        for kind, most, side in _CONCENTRATION:
            share = 0.0 if period == "other" else 100.0 * _held(report, ("tot_rept", side))
            part = (0.24 if most == "4" else 0.36) * (1.0 if kind == "gross" else 0.92)
            yield _concentration_name(kind, most, side, period), f"{part * share / report.open_interest:.1f}"


def _suffix(place: _Place, period: str) -> str:
    if place not in _NUMBERED:
        return f"_{period}"
    return {"all": "", "old": "_1", "other": "_2"}[period]


def _position_name(place: _Place, period: str) -> str:
    crowd, side = place
    gap = "__" if crowd == "swap" and side != "long" else "_"
    return f"{crowd}{gap}positions_{side}{_suffix(place, period)}"


def _change_name(place: _Place) -> str:
    return f"change_in_{place[0]}_{place[1]}{_suffix(place, 'all')}"


def _percent_name(place: _Place, period: str) -> str:
    return f"pct_of_oi_{place[0]}_{place[1]}{_suffix(place, period)}"


def _trader_name(place: _Place, period: str) -> str:
    is_numbered = place in (("other_rept", "short"), ("other_rept", "spread"))
    suffix = {"all": "", "old": "_1", "other": "_2"}[period] if is_numbered else f"_{period}"
    return f"traders_{place[0]}_{place[1]}{suffix}"


def _concentration_name(kind: str, most: str, side: str, period: str) -> str:
    suffix = f"_{period}" if kind == "net" else {"all": "", "old": "_1", "other": "_2"}[period]
    return f"conc_{kind}_le_{most}_tdr_{side}{suffix}"


AMOUNTS: Final = tuple(
    name
    for period in PERIODS
    for name in (f"open_interest_{period}", *(_position_name(place, period) for place in _POSITIONS))
)


def _file_order() -> Iterator[tuple[str, str]]:
    """Yield the API's name and the file's of each number, in the file's order."""
    for period in PERIODS:
        last = period.title()
        yield f"open_interest_{period}", f"Open_Interest_{last}"
        for place in _POSITIONS:
            crowd, side = place
            gap = "__" if crowd == "swap" and side != "long" else "_"
            yield _position_name(place, period), f"{_file(crowd)}{gap}Positions_{side.title()}_{last}"
    yield "change_in_open_interest_all", "Change_in_Open_Interest_All"
    for place in _POSITIONS:
        yield _change_name(place), f"Change_in_{_file(place[0])}_{place[1].title()}_All"
    for period in PERIODS:
        yield f"pct_of_open_interest_{period}", f"Pct_of_Open_Interest_{period.title()}"
        for crowd, side in _POSITIONS:
            name = f"Pct_of_OI_{_file(crowd)}_{side.title()}_{period.title()}"
            yield _percent_name((crowd, side), period), name
    for period in PERIODS:
        yield f"traders_tot_{period}", f"Traders_Tot_{period.title()}"
        for crowd, side in _HOLDERS:
            name = f"Traders_{_file(crowd)}_{side.title()}_{period.title()}"
            yield _trader_name((crowd, side), period), name
    for period in PERIODS:
        for kind, most, side in _CONCENTRATION:
            name = f"Conc_{kind.title()}_LE_{most}_TDR_{side.title()}_{period.title()}"
            yield _concentration_name(kind, most, side, period), name


def _file(crowd: str) -> str:
    return {"nonrept": "NonRept"}.get(crowd, "_".join(part.title() for part in crowd.split("_")))


_ORDER: Final = tuple(_file_order())
_FILE_ORDER: Final = tuple(name for name, _ in _ORDER)
_HEAD: Final = (
    "Market_and_Exchange_Names As_of_Date_In_Form_YYMMDD Report_Date_as_YYYY-MM-DD "
    "CFTC_Contract_Market_Code CFTC_Market_Code CFTC_Region_Code CFTC_Commodity_Code"
).split()
_TEXTS: Final = (
    "id market_and_exchange_names report_date_as_yyyy_mm_dd yyyy_report_week_ww contract_market_name "
    "cftc_contract_market_code cftc_market_code cftc_region_code cftc_commodity_code commodity_name "
    "contract_units cftc_subgroup_code commodity commodity_subgroup_name commodity_group_name "
    "futonly_or_combined"
).split()
_TAIL: Final = (
    "Contract_Units CFTC_Contract_Market_Code_Quotes CFTC_Market_Code_Quotes CFTC_Commodity_Code_Quotes "
    "CFTC_SubGroup_Code FutOnly_or_Combined"
).split()
HEADER: Final = (*_HEAD, *(name for _, name in _ORDER), *_TAIL)
COLUMNS: Final = frozenset((*_TEXTS, *_FILE_ORDER))


class CotTable:
    """The reports as the table of the API, each made into a row once."""

    def __init__(self, history: CotHistory) -> None:
        self._history = history
        self._rows: list[dict[str, str]] = []

    def reports(self, now: datetime) -> Sequence[Report]:
        """Return the reports that had come out by `now`, oldest first."""
        return self._history.published(now)

    def rows(self, now: datetime) -> Sequence[dict[str, str]]:
        """Return the rows of the reports that had come out by `now`."""
        reports = self._history.published(now)
        self._rows += map(row_of, reports[len(self._rows) :])
        return self._rows[: len(reports)]
