"""The market's regime, and who waits for data, in the partner's words."""

from collections.abc import Mapping
from typing import Final

from qgtm.core.events import RegimeSeen
from qgtm.core.series import MINUTES, FeedName
from qgtm.views.words import percent

STATES: Final = {
    "risk_on": "calm",
    "risk_off": "uneasy",
    "crisis": "in a crisis",
    "transition": "between two states, so none is named",
}
FEEDS: Final[Mapping[str, str]] = {
    FeedName.OHLCV: "prices",
    MINUTES: "prices within the day",
    FeedName.COT: "futures positions (CFTC)",
    FeedName.FRED: "interest rates and the dollar (FRED)",
    FeedName.OPTIONS_VOL: "option prices",
    FeedName.SENTIMENT: "Reddit",
}


def regime_said(seen: RegimeSeen | None) -> str:
    """Return the regime in one sentence, empty when none was told yet."""
    if seen is None:
        return ""
    odds = seen.odds.get(seen.state)
    sure = "" if odds is None else f" ({percent(odds, 0)} sure)"
    wild = "not known yet" if seen.volatility is None else seen.volatility
    return (
        f"The market reads as {STATES.get(seen.state, seen.state)}{sure}; gold's volatility is {wild}; "
        f"a change within two weeks is {percent(seen.change, 0)} likely."
    )


def paused_said(paused: Mapping[str, tuple[str, ...]]) -> str:
    """Return who waits for which data, empty when nobody does."""
    if not paused:
        return ""
    feeds = sorted({feed for each in paused.values() for feed in each})
    names = " and ".join(FEEDS.get(feed, feed) for feed in feeds)
    who = "One strategy waits" if len(paused) == 1 else f"{len(paused)} strategies wait"
    return f"{who} for newer data: {names}. The others go on."
