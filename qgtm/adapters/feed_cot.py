"""Who holds futures in metals: the CFTC's disaggregated futures-only reports, by its public data service.

New weeks come from the Socrata table, history from the yearly zips as well. A report describes a Tuesday (a
Monday in some weeks of holidays) and is published on the Friday after, later in weeks of holidays and
shutdowns: `published_at` knows. The stamp of a file says nothing, it may be weeks late.
"""

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from qgtm.adapters.feed_form import (
    Row,
    Taken,
    day_of,
    known_only,
    refuse,
    row_of,
    rows_of,
    same,
    start_of,
    text_of,
    value_of,
    whole_of,
)
from qgtm.adapters.fetch import Fetcher
from qgtm.core.errors import FeedError
from qgtm.core.fact import Fact
from qgtm.core.instant import aware_utc, new_york_day
from qgtm.core.series import COT_CODES

DATASET: Final = "72hh-3qpy"  # disaggregated, futures only
PATH: Final = f"/resource/{DATASET}.json"
PAGE: Final = 1000
PAGES: Final = 40
AGAIN: Final = timedelta(days=35)  # the CFTC corrects recent weeks: they are asked for anew each time
MOST_CONTRACTS: Final = 10_000_000
MOST_FILE_BYTES: Final = 200_000_000
DAY: Final = "report_date_as_yyyy_mm_dd"
CODE: Final = "cftc_contract_market_code"
UNITS: Final = "contract_units"
KIND: Final = "futonly_or_combined"
# Field of a series name -> column of the table; the swap dealers' short has two underscores at the CFTC.
COLUMNS: Final[dict[str, str]] = {
    "OI": "open_interest_all",
    "MM_LONG": "m_money_positions_long_all",
    "MM_SHORT": "m_money_positions_short_all",
    "PROD_LONG": "prod_merc_positions_long",
    "PROD_SHORT": "prod_merc_positions_short",
    "SWAP_LONG": "swap_positions_long_all",
    "SWAP_SHORT": "swap__positions_short_all",
}
# The same in the yearly files, whose header is spelled in its own way.
FILE_COLUMNS: Final[dict[str, str]] = {
    "OI": "Open_Interest_All",
    "MM_LONG": "M_Money_Positions_Long_All",
    "MM_SHORT": "M_Money_Positions_Short_All",
    "PROD_LONG": "Prod_Merc_Positions_Long_All",
    "PROD_SHORT": "Prod_Merc_Positions_Short_All",
    "SWAP_LONG": "Swap_Positions_Long_All",
    "SWAP_SHORT": "Swap__Positions_Short_All",
}
FILE_DAY: Final = "Report_Date_as_YYYY-MM-DD"
FILE_CODE: Final = "CFTC_Contract_Market_Code"
FILE_UNITS: Final = "Contract_Units"
FILE_KIND: Final = "FutOnly_or_Combined"
METALS: Final = {code: metal for metal, code in COT_CODES.items()}
CONTRACTS: Final[dict[str, str]] = {
    "GOLD": "(CONTRACTS OF 100 TROY OUNCES)",
    "SILVER": "(CONTRACTS OF 5,000 TROY OUNCES)",
    "PLATINUM": "(CONTRACTS OF 50 TROY OUNCES)",
    "PALLADIUM": "(CONTRACTS OF 100 TROY OUNCES)",
    "COPPER": "(CONTRACTS OF 25,000 POUNDS)",
}
ASKED: Final = (CODE, DAY, *COLUMNS.values(), UNITS, KIND)
PublishedAt = Callable[[date], datetime]


@dataclass(frozen=True, slots=True)
class Week:
    """One market's report: contracts by field, as of a day."""

    metal: str
    as_of: date
    contracts: dict[str, int]


class CotFeed:
    """The reports, from the table; for one thread. `published_at` gives a report's moment by its day."""

    def __init__(self, fetcher: Fetcher, published_at: PublishedAt) -> None:
        self._fetcher = fetcher
        self._published_at = published_at

    def fetch(self, since: date, now: datetime, *, is_back_fill: bool = False) -> Taken:
        """Return the reports from `since` on that are out at `now`, and those that may have been corrected.

        Each is known from its publication on. Raises FeedError.
        """
        start = since if is_back_fill else min(since, new_york_day(now) - AGAIN)
        weeks = tuple(self._weeks(start))
        return Taken(tuple(facts_of(weeks, self._published_at, now)), lacking_in(weeks))

    def _weeks(self, start: date) -> Iterator[Week]:
        codes = ",".join(f"'{code}'" for code in METALS)
        for page in range(PAGES):
            asked = {
                "$select": ",".join(ASKED),
                "$where": f"{CODE} in ({codes}) AND {DAY} >= '{start.isoformat()}T00:00:00.000'",
                "$order": f"{DAY} ASC, {CODE} ASC",
                "$limit": PAGE,
                "$offset": page * PAGE,
            }
            rows = rows_of(self._fetcher.fetch_json(PATH, asked), f"cot {PATH}")
            yield from weeks_from_rows(rows)
            if len(rows) < PAGE:
                return
        raise FeedError(f"cot {PATH}: more than {PAGES} pages; ask for fewer weeks at a time.")


def weeks_from_rows(rows: Sequence[Any]) -> tuple[Week, ...]:
    """Return the reports that the table's rows hold. Raises FeedError naming the field that is wrong."""
    return tuple(_week_from(row_of(row, "cot row"), COLUMNS, (DAY, CODE, UNITS, KIND)) for row in rows)


def weeks_from_zip(content: bytes) -> tuple[Week, ...]:
    """Return the reports on our metals in a yearly file. Raises FeedError for another form of it."""
    where = "cot yearly file"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            (name,) = packed.namelist()
            if packed.getinfo(name).file_size > MOST_FILE_BYTES:
                refuse(where, f"it is longer than {MOST_FILE_BYTES} bytes")
            text = packed.read(name).decode("latin-1")
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, RuntimeError) as problem:
        refuse(where, f"it cannot be unpacked ({problem})")
    names = (FILE_DAY, FILE_CODE, FILE_UNITS, FILE_KIND)
    ours = (row for row in csv.DictReader(io.StringIO(text)) if _code_in(row, where) in METALS)
    weeks = tuple(_week_from(row, FILE_COLUMNS, names) for row in ours)
    if not weeks:
        refuse(where, "it has no row of our metals")
    return weeks


def _code_in(row: Row, where: str) -> str:
    return text_of(row, FILE_CODE, where).strip()


def _week_from(row: Row, columns: dict[str, str], names: tuple[str, str, str, str]) -> Week:
    day, code, units, kind = names
    where = f"cot {str(row.get(day))[:10]} {row.get(code)!r:.12}"
    if columns is COLUMNS:
        known_only(row, ASKED, where)
    metal = METALS.get(text_of(row, code, where).strip())
    if metal is None:
        refuse(where, f"the field {code} is a market that nobody asked for")
    same(row, units, CONTRACTS[metal], where)
    same(row, kind, "FutOnly", where)
    contracts = {field: _contracts(row, column, where) for field, column in columns.items()}
    _refuse_impossible(contracts, columns, where)
    return Week(metal, day_of(row, day, where), contracts)


def _contracts(row: Row, column: str, where: str) -> int:
    if isinstance(value := value_of(row, column, where), str):
        row = {column: value.strip()}
    return whole_of(row, column, where, MOST_CONTRACTS)


def _refuse_impossible(contracts: dict[str, int], columns: dict[str, str], where: str) -> None:
    """Refuse a side whose groups hold more than there is: open interest counts each contract once a side."""
    if contracts["OI"] == 0:
        refuse(where, f"the field {columns['OI']} is 0, and these markets are never empty")
    for side in ("LONG", "SHORT"):
        held = sum(contracts[f"{group}_{side}"] for group in ("MM", "PROD", "SWAP"))
        if held > contracts["OI"]:
            names = ", ".join(columns[f"{group}_{side}"] for group in ("MM", "PROD", "SWAP"))
            refuse(
                where, f"the fields {names} add up to {held}, more than {columns['OI']}, {contracts['OI']}"
            )


def lacking_in(weeks: Sequence[Week]) -> tuple[str, ...]:
    """Return in words which of our markets the newest report does not hold (faults E14)."""
    newest = max((week.as_of for week in weeks), default=None)
    there = {week.metal for week in weeks if week.as_of == newest}
    lost = [metal.lower() for metal in COT_CODES if metal not in there]
    return (f"the report of {newest} has no {', '.join(lost)}",) if lost and newest else ()


def facts_of(weeks: Iterable[Week], published_at: PublishedAt, now: datetime) -> Iterator[Fact]:
    """Yield the facts of the reports that are out at `now`. Raises FeedError when a report comes twice."""
    seen: set[tuple[str, date]] = set()
    for week in weeks:
        if (week.metal, week.as_of) in seen:
            refuse(f"cot {week.as_of} {week.metal}", f"the field {CODE} comes twice for one day")
        seen.add((week.metal, week.as_of))
        known_at = aware_utc(published_at(week.as_of))
        if known_at > now:  # a table that runs ahead of the calendar is not believed before its time
            continue
        for field, contracts in week.contracts.items():
            name = f"COT_{week.metal}_{field}"
            yield Fact(name, aware_utc(start_of(week.as_of)), known_at, float(contracts))
