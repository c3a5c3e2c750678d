"""How Alpaca writes numbers and times: money as plain strings, times in RFC 3339."""

from datetime import UTC, date, datetime
from decimal import Decimal

from qgtm.exchange.hours import NEW_YORK
from qgtm.exchange.wire import Malformed

_RATIO = Decimal("0.000000000000001")
_PRICE = Decimal("0.000001")


def plain(value: Decimal | None) -> str | None:
    """Return a number without exponent or trailing zeros."""
    return None if value is None else number(value)


def number(value: Decimal) -> str:
    """Return a number that is there, without exponent or trailing zeros."""
    return f"{value.normalize():f}" if value else "0"


def money(value: Decimal) -> str:
    """Return dollars to the cent, without trailing zeros."""
    return number(round(value, 2))


def price(value: Decimal | None) -> str | None:
    """Return a price with at most six decimals."""
    return None if value is None else number(value.quantize(_PRICE))


def ratio(part: Decimal, whole: Decimal) -> str:
    """Return part over whole with 15 decimals, zero where there is no whole."""
    return number((part / whole).quantize(_RATIO)) if whole else "0"


def stamp(at: datetime | None) -> str | None:
    """Return a time in UTC with microseconds, as orders carry it."""
    return None if at is None else rfc3339(at)


def rfc3339(at: datetime) -> str:
    """Return a time that is there, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds(at: datetime) -> str:
    """Return a time in UTC to the second, as market data carry it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def local(at: datetime, nanoseconds: bool = False) -> str:
    """Return a time as New York writes it, with its offset."""
    text = at.astimezone(NEW_YORK).isoformat(timespec="microseconds" if nanoseconds else "seconds")
    return text[:26] + "000" + text[26:] if nanoseconds else text


def moment(value: str | None, name: str, *, end_of_day: bool = False) -> datetime | None:
    """Return the time that a client wrote, aware UTC; a day begins in New York. Raises `Malformed`."""
    if not value:
        return None
    try:
        if len(value) == 10:
            hour = (23, 59, 59) if end_of_day else (0, 0, 0)
            return datetime(*date.fromisoformat(value).timetuple()[:3], *hour, tzinfo=NEW_YORK).astimezone(
                UTC
            )
        found = datetime.fromisoformat(value.replace(" ", "+"))
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Malformed(f"invalid {name}: {value}") from None


def day(value: str | None, name: str) -> date | None:
    """Return the day that a client wrote. Raises `Malformed`."""
    if not value:
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        raise Malformed(f"invalid {name}: {value}") from None


def whole(value: str | None, name: str, default: int, most: int) -> int:
    """Return a count between 1 and `most`. Raises `Malformed`."""
    if not value:
        return default
    if not value.isdecimal() or not 1 <= int(value) <= most:
        raise Malformed(f"invalid {name}: {value}; it must lie between 1 and {most}")
    return int(value)


def symbols(value: str | None) -> tuple[str, ...]:
    """Return the symbols of a comma list."""
    return tuple(s.strip().upper() for s in (value or "").split(",") if s.strip())
