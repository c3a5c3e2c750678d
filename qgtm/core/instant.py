"""Moments and sessions: aware UTC datetimes, New York's calendar days."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def aware_utc(at: datetime) -> datetime:
    """Return `at` in UTC; raise ValueError for a naive one, whose zone cannot be known."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone; pass an aware datetime")
    return at.astimezone(UTC)


def text_from_instant(at: datetime) -> str:
    """Return `at` as ISO 8601 in UTC with microseconds, so that text sorts as time does."""
    return aware_utc(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant_from_text(text: str) -> datetime:
    """Return the aware UTC datetime that `text_from_instant` wrote; raise ValueError otherwise."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def new_york_day(at: datetime) -> date:
    """Return the calendar day in New York at `at`."""
    return aware_utc(at).astimezone(NEW_YORK).date()
