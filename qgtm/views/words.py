"""Numbers as people read them: dollars, percent, spans of time; what is not known says so."""

from decimal import Decimal
from typing import Final

UNKNOWN: Final = "unknown"
MINUTE_S: Final = 60
HOUR_S: Final = 60 * MINUTE_S
DAY_S: Final = 24 * HOUR_S


def dollars(amount: Decimal | None, *, cents: bool = False) -> str:
    """Return an amount such as $247,300 or −$12.50."""
    if amount is None:
        return UNKNOWN
    text = f"{abs(amount):,.2f}" if cents else f"{abs(amount):,.0f}"
    return f"{'−' if amount < 0 and text.strip('0.,') else ''}${text}"


def change(amount: Decimal | None) -> str:
    """Return a gain or loss in whole dollars with its sign, such as +$1,412."""
    if amount is None:
        return UNKNOWN
    text = dollars(amount)
    return text if text.startswith("−") or text == "$0" else f"+{text}"


def percent(frac: Decimal | float | None, places: int = 2, *, signed: bool = False) -> str:
    """Return a fraction as a percentage, such as 2.3%; with its sign when `signed`."""
    if frac is None:
        return UNKNOWN
    text = f"{abs(100 * frac):.{places}f}"
    if not text.strip("0."):
        return f"{text}%"
    mark = "−" if frac < 0 else "+" if signed else ""
    return f"{mark}{text}%"


def bound(frac: Decimal) -> str:
    """Return a limit as a percentage with the places it has, such as 8% or 7.5%: a limit is never rounded."""
    return f"{(100 * frac).normalize():f}%"


def span(seconds: float | None) -> str:
    """Return a span of time in its two largest units, such as 14d 7h or 12s."""
    if seconds is None:
        return UNKNOWN
    whole = int(seconds)
    if whole >= DAY_S:
        return f"{whole // DAY_S}d {whole % DAY_S // HOUR_S}h"
    if whole >= HOUR_S:
        return f"{whole // HOUR_S}h {whole % HOUR_S // MINUTE_S}m"
    return f"{whole // MINUTE_S}m {whole % MINUTE_S}s" if whole >= MINUTE_S else f"{whole}s"


def count(number: int | None, word: str) -> str:
    """Return a number with its word, such as 1 position or 3 positions."""
    if number is None:
        return f"{UNKNOWN} {word}s"
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
