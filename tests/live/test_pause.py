"""Venue time stands while a request waits for OpB."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qgtm.adapters.clock import ManualClock
from qgtm.adapters.journal import SqliteJournal
from qgtm.core.errors import BrokerError
from qgtm.core.events import AlertRaised, Booted, Event, RequestEnded, RequestMade
from qgtm.core.request import Act, Outcome, Person, Request
from qgtm.live.pause import VenuePause

AT = datetime(2026, 3, 2, 19, 30, tzinfo=UTC)


@dataclass
class Held:
    """A venue that remembers what it was told."""

    told: list[str] = field(default_factory=list)
    is_away: bool = False

    def hold(self, name: str, ttl_s: float) -> None:
        if self.is_away:
            raise BrokerError("away")
        self.told.append("hold")

    def release(self, name: str) -> None:
        self.told.append("release")


def made(number: int) -> RequestMade:
    request = Request(
        request_id=f"r{number}", act=Act.RESET, by=Person.OPA, text="t", epoch=1, detail={}, limits_sha="",
        head="", nonce="n", made_at=AT, expires_at=AT + timedelta(minutes=10),
    )  # fmt: skip
    return RequestMade(request=request, monotonic_s=0.0, epoch=1)


def ended(number: int) -> RequestEnded:
    return RequestEnded(request_id=f"r{number}", outcome=Outcome.REJECTED, by="OpB", reason="no")


BOOTED = Booted(
    epoch=2, version="1", venue="embedded", manifest_sha="", config_sha="", account_number="", strategies=(),
    strategies_total=0,
)  # fmt: skip


@pytest.fixture
def pause(tmp_path: Path) -> VenuePause:
    return VenuePause(tmp_path / "journal.db", Held(), ManualClock(AT))


def told(pause: VenuePause, *events: Event, wait_s: float = 0.0) -> list[str]:
    """Write events, look once, and return what the venue was told by it."""
    with SqliteJournal(pause.journal) as journal:
        journal.append(list(events), AT)
    pause.clock.wait(wait_s)  # type: ignore[attr-defined]
    venue = pause.venue
    assert isinstance(venue, Held)
    venue.told.clear()
    pause.look()
    return list(venue.told)


def test_venue_time_stands_from_the_request_to_its_end(pause: VenuePause) -> None:
    assert told(pause, AlertRaised(level="info", cause="c", text="t")) == []
    assert told(pause, made(1)) == ["hold"]
    assert told(pause, wait_s=9) == []
    assert told(pause, wait_s=1) == ["hold"]  # renewed long before it would end by itself
    assert told(pause, ended(1)) == ["release"]
    assert told(pause) == []


def test_one_request_of_two_that_ends_releases_nothing(pause: VenuePause) -> None:
    assert told(pause, made(1), made(2), ended(1)) == ["hold"]
    assert told(pause, ended(2)) == ["release"]


def test_request_of_a_daemon_that_is_gone_holds_nothing(pause: VenuePause) -> None:
    assert told(pause, made(1)) == ["hold"]
    assert told(pause, BOOTED) == ["release"]


def test_scheduler_that_is_started_anew_holds_what_still_waits(pause: VenuePause) -> None:
    told(pause, made(1), ended(1), made(2))
    again = VenuePause(pause.journal, Held(), pause.clock)
    assert told(again) == ["hold"]


def test_journal_put_anew_is_read_from_its_start(pause: VenuePause) -> None:
    told(pause, AlertRaised(level="info", cause="c", text="t"), made(1))
    for path in pause.journal.parent.glob("journal.db*"):
        path.unlink()
    assert told(pause, AlertRaised(level="info", cause="c", text="other"), made(2), ended(2)) == ["release"]


def test_exchange_that_is_away_is_asked_again(pause: VenuePause) -> None:
    venue = pause.venue
    assert isinstance(venue, Held)
    venue.is_away = True
    with pytest.raises(BrokerError):
        told(pause, made(1))
    venue.is_away = False
    assert told(pause) == ["hold"]
