"""The CFTC's reports: rows of its public table as they are, the yearly files, and what is refused of both."""

import csv
import io
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from qgtm.adapters.feed_cot import CotFeed, facts_of, weeks_from_rows, weeks_from_zip
from qgtm.core.errors import FeedError
from qgtm.core.fact import Fact
from qgtm.core.instant import aware_utc
from tests.adapters.alpaca_venue import reply, serving
from tests.adapters.feeding import fetcher

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 10, 2, 19, 31, tzinfo=ZoneInfo("UTC"))
# The table's row on gold of 2026-09-29, in the fields that are asked for.
GOLD: dict[str, Any] = {
    "report_date_as_yyyy_mm_dd": "2026-09-29T00:00:00.000",
    "cftc_contract_market_code": "088691",
    "contract_units": "(CONTRACTS OF 100 TROY OUNCES)",
    "futonly_or_combined": "FutOnly",
    "open_interest_all": "406456",
    "prod_merc_positions_long": "18200",
    "prod_merc_positions_short": "39463",
    "swap_positions_long_all": "14835",
    "swap__positions_short_all": "244539",
    "m_money_positions_long_all": "131711",
    "m_money_positions_short_all": "11393",
}


def friday(as_of: date) -> datetime:
    """Say when a report of a week without holidays is out."""
    return datetime.combine(
        as_of + timedelta(days=4 - as_of.weekday()), datetime.min.time(), NEW_YORK
    ).replace(hour=15, minute=30)


def refusal(**changed: object) -> str:
    row = {name: value for name, value in {**GOLD, **changed}.items() if value is not None}
    with pytest.raises(FeedError) as caught:
        weeks_from_rows([row])
    return str(caught.value)


def test_a_row_of_the_table_becomes_seven_facts_known_on_friday_afternoon() -> None:
    with serving(reply(200, [GOLD])) as vendor:
        taken = CotFeed(fetcher(vendor.url, secret=False), friday).fetch(date(2026, 9, 22), NOW)
    found = {fact.series: fact.value for fact in taken.facts}
    assert found == {
        "COT_GOLD_OI": 406456,
        "COT_GOLD_MM_LONG": 131711,
        "COT_GOLD_MM_SHORT": 11393,
        "COT_GOLD_PROD_LONG": 18200,
        "COT_GOLD_PROD_SHORT": 39463,
        "COT_GOLD_SWAP_LONG": 14835,
        "COT_GOLD_SWAP_SHORT": 244539,
    }
    utc = ZoneInfo("UTC")
    assert {fact.at for fact in taken.facts} == {datetime(2026, 9, 29, 4, tzinfo=utc)}
    assert {fact.known_at for fact in taken.facts} == {datetime(2026, 10, 2, 19, 30, tzinfo=utc)}


def test_our_five_markets_are_asked_for_since_the_weeks_that_may_be_corrected() -> None:
    with serving(reply(200, [])) as vendor:
        CotFeed(fetcher(vendor.url, secret=False), friday).fetch(date(2026, 9, 29), NOW)
    asked = vendor.asked[0]
    assert asked.path == "/resource/72hh-3qpy.json"
    codes = "'088691','084691','076651','075651','085692'"
    assert asked.query["$where"] == (
        f"cftc_contract_market_code in ({codes}) AND report_date_as_yyyy_mm_dd >= '2026-08-28T00:00:00.000'"
    )
    assert set(asked.query["$select"].split(",")) == set(GOLD)


def test_a_back_fill_asks_from_its_first_day_and_turns_the_pages() -> None:
    first = [
        {**GOLD, "report_date_as_yyyy_mm_dd": f"{date(2000, 1, 4) + timedelta(weeks=n)}"} for n in range(1000)
    ]
    with serving(reply(200, first), reply(200, [GOLD])) as vendor:
        feed = CotFeed(fetcher(vendor.url, secret=False), friday)
        taken = feed.fetch(date(2000, 1, 1), NOW, is_back_fill=True)
    assert [each.query["$offset"] for each in vendor.asked] == ["0", "1000"]
    assert "2000-01-01" in vendor.asked[0].query["$where"]
    assert len(taken.facts) == 7 * 1001


def test_a_report_that_cannot_be_out_yet_waits() -> None:
    weeks = weeks_from_rows([GOLD])
    out_at = datetime(2026, 10, 2, 15, 30, tzinfo=NEW_YORK)
    assert not list(facts_of(weeks, friday, out_at - timedelta(seconds=1)))
    assert len(list(facts_of(weeks, friday, out_at))) == 7


@pytest.mark.fault("E13")
@pytest.mark.parametrize("field", [name for name in GOLD if name != "report_date_as_yyyy_mm_dd"])
def test_a_missing_field_is_named(field: str) -> None:
    assert field in refusal(**{field: None})


@pytest.mark.fault("E13")
def test_a_renamed_field_is_named_with_its_new_name() -> None:
    told = refusal(swap__positions_short_all=None, swap_positions_short_all="244539")
    assert "swap_positions_short_all" in told
    assert "swap__positions_short_all is not there: has it been renamed?" in told


@pytest.mark.fault("E13")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contract_units", "(CONTRACTS OF 10 TROY OUNCES)"),
        ("futonly_or_combined", "Combined"),
        ("m_money_positions_long_all", "131711.5"),
        ("m_money_positions_long_all", "-1"),
        ("m_money_positions_long_all", "many"),
        ("m_money_positions_long_all", True),
        ("m_money_positions_long_all", None),
        ("m_money_positions_long_all", "380000"),  # with the others more than open interest
        ("swap__positions_short_all", "360000"),
        ("open_interest_all", "0"),
        ("open_interest_all", "1e12"),
        ("report_date_as_yyyy_mm_dd", "29.09.2026"),
        ("report_date_as_yyyy_mm_dd", "2026-09-29T12:00:00.000"),
        ("cftc_contract_market_code", "088692"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_field(field: str, value: object) -> None:
    assert field in refusal(**{field: value})


@pytest.mark.fault("E13")
def test_nothing_is_taken_of_a_reply_with_one_bad_row() -> None:
    with serving(reply(200, [GOLD, {**GOLD, "contract_units": "(CONTRACTS OF 10 TROY OUNCES)"}])) as vendor:
        feed = CotFeed(fetcher(vendor.url, secret=False), friday)
        with pytest.raises(FeedError, match="contract_units"):
            feed.fetch(date(2026, 9, 22), NOW)


@pytest.mark.fault("E14")
def test_a_market_that_is_not_in_the_newest_report_is_told() -> None:
    with serving(reply(200, [GOLD])) as vendor:
        taken = CotFeed(fetcher(vendor.url, secret=False), friday).fetch(date(2026, 9, 22), NOW)
    assert taken.missing == ("the report of 2026-09-29 has no silver, platinum, palladium, copper",)


def test_a_report_that_comes_twice_is_refused() -> None:
    with pytest.raises(FeedError, match="twice"):
        list(facts_of(weeks_from_rows([GOLD, GOLD]), friday, NOW))


@pytest.mark.parametrize("body", [{"rows": []}, None, "x", [1], [None], [[]]])
def test_another_shape_of_reply_is_refused(body: object) -> None:
    with (
        serving(reply(200, b"null" if body is None else body)) as vendor,
        pytest.raises(FeedError, match="belongs"),
    ):
        CotFeed(fetcher(vendor.url, secret=False), friday).fetch(date(2026, 9, 22), NOW)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"<html>"])
def test_a_yearly_file_that_is_no_zip_is_refused(content: bytes) -> None:
    with pytest.raises(FeedError, match="unpacked"):
        weeks_from_zip(content)


def zipped(text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f_year.txt", text)
    return packed.getvalue()


def test_a_yearly_file_with_another_header_is_refused() -> None:
    with pytest.raises(FeedError, match="CFTC_Contract_Market_Code"):
        weeks_from_zip(zipped("Market,Code\nGOLD,088691\n"))


def test_a_recorded_row_of_another_table_is_refused(shared_data: Path) -> None:
    import json

    path = shared_data / "api_recorded" / "cftc_socrata" / "jun7-fc8e_239747_2024-08-20.json"
    with pytest.raises(FeedError, match="field"):
        weeks_from_rows(json.loads(path.read_bytes()))


def test_the_recorded_row_spells_the_fields_that_both_tables_share_as_we_do(shared_data: Path) -> None:
    import json

    path = shared_data / "api_recorded" / "cftc_socrata" / "jun7-fc8e_239747_2024-08-20.json"
    (row,) = json.loads(path.read_bytes())
    shared = {"report_date_as_yyyy_mm_dd", "cftc_contract_market_code", "open_interest_all", "contract_units"}
    assert shared | {"futonly_or_combined"} <= set(row)
    assert row["report_date_as_yyyy_mm_dd"] == "2024-08-20T00:00:00.000"  # the form of GOLD's


def by_hand(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Read a yearly file by another route: split at commas outside quotes, by the header's places."""
    with zipfile.ZipFile(path) as packed:
        lines = packed.read(packed.namelist()[0]).decode("latin-1").splitlines()
    header, *rows = csv.reader(lines)
    found = (dict(zip(header, row, strict=True)) for row in rows)
    return {
        (row["CFTC_Contract_Market_Code"].strip(), row["Report_Date_as_YYYY-MM-DD"]): row for row in found
    }


@pytest.mark.parametrize(("year", "weeks"), [(2017, 52), (2018, 53)])
def test_yearly_file_gives_every_week_of_the_five_metals(shared_data: Path, year: int, weeks: int) -> None:
    path = shared_data / "cot" / f"fut_disagg_txt_{year}.zip"
    found = weeks_from_zip(path.read_bytes())
    assert {metal: sum(w.metal == metal for w in found) for metal in ("GOLD", "COPPER", "PALLADIUM")} == {
        "GOLD": weeks,
        "COPPER": weeks,
        "PALLADIUM": weeks,
    }
    rows = by_hand(path)
    for week in (each for each in found if each.metal == "SILVER"):
        row = rows["084691", week.as_of.isoformat()]
        assert week.contracts["OI"] == int(row["Open_Interest_All"])
        assert week.contracts["SWAP_SHORT"] == int(row["Swap__Positions_Short_All"])
        assert week.contracts["PROD_LONG"] == int(row["Prod_Merc_Positions_Long_All"])


def test_yearly_file_keeps_as_of_mondays(shared_data: Path) -> None:
    days = {
        week.as_of
        for year in (2017, 2018)
        for week in weeks_from_zip((shared_data / "cot" / f"fut_disagg_txt_{year}.zip").read_bytes())
    }
    mondays = {day for day in days if day.weekday() == 0}
    assert mondays == {date(2017, 7, 3), date(2018, 12, 24), date(2018, 12, 31)}
    assert all(day.weekday() in (0, 1) for day in days)


def test_the_stamp_of_a_yearly_file_moves_no_fact(shared_data: Path) -> None:
    content = (shared_data / "cot" / "fut_disagg_txt_2018.zip").read_bytes()  # stamped 2019-01-30
    facts: list[Fact] = list(facts_of(weeks_from_zip(content), friday, datetime(2019, 3, 1, tzinfo=NEW_YORK)))
    first = min(facts, key=lambda fact: fact.at)
    assert first.known_at == aware_utc(datetime(2018, 1, 5, 15, 30, tzinfo=NEW_YORK))
