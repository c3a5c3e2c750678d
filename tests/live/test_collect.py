"""Feeds that fail, hang and come back, in venue time that is moved by hand."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from qgtm.adapters.clock import ManualClock, SystemClock
from qgtm.adapters.feed_form import Taken
from qgtm.core.bar import BarSet
from qgtm.core.corporate_action import CorporateAction
from qgtm.core.errors import ConfigError, FeedError
from qgtm.core.fact import Fact
from qgtm.live.collect import Board, Collector, Feed, Step, Word, words_from

NOW = datetime(2024, 6, 12, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Shelf:
    """A store that keeps what it is given in a list."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.bars: list[BarSet] = []
        self.actions: list[CorporateAction] = []

    def append(self, facts: Sequence[Fact]) -> int:
        self.facts += facts
        return len(facts)

    def append_bars(self, sets: Sequence[BarSet], now: datetime) -> int:
        self.bars += sets
        return len(sets)

    def append_actions(self, actions: Sequence[CorporateAction]) -> int:
        self.actions += actions
        return len(actions)


def fact(series: str = "DFF", at: datetime = NOW - HOUR, known_at: datetime = NOW - HOUR) -> Fact:
    return Fact(series, at, known_at, 5.33)


def feed(name: str, look: Callable[[datetime], Taken], **more: object) -> Feed:
    return Feed(name=name, look=look, next_due=lambda after: after + HOUR, **more)  # type: ignore[arg-type]


def good(now: datetime) -> Taken:
    return Taken((fact(),))


def broken(now: datetime) -> Taken:
    raise FeedError("fred: no answer. Next: wait.")


class Rig:
    def __init__(self, path: Path, *feeds: Feed) -> None:
        self.said: list[str] = []
        self.clock = ManualClock(NOW)
        self.store = Shelf()
        self.board = Board(path, [each.name for each in feeds], {"sentiment": "REDDIT_CLIENT_ID not set"})
        self.collector = Collector(feeds, self.store, self.board, self.clock, self.said.append)
        self.status = path / "status.json"

    def word(self, name: str = "fred") -> Word:
        return self.board.word(name)


def test_a_look_keeps_its_facts_as_known_when_they_came_and_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path, one := feed("fred", good))
    assert rig.collector.look(one)
    (kept,) = rig.store.facts
    assert (kept.at, kept.known_at) == (NOW - HOUR, NOW)
    assert rig.word() == Word(tried_at=NOW, succeeded_at=NOW, new_facts=1, next_due_at=NOW + HOUR)


def test_a_fact_that_is_published_later_than_it_came_waits_for_its_publication(tmp_path: Path) -> None:
    later = fact(known_at=NOW + HOUR)
    rig = Rig(tmp_path, one := feed("fred", lambda now: Taken((later,))))
    rig.collector.look(one)
    assert rig.store.facts == [later]


def test_a_failure_is_told_in_its_words_and_tried_again_ever_later(tmp_path: Path) -> None:
    rig = Rig(tmp_path, one := feed("fred", broken))
    waits = []
    for _ in range(8):
        assert not rig.collector.look(one)
        due_at = rig.word().next_due_at
        assert due_at is not None
        waits.append((due_at - rig.clock.now()) / timedelta(minutes=1))
    assert waits == [1, 2, 5, 10, 20, 30, 30, 30]
    assert rig.said == ["fred: fred: no answer. Next: wait."]  # once
    assert rig.word().problem == "fred: no answer. Next: wait."


def test_a_success_after_failures_forgets_them_and_is_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, bad := feed("fred", broken))
    rig.collector.look(bad)
    rig.collector.look(feed("fred", good))
    assert (rig.word().problem, rig.word().failures) == ("", 0)
    assert rig.said[-1] == "fred is back"


def test_a_failure_keeps_the_last_success_in_sight(tmp_path: Path) -> None:
    rig = Rig(tmp_path, feed("fred", good))
    rig.collector.look(feed("fred", good))
    rig.clock.set_now(NOW + HOUR)
    rig.collector.look(feed("fred", broken))
    assert (rig.word().succeeded_at, rig.word().tried_at) == (NOW, NOW + HOUR)


def test_a_fault_of_ours_ends_no_feed(tmp_path: Path) -> None:
    def wrong(now: datetime) -> Taken:
        raise ZeroDivisionError("one")

    rig = Rig(tmp_path, one := feed("fred", wrong))
    assert not rig.collector.look(one)
    assert "a fault of ours" in rig.word().problem


def test_nothing_of_a_feed_that_fails_is_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path, one := feed("fred", broken))
    rig.collector.look(one)
    assert rig.store.facts == []


def test_what_is_missing_is_looked_for_again_as_long_as_it_may_come(tmp_path: Path) -> None:
    end = NOW + timedelta(minutes=4)
    one = feed("options_vol", lambda now: Taken((), ("GLD: nothing good",)), again_until=lambda now: end)
    rig = Rig(tmp_path, one)
    dues = []
    for _ in range(3):
        rig.collector.look(one)
        dues.append(rig.word("options_vol").next_due_at)
        rig.clock.set_now(dues[-1] or NOW)
    assert dues[:2] == [NOW + timedelta(minutes=1), NOW + timedelta(minutes=3)]
    assert dues[2] == NOW + timedelta(minutes=3) + HOUR  # in five minutes it would be too late
    assert rig.word("options_vol").missing == ("GLD: nothing good",)


def test_the_board_outlives_its_process_and_names_what_is_off(tmp_path: Path) -> None:
    rig = Rig(tmp_path, one := feed("fred", good))
    rig.collector.look(one)
    again = Rig(tmp_path, one)
    assert again.word() == rig.word()
    assert words_from(rig.status)["sentiment"].off == "REDDIT_CLIENT_ID not set"


@pytest.mark.parametrize("text", ["", "[]", '{"feeds": {"fred": {}}}'])
def test_a_broken_board_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "status.json").write_text(text)
    with pytest.raises(ConfigError, match="Move it away"):
        words_from(tmp_path / "status.json")


def until(is_so: Callable[[], bool]) -> None:
    clock = SystemClock()
    end_s = clock.monotonic() + 10
    while not is_so():
        assert clock.monotonic() < end_s, "it did not come about in time"
        clock.wait(0.01)


@pytest.mark.fault("E11")
def test_a_feed_that_hangs_keeps_no_other_waiting_and_not_the_end_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qgtm.live.collect.END_S", 0.3)
    hanging, stop = Event(), Event()

    def hangs(now: datetime) -> Taken:
        hanging.wait(30)
        return Taken(())

    rig = Rig(tmp_path, feed("cot", hangs), feed("fred", good), feed("ohlcv", broken))
    thread = Thread(target=rig.collector.run, args=(stop,))
    thread.start()
    try:
        until(lambda: rig.word("fred").succeeded_at is not None and rig.word("ohlcv").problem != "")
        rig.clock.set_now(NOW + HOUR)
        until(lambda: rig.word("fred").succeeded_at == NOW + HOUR)
        assert rig.word("cot").tried_at is None
        stop.set()
        thread.join(5)
        assert not thread.is_alive()
    finally:
        stop.set()
        hanging.set()


def test_nothing_is_kept_once_the_collector_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, hanging, stop = Event(), Event(), Event()

    def slow(now: datetime) -> Taken:
        begun.set()
        hanging.wait(30)
        return Taken((fact(),))

    rig = Rig(tmp_path, feed("cot", slow))
    monkeypatch.setattr("qgtm.live.collect.END_S", 0.3)
    thread = Thread(target=rig.collector.run, args=(stop,))
    thread.start()
    assert begun.wait(5)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    hanging.set()
    until(lambda: rig.word("cot").succeeded_at is not None)
    assert rig.store.facts == []


def test_a_feed_with_hours_waits_for_them_at_the_start(tmp_path: Path) -> None:
    stop = Event()
    rig = Rig(tmp_path, feed("options_vol", broken, waits_at_start=True))
    thread = Thread(target=rig.collector.run, args=(stop,))
    thread.start()
    until(lambda: rig.word("options_vol").next_due_at == NOW + HOUR)
    assert rig.word("options_vol").tried_at is None
    rig.clock.set_now(NOW + HOUR)
    until(lambda: rig.word("options_vol").tried_at == NOW + HOUR)
    stop.set()
    thread.join(5)


def test_venue_time_that_cannot_be_read_is_waited_for(tmp_path: Path) -> None:
    class Blind(ManualClock):
        blind = True

        def now(self) -> datetime:
            if self.blind:
                raise ConfigError("no exchange has run yet")
            return super().now()

    stop = Event()
    rig = Rig(tmp_path, feed("fred", good))
    rig.collector.clock = clock = Blind(NOW)
    thread = Thread(target=rig.collector.run, args=(stop,))
    thread.start()
    until(lambda: rig.said == ["fred: no exchange has run yet"])
    clock.blind = False
    until(lambda: rig.word().succeeded_at == NOW)
    stop.set()
    thread.join(5)


def test_a_back_fill_keeps_publication_times_and_tells_each_step(tmp_path: Path) -> None:
    def fill(since: date, now: datetime) -> Iterator[Step]:
        yield Step("DFF", Taken((fact(),)))
        yield Step("SOFR", Taken((fact("SOFR"), fact("SOFR", NOW - 2 * HOUR))))

    one = feed("fred", good, back_fill=fill, parts=2)
    rig = Rig(tmp_path, one)
    told: list[str] = []
    assert rig.collector.fill(one, date(2015, 1, 1), lambda step: told.append(step.words)) == 3
    assert told == ["DFF", "SOFR"]
    assert {each.known_at for each in rig.store.facts} == {NOW - HOUR}


def test_what_came_before_a_step_that_failed_is_kept(tmp_path: Path) -> None:
    def fill(since: date, now: datetime) -> Iterator[Step]:
        yield Step("DFF", Taken((fact(),)))
        raise FeedError("gone")

    one = feed("fred", good, back_fill=fill)
    rig = Rig(tmp_path, one)
    with pytest.raises(FeedError, match="gone"):
        rig.collector.fill(one, date(2015, 1, 1), lambda step: None)
    assert len(rig.store.facts) == 1


def test_the_board_is_json_that_others_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path, one := feed("fred", broken))
    rig.collector.look(one)
    body = json.loads(rig.status.read_text())
    assert body["written_at"] == "2024-06-12T15:00:00.000000Z"
    assert body["feeds"]["fred"]["problem"] == "fred: no answer. Next: wait."
    assert body["feeds"]["fred"]["next_due_at"] == "2024-06-12T15:01:00.000000Z"
