"""FRED with its vintages: what is asked for, when a value counts as known, and what is refused."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.feed_fred import (
    KINDS,
    FredFeed,
    known_from,
    released_at,
    rows_of_reply,
)
from qgtm.core.errors import FeedError
from qgtm.core.series import FRED_WORDS
from tests.adapters.alpaca_venue import Talk, Venue, reply, serving
from tests.adapters.feeding import fetcher

NOW = datetime(2024, 6, 28, 21, 0, tzinfo=UTC)


def series(**changed: object) -> dict[str, Any]:
    return {"realtime_start": "2024-06-28", "realtime_end": "2024-06-28", "seriess": [
        {"id": "DFII10", "title": "T", "units": "Percent", "units_short": "%", **changed}
    ]}  # fmt: skip


def row(day: str, vintage: str, value: object, **changed: object) -> dict[str, object]:
    return {"realtime_start": vintage, "realtime_end": "9999-12-31", "date": day, "value": value, **changed}


def observations(*rows: object, **changed: object) -> dict[str, Any]:
    head = {
        "realtime_start": "2024-06-17", "realtime_end": "2024-06-28", "observation_start": "2024-02-19",
        "observation_end": "9999-12-31", "units": "lin", "output_type": 1, "file_type": "json",
        "order_by": "observation_date", "sort_order": "asc", "count": len(rows), "offset": 0, "limit": 100000,
    }  # fmt: skip
    return {**head, "observations": list(rows), **changed}


@contextmanager
def fred(
    *answers: dict[str, Any], of: dict[str, Any] | None = None, first: str = "1999-01-01"
) -> Iterator[tuple[FredFeed, Venue]]:
    """Answer what a series is from one place and its observations, in turn, from another."""
    told = list(answers)

    def answer(talk: Talk) -> None:
        if talk.asked.path.endswith("/vintagedates"):
            reply(200, {"vintage_dates": [first]})(talk)
            return
        is_rows = talk.asked.path.endswith("/observations")
        body = (told.pop(0) if len(told) > 1 else told[0]) if is_rows else (of or series())
        reply(200, body)(talk)

    with serving(answer) as vendor:
        yield FredFeed(fetcher(vendor.url)), vendor


def refusal(*answers: dict[str, Any], of: dict[str, Any] | None = None) -> str:
    with fred(*answers, of=of) as (feed, _), pytest.raises(FeedError) as caught:
        feed.fetch("DFII10", date(2024, 6, 27), NOW)
    return str(caught.value)


def test_a_value_is_known_when_its_vintage_day_is_over_in_st_louis() -> None:
    with fred(observations(row("2024-06-26", "2024-06-27", "2.06"))) as (feed, _):
        (fact,) = feed.fetch("DFII10", date(2024, 6, 27), NOW).facts
    assert (fact.series, fact.value) == ("DFII10", 2.06)
    assert fact.at == datetime(2024, 6, 26, 4, tzinfo=UTC)  # midnight in New York
    assert fact.known_at == datetime(2024, 6, 28, 5, tzinfo=UTC)  # midnight in St. Louis, summer time


def test_winter_midnight_in_st_louis_is_six_in_utc() -> None:
    assert known_from(date(2024, 1, 2)) == datetime(2024, 1, 3, 6, tzinfo=UTC)


def test_a_revision_is_a_fact_of_its_own() -> None:
    rows = [row("2024-06-25", "2024-06-26", "2.05"), row("2024-06-25", "2024-06-27", "2.04")]
    with fred(observations(*rows)) as (feed, _):
        facts = feed.fetch("DFII10", date(2024, 6, 27), NOW).facts
    assert [(fact.value, fact.known_at.date()) for fact in facts] == [
        (2.05, date(2024, 6, 27)),
        (2.04, date(2024, 6, 28)),
    ]
    assert len({fact.at for fact in facts}) == 1


def test_a_point_is_no_value() -> None:
    rows = [row("2024-06-19", "2024-06-20", "."), row("2024-06-20", "2024-06-21", "2.0")]
    with fred(observations(*rows)) as (feed, _):
        assert [fact.value for fact in feed.fetch("DFII10", date(2024, 6, 27), NOW).facts] == [2.0]


def test_a_period_that_the_window_cut_is_not_taken_for_a_vintage() -> None:
    """FRED gives a value that was there before the window the window's own first day."""
    with fred(
        observations(row("2024-06-10", "2024-06-16", "2.2"), row("2024-06-14", "2024-06-17", "2.1"))
    ) as (
        feed,
        vendor,
    ):
        facts = feed.fetch("DFII10", date(2024, 6, 27), NOW).facts
    asked = vendor.asked[1].query
    assert asked["realtime_start"] == "2024-06-16"  # a day before the first that is wanted
    assert asked["realtime_end"] == "2024-06-28"
    assert [fact.value for fact in facts] == [2.1]


def test_a_back_fill_asks_in_windows_that_follow_on_each_other_without_gap_or_double() -> None:
    """Expected by hand: the windows of 2015 to 2018, 2019 to 2022, 2023 on, each begun a day early."""
    answers = [
        observations(row("2018-12-28", "2018-12-31", "1.0")),
        observations(row("2018-12-28", "2018-12-31", "1.0"), row("2018-12-31", "2019-01-02", "1.1")),
        observations(row("2018-12-31", "2022-12-31", "1.1")),
    ]
    with fred(*answers) as (feed, vendor):
        facts = feed.fetch("DFII10", date(2015, 1, 1), NOW, is_back_fill=True).facts
    asked = [each.query for each in vendor.asked if "realtime_start" in each.query]
    assert [(each["realtime_start"], each["realtime_end"]) for each in asked] == [
        ("2014-12-31", "2018-12-31"),
        ("2018-12-31", "2022-12-31"),
        ("2022-12-31", "2024-06-28"),
    ]
    assert {each["observation_start"] for each in asked} == {"2015-01-01"}
    assert [fact.value for fact in facts] == [1.0, 1.1]


def test_a_back_fill_begins_with_the_first_vintage_since_fred_refuses_a_time_before_it() -> None:
    with fred(observations(row("2015-01-02", "2019-02-11", "1.0")), first="2019-02-11") as (feed, vendor):
        facts = feed.fetch("DFII10", date(2015, 1, 1), NOW, is_back_fill=True).facts
    asked = next(each.query for each in vendor.asked if "realtime_start" in each.query)
    assert (asked["realtime_start"], asked["observation_start"]) == ("2019-02-10", "2015-01-01")
    assert [fact.known_at.date() for fact in facts] == [date(2019, 2, 12)]


def test_no_window_holds_more_vintages_than_fred_gives() -> None:
    with fred(observations()) as (feed, vendor):
        feed.fetch("DFII10", date(2000, 3, 1), NOW, is_back_fill=True)
    spans = [
        date.fromisoformat(each.query["realtime_end"]) - date.fromisoformat(each.query["realtime_start"])
        for each in vendor.asked
        if "realtime_start" in each.query
    ]
    assert max(spans) / timedelta(days=365.25) * 261 < 2000


@pytest.mark.fault("E13")
@pytest.mark.parametrize(
    ("of", "field"),
    [
        (series(units="Basis Points"), "units"),
        (series(id="DFII5"), "id"),
        ({"seriess": []}, "seriess"),
        ({"series": []}, "seriess"),
    ],
)
def test_another_unit_of_a_series_is_refused(of: dict[str, Any], field: str) -> None:
    assert f"field {field}" in refusal(observations(), of=of)


@pytest.mark.fault("E13")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        (observations(units="pch"), "units"),
        (observations(count=7), "count"),
        ({k: v for k, v in observations().items() if k != "observations"}, "observations"),
        (observations(new=1), "new"),
        (observations({"date": "2024-06-26", "realtime_start": "2024-06-27", "values": "2"}), "value"),
        (observations({"date": "2024-06-26", "realtime_start": "2024-06-27"}), "value"),
        (observations(row("2024-06-26", "2024-06-27", 2.0)), "value"),
        (observations(row("2024-06-26", "2024-06-27", "nan")), "value"),
        (observations(row("2024-06-26", "2024-06-27", "206")), "value"),  # basis points
        (observations(row("2024-06-26", "2024-06-27", "")), "value"),
        (observations(row("2024-06-29", "2024-06-27", "2.0")), "realtime_start"),
        (observations(row("26/06/2024", "2024-06-27", "2.0")), "date"),
        (observations(row("2024-06-26", "2024-06-27", "2.0"), row("2024-06-26", "2024-06-27", "x")), "value"),
    ],
)
def test_what_cannot_be_true_is_refused_whole_and_by_field(body: dict[str, Any], field: str) -> None:
    assert field in refusal(body)


def test_every_series_has_a_unit_and_bounds() -> None:
    assert set(KINDS) == set(FRED_WORDS)
    assert all(kind.least < kind.most for kind in KINDS.values())


def test_release_days_are_those_asked_for_future_ones_included() -> None:
    dates = [
        {"release_id": 10, "date": day} for day in ("2024-05-15", "2024-06-12", "2024-07-11", "2025-01-15")
    ]
    with serving(reply(200, {"release_dates": dates})) as vendor:
        feed = FredFeed(fetcher(vendor.url))
        days = feed.release_days(10, date(2024, 6, 1), date(2024, 12, 31))
    assert days == (date(2024, 6, 12), date(2024, 7, 11))
    assert vendor.asked[0].query["include_release_dates_with_no_data"] == "true"


def test_dates_of_another_release_are_refused() -> None:
    other = reply(200, {"release_dates": [{"release_id": 50, "date": "2024-06-12"}]})
    with serving(other) as vendor, pytest.raises(FeedError, match="release_id"):
        FredFeed(fetcher(vendor.url)).release_days(10, date(2024, 6, 1), date(2024, 12, 31))


def test_a_release_comes_at_half_past_eight_in_new_york() -> None:
    assert released_at(date(2024, 6, 12)) == datetime(2024, 6, 12, 12, 30, tzinfo=UTC)
    assert released_at(date(2024, 1, 11)) == datetime(2024, 1, 11, 13, 30, tzinfo=UTC)


def recorded(shared_data: Path, name: str) -> Any:
    return json.loads((shared_data / "api_recorded" / "fred" / name).read_bytes())


def test_the_recorded_observations_are_read(shared_data: Path) -> None:
    body = recorded(shared_data, "series_observations_DFF_2023.json")
    assert len(rows_of_reply(body, "recorded")) == 157
    moved = {
        **body,
        "observations": [{**each, "realtime_start": each["date"]} for each in body["observations"]],
    }
    of = recorded(shared_data, "series_DFF.json")
    with fred(moved, of=of) as (feed, _):
        facts = feed.fetch("DFF", date(2023, 1, 11), datetime(2023, 6, 7, tzinfo=UTC)).facts
    assert (facts[0].at.date(), facts[0].value) == (date(2023, 1, 1), 4.33)
    assert len(facts) == 157


def test_the_recorded_refusal_is_waited_for_and_then_told(shared_data: Path) -> None:
    (limited,) = [
        each["response"]
        for each in recorded(shared_data, "exchanges.json")["interactions"]
        if each["response"]["status"] == 429
    ]
    headers = {
        name: value
        for name, value in limited["headers"].items()
        if name not in ("Content-Length", "Connection")
    }
    told = pytest.raises(FeedError, match="vendor /fred/series: status 429, in 4 tries")
    with serving(reply(429, limited["body"].encode(), headers)) as vendor, told:
        FredFeed(fetcher(vendor.url)).fetch("DFF", date(2024, 6, 1), NOW)
    assert len(vendor.asked) == 4
