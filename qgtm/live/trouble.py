"""What the loop notices of itself and of those it asks, and says once: no other part of the fund would."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from qgtm.core.events import AlertRaised, Event, FeedFailed, FeedRecovered

LAG_S: Final = 1.0  # seconds that one turn may take before it is written down
LONG_LAG_S: Final = 10.0  # and before a person is told
LAG_PAUSE_S: Final = 60.0  # seconds between two words on it
BLIND_AFTER: Final = timedelta(hours=4)  # of asking in vain, all in one session


@dataclass
class Troubles:
    """Remember what has been said, so that a trouble that lasts is told once; nothing of it is state."""

    _lag_said_s: float | None = None
    _failing: dict[str, tuple[date | None, datetime]] = field(default_factory=dict)
    _blind: set[str] = field(default_factory=set)
    _is_blocked: bool = False
    _told: set[str] = field(default_factory=set)

    def lag(self, took_s: float, now_s: float) -> list[AlertRaised]:
        """Return what to say of a turn that took so long, in process seconds."""
        if took_s < LAG_S or (self._lag_said_s is not None and now_s - self._lag_said_s < LAG_PAUSE_S):
            return []
        self._lag_said_s = now_s
        level = "yellow" if took_s >= LONG_LAG_S else "info"
        text = f"One turn of the loop took {took_s:.1f} s: something in it computes or waits for too long."
        return [AlertRaised(level=level, cause="loop lag", text=text)]

    def blindness(self, events: Iterable[Event], now: datetime, session: date | None) -> list[AlertRaised]:
        """Return what to say of feeds that were asked in vain for hours of one session, None when closed."""
        said: list[AlertRaised] = []
        for event in events:
            if isinstance(event, FeedRecovered) or (isinstance(event, FeedFailed) and session is None):
                self._failing.pop(event.feed, None)
                self._blind.discard(event.feed)
            elif isinstance(event, FeedFailed) and self._is_blind(event.feed, now, session):
                said.append(_blind_words(event))
        return said

    def _is_blind(self, feed: str, now: datetime, session: date | None) -> bool:
        failing_in, since = self._failing.get(feed, (None, now))
        if failing_in != session:
            self._failing[feed] = (session, now)
            self._blind.discard(feed)
            return False
        if now - since < BLIND_AFTER or feed in self._blind:
            return False
        self._blind.add(feed)
        return True

    def blocked(self, is_blocked: bool) -> list[AlertRaised]:
        """Return what to say once the broker blocks the account."""
        is_new, self._is_blocked = is_blocked and not self._is_blocked, is_blocked
        text = (
            "The broker has blocked the account or its trading: no orders go out, positions stay as they "
            "are. See the broker's own page."
        )
        return [AlertRaised(level="red", cause="account blocked", text=text)] if is_new else []

    def is_news(self, event: Event) -> bool:
        """Return whether an event is worth writing down: an alert of the hands is told once."""
        if not isinstance(event, AlertRaised):
            return True
        is_new = event.text not in self._told
        self._told.add(event.text)
        return is_new


def _blind_words(event: FeedFailed) -> AlertRaised:
    hours = int(BLIND_AFTER.total_seconds() // 3600)
    text = (
        f"The feed of {event.feed} has given nothing for {hours} hours of the session ({event.reason}). "
        "OpA should weigh holding less: the system cuts nothing by itself."
    )
    return AlertRaised(level="orange", cause=f"feed {event.feed}", text=text)
