"""What is known beside the bars: the closed list of series, each with its feed, its unit and its rhythm."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FeedName(StrEnum):
    """The five sources, as the operators name them."""

    OHLCV = "ohlcv"
    COT = "cot"
    FRED = "fred"
    OPTIONS_VOL = "options_vol"
    SENTIMENT = "sentiment"


class Cadence(StrEnum):
    """How often a series is published."""

    SESSION = "session"
    DAILY = "daily"
    WEEKLY = "weekly"
    HOURLY = "hourly"


@dataclass(frozen=True, slots=True)
class Series:
    """One number through time: who publishes it, how often, in what unit, and what it is in words."""

    name: str
    feed: FeedName
    cadence: Cadence
    unit: str
    words: str


FRED_WORDS: Final[dict[str, tuple[str, str]]] = {
    "DFII10": ("percent", "ten-year real yield (inflation-indexed Treasury)"),
    "DFII5": ("percent", "five-year real yield (inflation-indexed Treasury)"),
    "T10YIE": ("percent", "ten-year breakeven inflation"),
    "T5YIE": ("percent", "five-year breakeven inflation"),
    "DGS10": ("percent", "ten-year Treasury yield"),
    "DGS2": ("percent", "two-year Treasury yield"),
    "T10Y2Y": ("percent", "ten-year less two-year Treasury yield"),
    "DTWEXBGS": ("index", "broad trade-weighted dollar"),
    "VIXCLS": ("percent", "implied volatility of the S&P 500 (VIX)"),
    "GVZCLS": ("percent", "implied volatility of gold (GVZ)"),
    "DFF": ("percent", "effective federal funds rate"),
    "SOFR": ("percent", "secured overnight financing rate"),
    "WALCL": ("millions of dollars", "assets of the Federal Reserve"),
    "BAMLH0A0HYM2": ("percent", "high-yield option-adjusted spread"),
}
# Commodity of a series name -> contract code of the CFTC.
COT_CODES: Final[dict[str, str]] = {
    "GOLD": "088691",
    "SILVER": "084691",
    "PLATINUM": "076651",
    "PALLADIUM": "075651",
    "COPPER": "085692",
}
COT_FIELDS: Final[dict[str, str]] = {
    "OI": "open interest",
    "MM_LONG": "managed money, long",
    "MM_SHORT": "managed money, short",
    "PROD_LONG": "producers and merchants, long",
    "PROD_SHORT": "producers and merchants, short",
    "SWAP_LONG": "swap dealers, long",
    "SWAP_SHORT": "swap dealers, short",
}
OPTION_ROOTS: Final[tuple[str, ...]] = ("GLD", "SLV", "GDX")
OPTION_FIELDS: Final[dict[str, tuple[str, str]]] = {
    "IV30": ("frac a year", "at-the-money implied volatility at 30 days"),
    "IV90": ("frac a year", "at-the-money implied volatility at 90 days"),
    "RR25": ("frac a year", "25-delta risk reversal at 30 days: call less put volatility"),
    "CARRY": ("frac a year", "carry of the forward that put-call parity implies at 90 days"),
}
SENTIMENT_FIELDS: Final[dict[str, tuple[str, str]]] = {
    "SCORE": ("mean compound score, -1 to 1", "tone of what was written within 24 hours"),
    "COUNT": ("posts and comments", "how much was written within 24 hours"),
}
SENTIMENT_TOPICS: Final[tuple[str, ...]] = ("GOLD", "SILVER")
# What a session's minutes leave behind, for the rules that look inside a day.
MINUTE_FIELDS: Final[dict[str, str]] = {
    "FIRST30": "log return from the open to 30 minutes later",
    "PRE_FIX": "log return from 9:45 to 10:00 in New York, into the London afternoon fix",
    "POST_FIX": "log return from 10:00 to 11:00 in New York, after the fix",
    "EVENT30": "log return in the 30 minutes after the day's release, or after the open when it came before",
}
MINUTE_ROOTS: Final[tuple[str, ...]] = ("GLD",)
# The part of the prices that comes while the market is open; a rule that looks inside a day reads it too.
MINUTES: Final = "minutes"


def _all() -> Iterator[Series]:
    for name, (unit, words) in FRED_WORDS.items():
        cadence = Cadence.WEEKLY if name == "WALCL" else Cadence.DAILY
        yield Series(name, FeedName.FRED, cadence, unit, words)
    for metal in COT_CODES:
        for field, words in COT_FIELDS.items():
            name = f"COT_{metal}_{field}"
            yield Series(name, FeedName.COT, Cadence.WEEKLY, "contracts", f"{metal.lower()}: {words}")
    for root in OPTION_ROOTS:
        for field, (unit, words) in OPTION_FIELDS.items():
            yield Series(f"{field}_{root}", FeedName.OPTIONS_VOL, Cadence.SESSION, unit, f"{root}: {words}")
    for topic in SENTIMENT_TOPICS:
        for field, (unit, words) in SENTIMENT_FIELDS.items():
            name = f"REDDIT_{topic}_{field}"
            yield Series(name, FeedName.SENTIMENT, Cadence.HOURLY, unit, f"{topic.lower()}: {words}")
    for root in MINUTE_ROOTS:
        for field, words in MINUTE_FIELDS.items():
            yield Series(f"{field}_{root}", FeedName.OHLCV, Cadence.SESSION, "log return", f"{root}: {words}")


SERIES: Final[dict[str, Series]] = {series.name: series for series in _all()}
