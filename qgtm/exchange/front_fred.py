"""FRED and ALFRED over the wire: observations as they were known, vintage dates, releases and their dates."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo

from qgtm.exchange.fred_title import TITLES
from qgtm.exchange.market.release import RELEASE_OF, RELEASES, Release, event_days
from qgtm.exchange.market.vintage import SERIES, Vintage
from qgtm.exchange.wire import Call, Response

PREFIXES: Final = ("/fred/",)
LIMITED: Final = Response(
    429, {"error_code": 429, "error_message": "Too Many Requests.  Exceeded Rate Limit"}
)
FIRST: Final = date(1776, 7, 4)
LAST: Final = date(9999, 12, 31)
MOST_VINTAGES: Final = 2000
_CENTRAL: Final = ZoneInfo("America/Chicago")  # FRED's days are those of St. Louis
_DAY: Final = timedelta(days=1)
_MOST_ROWS: Final = 100_000


class BadRequest(ValueError):
    """A request that FRED answers with 400; its text is the message after the two words."""


@dataclass(frozen=True, slots=True)
class Period:
    """One row of a series: what it says of `day`, and from when to when it said so (real time)."""

    day: date
    value: float | None
    start: date
    end: date


def answer(call: Call) -> Response:
    """Answer a request under `/fred/`."""
    handler = _TABLE.get(call.request.path.rstrip("/"))
    if handler is None or call.request.method != "GET":
        return _said(404, "Not Found")
    try:
        if not call.request.query.get("api_key"):
            _bad("Variable api_key is not set.  Read https://fred.stlouisfed.org/docs/api/api_key.html.")
        if call.request.query.get("file_type") != "json":
            _bad("Variable file_type is not json, the only one that is spoken here.")
        return Response(200, handler(call))
    except BadRequest as problem:
        return _said(400, f"Bad Request.  {problem}")


def _said(status: int, message: str) -> Response:
    return Response(status, {"error_code": status, "error_message": message})


def _bad(message: str) -> NoReturn:
    raise BadRequest(message)


def _observations(call: Call) -> dict[str, Any]:
    name, today, query = _series(call), _today(call), call.request.query
    start, end = _date(call, "realtime_start", today), _date(call, "realtime_end", today)
    first, last = _date(call, "observation_start", FIRST), _date(call, "observation_end", LAST)
    kind = _choice(call, "output_type", "1", ("1", "2", "4"))
    vintages = _asked_vintages(call)
    if vintages:
        start, end = vintages[0], vintages[-1]
    periods = list(periods_of(call.exchange.beside.fred.known(name, call.now)))
    _check_span(start, end, periods, today)
    rows = [p for p in periods if first <= p.day <= last]
    rows = _transformed(rows, _choice(call, "units", "lin", tuple(_UNITS)))
    shown = _shown(rows, kind, start, end, vintages)
    body: dict[str, Any] = {"realtime_start": _text(start), "realtime_end": _text(end)}
    body |= {"observation_start": _text(first), "observation_end": _text(last)}
    body |= {"units": query.get("units", "lin"), "output_type": int(kind), "file_type": "json"}
    return body | _paged(call, shown, "observations", "observation_date", _MOST_ROWS)


def periods_of(known: Sequence[Vintage]) -> Iterable[Period]:
    """Yield the rows that vintages make: each stands from its release to the day before the next."""
    for day, versions in groupby(known, key=attrgetter("day")):
        rows = list(versions)
        starts = [row.known_at.astimezone(_CENTRAL).date() for row in rows]
        ends = [*(start - _DAY for start in starts[1:]), LAST]
        for row, start, end in zip(rows, starts, ends, strict=True):
            yield Period(day, row.value, start, end)


def _check_span(start: date, end: date, periods: Sequence[Period], today: date) -> None:
    if start > today:
        _bad(f"Variable realtime_start can not be after today's date ({today}).")
    if start > end:
        _bad(f"Variable realtime_start ({start}) can not be after variable realtime_end ({end}).")
    dates = {p.start for p in periods}
    if not dates or end < min(dates):
        _bad("The series does not exist in ALFRED but may exist in FRED for the real-time period asked for.")
    count = sum(start <= day <= end for day in dates)
    if count > MOST_VINTAGES:
        _bad(
            f"There are {count} vintage dates in the specified real-time period: {start} to {end}.  This "
            f"exceeds the maximum number of vintage dates allowed for this file type ({MOST_VINTAGES})."
        )


def _shown(
    rows: Sequence[Period], kind: str, start: date, end: date, vintages: Sequence[date]
) -> list[dict[str, Any]]:
    if kind == "4":  # what was said first
        firsts = [next(group) for _, group in groupby(rows, key=attrgetter("day"))]
        return [_row(p, max(p.start, start), min(p.end, end)) for p in firsts if start <= p.start <= end]
    if kind == "2":
        return _columns(rows, vintages or sorted({p.start for p in rows if start <= p.start <= end}))
    if vintages:
        return [_row(p, v, v) for p in rows for v in vintages if p.start <= v <= p.end]
    return [_row(p, max(p.start, start), min(p.end, end)) for p in rows if p.start <= end and p.end >= start]


def _row(period: Period, start: date, end: date) -> dict[str, Any]:
    return {
        "realtime_start": _text(start),
        "realtime_end": _text(end),
        "date": _text(period.day),
        "value": _value(period.value),
    }


def _columns(rows: Sequence[Period], vintages: Sequence[date]) -> list[dict[str, Any]]:
    """Return a row a day, with a column for each vintage: the query's own series leads its name."""
    found: list[dict[str, Any]] = []
    for day, versions in groupby(rows, key=attrgetter("day")):
        said = [(p, v) for p in versions for v in vintages if p.start <= v <= p.end]
        if said:
            found.append({"date": _text(day)} | {f"{v:%Y%m%d}": _value(p.value) for p, v in said})
    return found


def _value(value: float | None) -> str:
    return "." if value is None else f"{value:.10g}" if math.isfinite(value) else "."


def _transformed(rows: list[Period], units: str) -> list[Period]:
    """Return the rows in other units; changes are between rows that stood at the same time."""
    change = _UNITS[units]
    if units == "lin":
        return rows
    found: list[Period] = []
    before: list[Period] = []
    for _, group in groupby(rows, key=attrgetter("day")):
        versions = list(group)
        for p in versions:
            old = next((b.value for b in reversed(before) if b.start <= p.start), None)
            found.append(Period(p.day, change(p.value, old), p.start, p.end))
        before = versions if any(p.value is not None for p in versions) else before
    return found


def _difference(value: float | None, old: float | None) -> float | None:
    return None if value is None or old is None else round(value - old, 10)


def _percent_change(value: float | None, old: float | None) -> float | None:
    return None if value is None or not old else round((value / old - 1.0) * 100.0, 5)


def _logarithm(value: float | None, old: float | None) -> float | None:
    return None if value is None or value <= 0 else round(math.log(value), 5)


_UNITS: Final[dict[str, Callable[[float | None, float | None], float | None]]] = {
    "lin": lambda value, _: value,
    "chg": _difference,
    "pch": _percent_change,
    "log": _logarithm,
}


def _vintage_dates(call: Call) -> dict[str, Any]:
    name, start, end = _series(call), _date(call, "realtime_start", FIRST), _date(call, "realtime_end", LAST)
    known = periods_of(call.exchange.beside.fred.known(name, call.now))
    dates = sorted({p.start for p in known if start <= p.start <= end})
    head = {"realtime_start": _text(start), "realtime_end": _text(end)}
    return head | _paged(call, [_text(day) for day in dates], "vintage_dates", "vintage_date", 10_000)


def _about(call: Call) -> dict[str, Any]:
    name, today = _series(call), _text(_today(call))
    known = call.exchange.beside.fred.known(name, call.now)
    if not known:
        _bad("The series does not exist.")
    title = TITLES[name]
    updated = max(row.known_at for row in known).astimezone(_CENTRAL)
    about = {
        "id": name,
        "realtime_start": today,
        "realtime_end": today,
        "title": title.title,
        "observation_start": _text(known[0].day),
        "observation_end": _text(known[-1].day),
        "frequency": title.frequency,
        "frequency_short": title.frequency[0],
        "units": title.units,
        "units_short": title.units_short,
        "seasonal_adjustment": "Not Seasonally Adjusted",
        "seasonal_adjustment_short": "NSA",
        "last_updated": f"{updated:%Y-%m-%d %H:%M:%S%z}"[:-2],
        "popularity": 80,
        "notes": "Invented: made by the paper exchange from its own prices.",
    }
    return {"realtime_start": today, "realtime_end": today, "seriess": [about]}


def _series_release(call: Call) -> dict[str, Any]:
    today = _text(_today(call))
    release = RELEASES[RELEASE_OF[_series(call)]]
    return {"realtime_start": today, "realtime_end": today, "releases": [_about_release(release, today)]}


def _about_release(release: Release, today: str) -> dict[str, Any]:
    span = {"realtime_start": today, "realtime_end": today}
    return {"id": release.number, **span, "name": release.name, "press_release": True, "link": release.link}


def _release_dates(call: Call) -> dict[str, Any]:
    text = call.request.query.get("release_id") or _bad("Variable release_id is not set.")
    if not text.isdecimal() or len(text) > 10 or int(text) not in RELEASES:
        _bad("The release does not exist.")
    start, end = _date(call, "realtime_start", FIRST), _date(call, "realtime_end", LAST)
    rows = [
        {"release_id": int(text), "date": _text(day)} for day in _dates(call, RELEASES[int(text)], start, end)
    ]
    head = {"realtime_start": _text(start), "realtime_end": _text(end)}
    return head | _paged(call, rows, "release_dates", "release_date", 10_000)


def _all_release_dates(call: Call) -> dict[str, Any]:
    today = _today(call)
    start, end = _date(call, "realtime_start", date(today.year, 1, 1)), _date(call, "realtime_end", LAST)
    rows = [
        {"release_id": release.number, "release_name": release.name, "date": _text(day)}
        for release in RELEASES.values()
        for day in _dates(call, release, start, end)
    ]
    rows.sort(key=lambda row: (row["date"], row["release_id"]))
    head = {"realtime_start": _text(start), "realtime_end": _text(end)}
    return head | _paged(call, rows, "release_dates", "release_date", 1000, "desc")


def _dates(call: Call, release: Release, start: date, end: date) -> list[date]:
    """Return the days of a release; those to come only where the query asks for days without data."""
    today, first = _today(call), call.exchange.beside.macro.first
    years = range(max(first.year, start.year), min(today.year + 1, end.year) + 1)
    days = [day for year in years for day in event_days(release.number, year) if start <= day <= end]
    if call.request.query.get("include_release_dates_with_no_data") == "true":
        return days
    return [day for day in days if day < today or (day == today and _is_out(call, release))]


def _is_out(call: Call, release: Release) -> bool:
    local = call.now.astimezone(ZoneInfo("America/New_York"))
    return (local.hour, local.minute) >= (release.hour, release.minute)


def _paged(
    call: Call, rows: Sequence[Any], name: str, order: str, most: int, usual: str = "asc"
) -> dict[str, Any]:
    sort = _choice(call, "sort_order", usual, ("asc", "desc"))
    limit, offset = _whole(call, "limit", most, 1, most), _whole(call, "offset", 0, 0, 10**9)
    ordered = rows[::-1] if sort == "desc" else rows
    page = {"order_by": order, "sort_order": sort, "count": len(rows), "offset": offset, "limit": limit}
    return page | {name: list(ordered[offset : offset + limit])}


def _series(call: Call) -> str:
    name = call.request.query.get("series_id") or _bad("Variable series_id is not set.")
    if name not in SERIES:
        _bad("The series does not exist.")
    return name


def _asked_vintages(call: Call) -> list[date]:
    text = call.request.query.get("vintage_dates") or ""
    return sorted(_date_from(part, "vintage_dates") for part in text.split(",") if part)


def _date(call: Call, name: str, usual: date) -> date:
    text = call.request.query.get(name)
    return usual if not text else _date_from(text, name)


def _date_from(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(f"The value for variable {name} is not a date in YYYY-MM-DD format.") from error


def _choice(call: Call, name: str, usual: str, known: tuple[str, ...]) -> str:
    value = call.request.query.get(name) or usual
    if value not in known:
        _bad(f"Value of {name} is not one of: {', '.join(known)}.")
    return value


def _whole(call: Call, name: str, usual: int, low: int, high: int) -> int:
    text = call.request.query.get(name) or str(usual)
    if not text.isdecimal() or len(text) > 10 or not low <= int(text) <= high:
        _bad(f"Variable {name} is not between {low} and {high}.")
    return int(text)


def _today(call: Call) -> date:
    return call.now.astimezone(_CENTRAL).date()


def _text(day: date | datetime) -> str:
    return f"{day.year:04d}-{day.month:02d}-{day.day:02d}"


_TABLE: Final[dict[str, Callable[[Call], dict[str, Any]]]] = {
    "/fred/series": _about,
    "/fred/series/observations": _observations,
    "/fred/series/vintagedates": _vintage_dates,
    "/fred/series/release": _series_release,
    "/fred/release/dates": _release_dates,
    "/fred/releases/dates": _all_release_dates,
}
