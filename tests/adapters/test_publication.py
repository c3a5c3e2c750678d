"""When a value is out and until when it is fresh: dates read off the agencies' pages and wall calendars."""

from datetime import UTC, date, datetime, timedelta

import pytest

from qgtm.adapters.expiry import expiries, first_notice, notices, option_expiry
from qgtm.adapters.freshness import Standing, freshness
from qgtm.adapters.publication import (
    BARS,
    RELEASES,
    fresh_until,
    is_described,
    minute_fresh_until,
    newest_due,
    next_described,
    published_at,
)
from qgtm.core.fact import Fact
from qgtm.core.series import SERIES, FeedName
from qgtm.exchange.market import release


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.fault("E9")
@pytest.mark.parametrize(
    ("series", "described", "out"),
    [
        ("DFII10", "2023-03-09", "2023-03-10 21:15"),  # winter time
        ("DFII10", "2023-03-10", "2023-03-13 20:15"),  # over a weekend and into summer time
        ("DGS2", "2023-11-22", "2023-11-24 21:15"),  # Thanksgiving between
        ("T10YIE", "2023-03-10", "2023-03-10 22:02"),
        ("VIXCLS", "2023-03-10", "2023-03-13 13:36"),
        ("VIXCLS", "2023-10-09", "2023-10-10 13:36"),  # Columbus Day, on which New York trades
        ("DTWEXBGS", "2023-03-06", "2023-03-13 20:15"),
        ("DTWEXBGS", "2023-02-17", "2023-02-21 21:15"),  # Presidents' Day is the Monday
        ("SOFR", "2023-03-10", "2023-03-13 12:00"),
        ("DFF", "2023-03-11", "2023-03-13 20:15"),  # a Saturday
        ("WALCL", "2023-03-08", "2023-03-09 21:30"),
        ("WALCL", "2023-11-22", "2023-11-24 21:30"),  # Thursday is Thanksgiving
        ("COT_GOLD_MM_LONG", "2023-03-07", "2023-03-10 20:30"),
        ("COT_GOLD_MM_LONG", "2024-07-02", "2024-07-08 19:30"),  # cftc.gov, schedule of 2024
        ("COT_GOLD_MM_LONG", "2019-01-08", "2019-02-08 20:30"),  # after a shutdown
        ("IV30_GLD", "2023-11-24", "2023-11-24 18:00"),  # a half day
        (BARS, "2023-03-10", "2023-03-10 21:00"),
    ],
)
def test_value_is_out_when_the_agency_says(series: str, described: str, out: str) -> None:
    assert published_at(series, day(described)) == utc(out)


@pytest.mark.fault("E9", "E1")
@pytest.mark.parametrize(
    ("series", "at", "until"),
    [
        (BARS, "2023-03-10 21:00", "2023-03-13 20:30"),  # Friday's bar until Monday has closed
        (BARS, "2023-04-06 20:00", "2023-04-10 20:30"),  # over Good Friday
        ("IV30_GLD", "2023-03-10 20:30", "2023-03-13 20:30"),
        ("COT_GOLD_MM_LONG", "2023-02-28 05:00", "2023-03-11 20:30"),
        ("COT_GOLD_MM_LONG", "2018-12-18 05:00", "2019-02-02 20:30"),  # six weeks, and on schedule
        ("DFII10", "2023-03-09 05:00", "2023-03-14 20:15"),  # Friday's is out on Monday; a day on top
        ("T10YIE", "2023-03-09 05:00", "2023-03-13 21:02"),
        ("DTWEXBGS", "2023-03-03 05:00", "2023-03-14 20:15"),
        ("WALCL", "2023-03-01 05:00", "2023-03-10 21:30"),
        ("REDDIT_GOLD_COUNT", "2023-03-11 07:00", "2023-03-11 13:00"),
    ],
)
def test_value_is_fresh_until_the_next_one_is_late(series: str, at: str, until: str) -> None:
    assert fresh_until(series, utc(at)) == utc(until)


def test_value_of_some_days_alone_is_never_late() -> None:
    assert fresh_until("EVENT30_GLD", utc("2023-03-10 14:00")) is None
    assert fresh_until("REDDIT_GOLD_SCORE", utc("2023-03-10 14:00")) is None


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2023-03-10 15:00", "2023-03-10 15:02"),
        ("2023-03-10 20:59", "2023-03-13 13:32"),
        ("2023-03-11 20:00", "2023-03-13 13:32"),
        ("2023-03-10 14:00", "2023-03-10 14:32"),  # before the open
    ],
)
def test_minute_is_fresh_for_two_minutes_of_market_hours(at: str, until: str) -> None:
    assert minute_fresh_until(utc(at)) == utc(until)


def test_newest_value_that_is_due_is_the_last_that_is_out() -> None:
    sunday = utc("2023-03-12 12:00")
    assert newest_due(BARS, sunday) == day("2023-03-10")
    assert newest_due("DFII10", sunday) == day("2023-03-09")
    assert newest_due("COT_SILVER_OI", sunday) == day("2023-03-07")
    assert newest_due("DTWEXBGS", sunday) == day("2023-03-03")


@pytest.mark.parametrize("series", sorted(SERIES))
def test_every_series_has_a_schedule_that_moves_on(series: str) -> None:
    start = day("2023-03-08")
    if fresh_until(series, utc("2023-03-08 20:00")) is None or series.endswith("_COUNT"):
        return
    assert is_described(series, next_described(series, start))
    assert published_at(series, newest_due(series, utc("2023-03-12 12:00"))) <= utc("2023-03-12 12:00")


def test_embedded_exchange_publishes_by_the_same_calendar() -> None:
    """It was written from the same pages by other means, and may not import this one."""
    for series in RELEASES:
        at = day("2022-12-01")
        while at < day("2024-02-01"):
            if is_described(series, at):
                assert published_at(series, at) == release.published_at(series, at), (series, at)
            at += timedelta(days=1)


@pytest.mark.parametrize(
    ("year", "month", "end"),
    [(2023, 3, "2023-03-17"), (2022, 4, "2022-04-14"), (2019, 4, "2019-04-18"), (2024, 6, "2024-06-21")],
)
def test_options_end_on_the_third_friday_or_before_it(year: int, month: int, end: str) -> None:
    assert option_expiry(year, month) == day(end)  # Good Friday 2022 and 2019 are holidays


def test_months_of_gold_end_on_the_last_session_before_them() -> None:
    assert first_notice(2023, 4) == day("2023-03-31")
    assert notices("gold", day("2023-01-01"), day("2023-06-30")) == (
        day("2023-01-31"), day("2023-03-31"), day("2023-05-31"),
    )  # fmt: skip
    assert notices("silver", day("2023-11-30"), day("2023-11-30")) == (day("2023-11-30"),)
    assert expiries(day("2023-03-17"), day("2023-04-20")) == (day("2023-03-17"),)


# --- the table -----------------------------------------------------------------------------------

SUNDAY = utc("2023-03-12 16:00")
NEWEST = {
    "DTWEXBGS": "2023-03-03 05:00", "WALCL": "2023-03-08 05:00", "DFF": "2023-03-09 05:00",
    "T10YIE": "2023-03-10 05:00", "T5YIE": "2023-03-10 05:00", "T10Y2Y": "2023-03-10 05:00",
}  # fmt: skip


def known(name: str) -> Fact:
    feed = SERIES[name].feed
    text = {
        FeedName.FRED: NEWEST.get(name, "2023-03-09 05:00"),
        FeedName.COT: "2023-03-07 05:00",
        FeedName.OPTIONS_VOL: "2023-03-10 20:30",
        FeedName.SENTIMENT: "2023-03-12 15:00",
        FeedName.OHLCV: "2023-03-10 21:30",
    }[feed]
    return Fact(name, utc(text), utc(text), 1.0)


@pytest.mark.fault("E1")
def test_feeds_of_a_quiet_sunday_are_fresh_and_positions_on_schedule() -> None:
    found = {each.feed: each for each in freshness(known, day("2023-03-10"), SUNDAY, {})}
    assert {feed.value: each.standing.value for feed, each in found.items()} == {
        "ohlcv": "fresh", "cot": "on schedule", "fred": "fresh", "options_vol": "fresh", "sentiment": "fresh",
    }  # fmt: skip
    assert found[FeedName.OHLCV].at == utc("2023-03-10 21:00")  # of the bars, not of the last minutes
    assert all(each.why == "" and each.is_good for each in found.values())


@pytest.mark.fault("E14")
def test_one_series_that_is_late_makes_its_feed_stale_and_no_other() -> None:
    def last(name: str) -> Fact | None:
        late = Fact(name, utc("2023-03-02 05:00"), utc("2023-03-03 05:00"), 1.0)
        return late if name == "GVZCLS" else None if name == "SOFR" else known(name)

    found = {each.feed: each for each in freshness(last, day("2023-03-10"), SUNDAY, {})}
    fred = found.pop(FeedName.FRED)
    assert (fred.standing, fred.is_good) == (Standing.STALE, False)
    assert fred.why == "GVZCLS due by Tue 07 Mar 09:36 New York; nothing of SOFR"
    assert all(each.is_good for each in found.values())


def test_feed_that_is_off_says_why_and_one_without_data_says_so() -> None:
    found = {
        each.feed: each
        for each in freshness(lambda name: None, None, SUNDAY, {"sentiment": "no key", "fred": "no key"})
    }
    assert (found[FeedName.FRED].standing, found[FeedName.FRED].why) == (Standing.OFF, "no key")
    assert found[FeedName.COT].standing is Standing.EMPTY
    assert found[FeedName.OHLCV].standing is Standing.EMPTY


@pytest.mark.fault("E1")
def test_bars_are_stale_once_another_session_has_closed_without_one() -> None:
    def standing(now: str) -> Standing:
        return freshness(known, day("2023-03-10"), utc(now), {})[0].standing

    assert standing("2023-03-13 20:29") is Standing.FRESH
    assert standing("2023-03-13 20:31") is Standing.STALE
