"""What is known beside the bars reaches the decision of its session, and a late feed pauses its readers."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from qgtm.adapters.lake import LakeWriter
from qgtm.adapters.publication import published_at
from qgtm.core.events import BarsClosed, FeedFailed, FeedRecovered
from qgtm.core.fact import Fact
from qgtm.core.instant import NEW_YORK
from qgtm.core.series import SERIES, FeedName
from qgtm.live.beside import NOT_FETCHED, NothingBeside, StoreBeside, waiting
from qgtm.live.collect import STATUS, Board, Word
from tests.engine.making import always

WEDNESDAY = date(2022, 3, 16)
CLOSE = datetime(2022, 3, 16, 20, tzinfo=UTC)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def facts(until: date) -> list[Fact]:
    """Return a year of every macro series up to `until`, each known when it is published."""
    days = [until - timedelta(days=back) for back in range(30, -1, -1)]
    return [
        Fact(name, midnight(day), published_at(name, day), 1.0 + day.day)
        for name, each in SERIES.items()
        if each.feed is FeedName.FRED
        for day in days
        if day.weekday() < 5 and (name != "WALCL" or day.weekday() == 2)
    ]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path / "feeds", ["fred"], {})


def beside(tmp_path: Path, *read: str) -> StoreBeside:
    return StoreBeside(tmp_path / "store", tmp_path / "feeds" / STATUS, read)


def fill(tmp_path: Path, until: date) -> None:
    with LakeWriter(tmp_path / "store") as lake:
        lake.append(facts(until))


def test_a_row_holds_what_was_known_at_its_close_and_nothing_later(tmp_path: Path) -> None:
    fill(tmp_path, WEDNESDAY)
    early, late = beside(tmp_path).rows([CLOSE, CLOSE + timedelta(days=5)])
    value, day = early["DGS10"]
    assert published_at("DGS10", date.fromordinal(day)) <= CLOSE
    assert day < WEDNESDAY.toordinal()  # the yield of a day is out after its close
    assert late["DGS10"] == (1.0 + WEDNESDAY.day, WEDNESDAY.toordinal())
    assert value == 1.0 + date.fromordinal(day).day
    assert "COT_GOLD_OI" not in early


def test_what_the_collector_adds_is_seen_without_opening_anew(tmp_path: Path) -> None:
    found = beside(tmp_path)
    assert not set(found.rows([CLOSE])[0]) & set(SERIES)  # the calendar needs nobody's word
    fill(tmp_path, WEDNESDAY)
    assert "DGS10" in found.rows([CLOSE])[0]


@pytest.mark.fault("E1")
@pytest.mark.fault("E9")
def test_a_feed_is_late_by_its_calendar_and_well_again_when_it_comes(tmp_path: Path, board: Board) -> None:
    board.note("fred", Word(tried_at=CLOSE, succeeded_at=CLOSE), CLOSE)
    fill(tmp_path, WEDNESDAY)
    found = beside(tmp_path, "fred")
    assert found.judged(CLOSE) == [FeedRecovered(feed="fred")] or FeedRecovered(feed="fred") in found.judged(
        CLOSE
    )
    in_two_weeks = CLOSE + timedelta(days=14)
    late = [event for event in found.judged(in_two_weeks) if isinstance(event, FeedFailed)]
    assert [event.feed for event in late] == ["fred"]
    assert "due by" in late[0].reason
    fill(tmp_path, WEDNESDAY + timedelta(days=14))
    assert not [event for event in found.judged(in_two_weeks) if isinstance(event, FeedFailed)]


def test_weekend_makes_nothing_late(tmp_path: Path, board: Board) -> None:
    friday = date(2022, 3, 18)
    board.note("fred", Word(tried_at=CLOSE, succeeded_at=CLOSE), CLOSE)
    fill(tmp_path, friday)
    sunday = datetime(2022, 3, 20, 15, tzinfo=NEW_YORK)
    assert not [event for event in beside(tmp_path, "fred").judged(sunday) if isinstance(event, FeedFailed)]


def test_nobody_is_bothered_about_feeds_that_nobody_fetches_or_reads(tmp_path: Path) -> None:
    assert not [event for event in beside(tmp_path).judged(CLOSE) if isinstance(event, FeedFailed)]


def test_a_feed_that_is_read_and_not_fetched_or_off_is_named_with_the_cure(tmp_path: Path) -> None:
    found = beside(tmp_path, "fred", "cot")
    failed = {event.feed: event for event in found.judged(CLOSE) if isinstance(event, FeedFailed)}
    assert {name: event.reason for name, event in failed.items()} == {"fred": NOT_FETCHED, "cot": NOT_FETCHED}
    Board(tmp_path / "feeds", [], {"cot": "COT needs a key"}).note("cot", Word(off="COT needs a key"), CLOSE)
    off = {event.feed: event.reason for event in found.judged(CLOSE) if isinstance(event, FeedFailed)}
    assert "COT needs a key" in off["cot"]
    macro, prices = always("macro", GLD=1.0), always("prices", GLD=1.0)
    object.__setattr__(macro, "feeds", ("ohlcv", "cot"))
    assert waiting([failed["cot"]], (macro, prices)) == "macro wait for cot"


def test_a_damaged_board_fails_the_feeds_that_are_read(tmp_path: Path) -> None:
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / STATUS).write_text("{")
    told = beside(tmp_path, "fred", "ohlcv").judged(CLOSE)
    assert [(type(event), event.feed) for event in told] == [(FeedFailed, "fred")]  # type: ignore[attr-defined]


def test_boot_waits_for_the_first_look_of_each_feed(tmp_path: Path, board: Board) -> None:
    assert beside(tmp_path).is_filled()  # nobody has written a board
    board.note("fred", Word(), CLOSE)
    assert not beside(tmp_path).is_filled()
    board.note("fred", Word(tried_at=CLOSE, problem="down"), CLOSE)
    assert beside(tmp_path).is_filled()


def test_a_market_of_bars_alone_judges_nothing() -> None:
    nothing = NothingBeside()
    assert list(nothing.rows([CLOSE, CLOSE])) == [{}, {}]
    assert not nothing.judged(CLOSE)
    assert nothing.is_filled()
    assert BarsClosed(session=WEDNESDAY, known_at=CLOSE, bars={}).known == {}


def test_a_feed_whose_first_look_is_to_come_is_not_late(tmp_path: Path, board: Board) -> None:
    board.note("fred", Word(next_due_at=CLOSE), CLOSE)
    found = beside(tmp_path, "fred")
    assert FeedRecovered(feed="fred") in found.judged(CLOSE - timedelta(hours=1))
    assert found.is_filled()
