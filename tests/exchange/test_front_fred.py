"""FRED's front: the recorded shapes, and at every real time what had been published by then."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from qgtm.exchange.market.macro import Macro
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.exchange.market.vintage import SERIES, FredHistory
from tests.exchange.asking import NOW, Asker, asker

FIRST, LAST = "1776-07-04", "9999-12-31"


@pytest.fixture(scope="module")
def fred() -> Asker:
    return asker()


def rows(fred: Asker, series: str, **query: object) -> list[dict[str, str]]:
    found: list[dict[str, str]] = fred.fred("series/observations", series_id=series, **query)["observations"]
    return found


def values(fred: Asker, series: str, **query: object) -> dict[str, str]:
    return {row["date"]: row["value"] for row in rows(fred, series, **query)}


def kinds(body: Any) -> Any:
    """Return the types of a body, of a list's first entry alone."""
    if isinstance(body, dict):
        return {name: kinds(part) for name, part in body.items()}
    return [kinds(body[0])] if isinstance(body, list) and body else type(body)


def test_observations_have_the_recorded_shape(fred: Asker, shared_data: Path) -> None:
    recorded = json.loads((shared_data / "api_recorded/fred/series_observations_DFF_2023.json").read_text())
    asked = {"observation_start": "2018-01-01", "observation_end": "2018-06-06"}
    ours = fred.fred("series/observations", series_id="DFF", limit=100000, **asked)
    assert list(ours) == list(recorded)
    assert kinds(ours) == kinds(recorded)
    same = ("units", "output_type", "file_type", "order_by", "sort_order", "offset", "limit", "count")
    assert {name: ours[name] for name in same} == {name: recorded[name] for name in same}  # 157 days, both
    assert (ours["realtime_start"], ours["realtime_end"]) == ("2019-06-28", "2019-06-28")


def test_series_has_the_recorded_shape(fred: Asker, shared_data: Path) -> None:
    recorded = json.loads((shared_data / "api_recorded/fred/series_DFF.json").read_text())
    ours = fred.fred("series", series_id="DFF")
    assert list(ours) == list(recorded)
    assert set(recorded["seriess"][0]) >= set(ours["seriess"][0])
    assert kinds(ours) == {**kinds(recorded), "seriess": [kinds(recorded["seriess"][0])]}
    about, theirs = ours["seriess"][0], recorded["seriess"][0]
    for name in (
        "id",
        "title",
        "frequency",
        "frequency_short",
        "units",
        "units_short",
        "seasonal_adjustment",
    ):
        assert about[name] == theirs[name]
    assert len(about["last_updated"]) == len(theirs["last_updated"])
    # published on Thursday 15:15 in St. Louis, of Wednesday
    assert (about["last_updated"], about["observation_end"]) == ("2019-06-27 15:15:00-05", "2019-06-26")


def test_too_many_calls_are_refused_in_the_recorded_words(shared_data: Path) -> None:
    from qgtm.exchange.gate import Gate, Now
    from qgtm.exchange.wire import Request

    recorded = json.loads((shared_data / "api_recorded/fred/exchanges.json").read_text())
    refused = next(each["response"] for each in recorded["interactions"] if each["response"]["status"] == 429)
    gate = Gate(asker().exchange)
    replies = [gate.reply(Request("GET", "/fred/series"), Now(NOW, 5.0, 0.0)) for _ in range(121)]
    assert [reply.status for reply in replies] == [400] * 120 + [429]
    assert json.loads(replies[-1].content) == json.loads(refused["body"])
    assert gate.reply(Request("GET", "/fred/series"), Now(NOW, 66.0, 0.0)).status == 400
    assert gate.reply(Request("GET", "/v2/clock"), Now(NOW, 5.0, 0.0)).status == 401  # a limit of its own


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"series_id": "DGS10", "file_type": "json"}, "api_key"),
        ({"api_key": "k", "file_type": "json", "series_id": "NOPE"}, "does not exist"),
        ({"api_key": "k", "file_type": "json"}, "series_id"),
        ({"api_key": "k", "series_id": "DGS10"}, "file_type"),
        ({"api_key": "k", "file_type": "json", "series_id": "DGS10", "limit": "0"}, "limit"),
        ({"api_key": "k", "file_type": "json", "series_id": "DGS10", "units": "pc1"}, "units"),
        ({"api_key": "k", "file_type": "json", "series_id": "DGS10", "observation_start": "x"}, "date"),
        (
            {"api_key": "k", "file_type": "json", "series_id": "DGS10", "realtime_start": "2019-06-29"},
            "today",
        ),
        (
            {
                "api_key": "k",
                "file_type": "json",
                "series_id": "DGS10",
                "realtime_start": "2010-01-01",
                "realtime_end": "2010-02-01",
            },
            "ALFRED",
        ),
    ],
)
def test_request_that_cannot_be_is_refused_as_fred_does(
    fred: Asker, query: dict[str, str], word: str
) -> None:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = fred.answer(f"/fred/series/observations?{text}")
    assert answer.status == 400
    assert set(answer.body) == {"error_code", "error_message"}
    assert answer.body["error_code"] == 400
    assert answer.body["error_message"].startswith("Bad Request.  ")
    assert word in answer.body["error_message"]


def test_real_time_of_more_than_2000_vintages_is_refused() -> None:
    later = asker(datetime(2023, 6, 28, 18, tzinfo=UTC))
    path = (
        "/fred/series/observations?api_key=k&file_type=json&series_id=DGS10&realtime_start={}&realtime_end={}"
    )
    answer = later.answer(path.format(FIRST, LAST))
    assert answer.status == 400
    assert "maximum number of vintage dates allowed for this file type (2000)" in answer.body["error_message"]
    assert later.answer(path.format("2016-01-01", "2022-12-31")).status == 200


@pytest.mark.parametrize("series", SERIES)
def test_real_time_of_the_past_says_what_was_said_then(series: str) -> None:
    """Ask on the day itself, after the evening's releases, and again half a year later for that day."""
    day = date(2018, 12, 6)
    then = asker(datetime(2018, 12, 7, 5, 59, tzinfo=UTC))  # the last minute of the sixth in St. Louis
    assert values(then, series)
    asked = {"realtime_start": day.isoformat(), "realtime_end": day.isoformat()}
    assert values(asker(), series, **asked) == values(then, series)


@pytest.mark.parametrize(
    ("series", "at", "newest"),
    [
        ("DGS10", datetime(2019, 6, 27, 20, 14, tzinfo=UTC), "2019-06-25"),
        ("DGS10", datetime(2019, 6, 27, 20, 15, tzinfo=UTC), "2019-06-26"),
        ("T10Y2Y", datetime(2019, 6, 27, 21, 1, tzinfo=UTC), "2019-06-26"),
        ("T10Y2Y", datetime(2019, 6, 27, 21, 2, tzinfo=UTC), "2019-06-27"),
        ("WALCL", datetime(2019, 6, 27, 20, 29, tzinfo=UTC), "2019-06-19"),
        ("WALCL", datetime(2019, 6, 27, 20, 30, tzinfo=UTC), "2019-06-26"),
        ("DTWEXBGS", datetime(2019, 6, 28, 23, 0, tzinfo=UTC), "2019-06-21"),
        ("DFF", datetime(2019, 6, 24, 20, 15, tzinfo=UTC), "2019-06-23"),
    ],
)
def test_nothing_is_seen_before_its_release(series: str, at: datetime, newest: str) -> None:
    assert rows(asker(at), series)[-1]["date"] == newest


def test_values_are_the_economys_own(fred: Asker) -> None:
    for row in Macro(SyntheticMarket(7), 7).until(datetime(2015, 3, 1, tzinfo=UTC)):
        for series in ("DFII10", "T10YIE", "SOFR", "VIXCLS", "BAMLH0A0HYM2"):
            shown = values(
                fred, series, observation_start=row.day.isoformat(), observation_end=row.day.isoformat()
            )[row.day.isoformat()]
            is_holiday = row.day in (date(2015, 1, 19), date(2015, 2, 16))
            assert is_holiday or float(shown) == row.values[series]


def test_holiday_has_a_row_without_a_value_and_a_weekend_none(fred: Asker) -> None:
    shown = values(fred, "DGS10", observation_start="2018-10-05", observation_end="2018-10-09")
    assert list(shown) == ["2018-10-05", "2018-10-08", "2018-10-09"]
    assert shown["2018-10-08"] == "."  # Columbus Day: shares trade and bonds do not
    assert values(fred, "VIXCLS", observation_start="2018-10-08", observation_end="2018-10-08") != {
        "2018-10-08": "."
    }
    week = values(fred, "DFF", observation_start="2018-10-05", observation_end="2018-10-08")
    assert len(week) == 4
    assert len(set(week.values())) == 1


@pytest.mark.parametrize("series", ["WALCL", "DTWEXBGS", "DFF", "T10Y2Y"])
def test_history_that_knows_more_tells_an_earlier_moment_no_more(series: str) -> None:
    def history() -> FredHistory:
        return FredHistory(Macro(SyntheticMarket(7), 7), 7)

    ahead, stepped = history(), history()
    ahead.known(series, NOW)
    for hour in range(0, 24 * 21, 5):
        at = datetime(2018, 3, 5, tzinfo=UTC) + timedelta(hours=hour)
        fresh = list(history().known(series, at)) if hour % 45 == 0 else None
        told = list(ahead.known(series, at))
        assert told == list(stepped.known(series, at))
        assert fresh is None or fresh == told
        assert all(vintage.known_at <= at for vintage in told)


@pytest.mark.parametrize("series", ["WALCL", "DTWEXBGS"])
def test_revised_value_stands_from_the_next_release_on_and_the_first_one_up_to_it(
    fred: Asker, series: str
) -> None:
    by_day: dict[str, list[dict[str, str]]] = {}
    for row in rows(fred, series, realtime_start=FIRST, realtime_end=LAST):
        by_day.setdefault(row["date"], []).append(row)
    revised = {day: versions for day, versions in by_day.items() if len(versions) > 1}
    assert 0.04 < len(revised) / len(by_day) < 0.3
    for versions in revised.values():
        first, second = versions
        ends = date.fromisoformat(first["realtime_end"])
        assert ends + timedelta(days=1) == date.fromisoformat(second["realtime_start"])
        assert second["realtime_end"] == LAST
        assert 0 < abs(float(first["value"]) / float(second["value"]) - 1) < 0.001
    day, (first, second) = next(iter(revised.items()))
    firsts = rows(fred, series, realtime_start=FIRST, realtime_end=LAST, output_type=4, observation_end=day)
    assert firsts[-1]["value"] == first["value"]
    cut = {"realtime_start": first["realtime_start"], "realtime_end": first["realtime_start"]}
    for kind in (1, 4):
        shown = rows(fred, series, **cut, output_type=kind, observation_start=day, observation_end=day)
        assert [(r["realtime_start"], r["realtime_end"]) for r in shown] == [(first["realtime_start"],) * 2]
    both = f"{first['realtime_end']},{second['realtime_start']}"
    asked = {"vintage_dates": both, "observation_start": day, "observation_end": day}
    assert [row["value"] for row in rows(fred, series, **asked)] == [first["value"], second["value"]]
    columns = rows(fred, series, output_type=2, **asked)
    assert list(columns[0].values()) == [day, first["value"], second["value"]]


def test_other_series_are_never_revised(fred: Asker) -> None:
    for series in ("DGS10", "VIXCLS", "DFF"):
        found = rows(fred, series, realtime_start=FIRST, realtime_end=LAST)
        assert len({row["date"] for row in found}) == len(found)


def test_vintage_dates_are_the_days_of_release(fred: Asker) -> None:
    body = fred.fred("series/vintagedates", series_id="WALCL", sort_order="desc", limit=3)
    assert body["vintage_dates"] == ["2019-06-27", "2019-06-20", "2019-06-13"]
    starts = {row["realtime_start"] for row in rows(fred, "WALCL", realtime_start=FIRST, realtime_end=LAST)}
    whole = fred.fred("series/vintagedates", series_id="WALCL")
    assert whole["vintage_dates"] == sorted(starts)
    assert whole["count"] == len(starts)


def test_pages_units_and_order(fred: Asker) -> None:
    span = {"observation_start": "2019-01-02", "observation_end": "2019-01-11"}
    whole = values(fred, "T5YIE", **span)
    paged = rows(fred, "T5YIE", **span, limit=3, offset=0) + rows(fred, "T5YIE", **span, limit=9, offset=3)
    assert {row["date"]: row["value"] for row in paged} == whole
    assert list(values(fred, "T5YIE", **span, sort_order="desc")) == list(whole)[::-1]
    change = values(fred, "T5YIE", **span, units="chg")
    days = list(whole)
    for before, day in pairwise(days):
        assert float(change[day]) == pytest.approx(float(whole[day]) - float(whole[before]))


def test_release_dates_tell_the_past_and_with_no_data_the_future_too(fred: Asker) -> None:
    past = fred.fred("release/dates", release_id=50)["release_dates"]
    assert past[-1] == {"release_id": 50, "date": "2019-06-07"}
    asked = {"release_id": 50, "include_release_dates_with_no_data": "true", "realtime_start": "2019-06-28"}
    ahead = [row["date"] for row in fred.fred("release/dates", **asked)["release_dates"]]
    assert ahead[:2] == ["2019-07-05", "2019-08-02"]
    names = {row["release_name"] for row in fred.fred("releases/dates")["release_dates"]}
    assert "H.15 Selected Interest Rates" in names
    assert fred.fred("series/release", series_id="DGS2")["releases"][0]["id"] == 18


def test_answer_about_today_waits_for_the_hour_of_the_release() -> None:
    def newest(at: datetime) -> str:
        dates = asker(at).fred("release/dates", release_id=18, sort_order="desc", limit=1)["release_dates"]
        return str(dates[0]["date"])

    assert newest(datetime(2019, 6, 27, 20, 14, tzinfo=UTC)) == "2019-06-26"
    assert newest(datetime(2019, 6, 27, 20, 15, tzinfo=UTC)) == "2019-06-27"
