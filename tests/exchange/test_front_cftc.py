"""The CFTC's front: the Commission's names and forms, positions that add up, and a client's queries."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from qgtm.exchange.market.macro import Macro
from qgtm.exchange.market.positioning import CotHistory
from qgtm.exchange.market.synthetic import SyntheticMarket
from tests.exchange.asking import NOW, Asker, asker
from tests.exchange.market.bent import BentMarket

TABLE = "/resource/72hh-3qpy.json"
CROWDS = (
    "prod_merc_positions_{}",
    "swap_positions_{}_all",
    "m_money_positions_{}_all",
    "other_rept_positions_{}",
)
SPREADS = ("swap__positions_spread_all", "m_money_positions_spread", "other_rept_positions_spread")
Row = dict[str, str]


@pytest.fixture(scope="module")
def cftc() -> Asker:
    return asker()


@pytest.fixture(scope="module")
def table(cftc: Asker) -> list[Row]:
    found: list[Row] = cftc.get(TABLE, **{"$limit": 100000})
    return found


def test_table_is_whole_and_holds_the_five_contracts_every_week(table: list[Row]) -> None:
    codes = {row["cftc_contract_market_code"] for row in table}
    assert codes == {"088691", "084691", "076651", "075651", "085692"}
    days = sorted({row["report_date_as_yyyy_mm_dd"][:10] for row in table})
    assert len(table) == 5 * len(days)
    assert days[-1] == "2019-06-18"  # that of the 25th comes out an hour after we ask
    assert all((date.fromisoformat(day).weekday() in (0, 1)) for day in days)


def test_all_values_are_texts_and_names_are_those_of_the_recorded_row(
    table: list[Row], shared_data: Path
) -> None:
    assert all(isinstance(value, str) for row in table for value in row.values())
    path = shared_data / "api_recorded/cftc_socrata/jun7-fc8e_239747_2024-08-20.json"
    (recorded,) = json.loads(path.read_text())  # the legacy report: what both have is called alike
    ours = table[-1]
    shared = {name for name in recorded if not any(word in name for word in ("comm_", "comm_postions"))}
    # the legacy report calls the traders' totals otherwise
    assert sorted(shared - set(ours)) == []
    for name in ("id", "report_date_as_yyyy_mm_dd", "yyyy_report_week_ww"):
        assert len(ours[name]) == len(recorded[name]), name
    assert ours["futonly_or_combined"] == "FutOnly"


def test_names_of_the_disaggregated_report_are_the_commissions(table: list[Row]) -> None:
    """As clients of the real table have them: doubled underscores, missing `_all`, numbered twins."""
    names = (
        "open_interest_all prod_merc_positions_long prod_merc_positions_short swap_positions_long_all "
        "swap__positions_short_all swap__positions_spread_all m_money_positions_long_all "
        "m_money_positions_short_all m_money_positions_spread other_rept_positions_long "
        "other_rept_positions_short other_rept_positions_spread tot_rept_positions_long_all "
        "tot_rept_positions_short nonrept_positions_long_all nonrept_positions_short_all "
        "prod_merc_positions_long_1 m_money_positions_spread_2 tot_rept_positions_short_1 "
        "pct_of_oi_prod_merc_long pct_of_oi_m_money_long_all pct_of_oi_m_money_spread "
        "traders_tot_all traders_prod_merc_long_all traders_m_money_spread_all traders_other_rept_short "
        "traders_other_rept_spread_2 traders_tot_rept_short_all conc_gross_le_4_tdr_long "
        "conc_net_le_8_tdr_short_all conc_gross_le_4_tdr_long_2 change_in_m_money_long_all "
        "change_in_prod_merc_long change_in_m_money_spread change_in_tot_rept_short contract_units "
        "cftc_subgroup_code commodity_subgroup_name"
    )
    assert [name for name in names.split() if name not in table[-1]] == []
    assert len(table[-1]) == 194


def test_positions_add_up_to_the_open_interest_on_both_sides(table: list[Row]) -> None:
    for row in table:
        n = {
            name: int(value)
            for name, value in row.items()
            if "positions" in name or "open_interest" in name
            if value.lstrip("-").isdigit()
        }
        spreads = sum(n[name] for name in SPREADS)
        long = sum(n[name.format("long")] for name in CROWDS)
        short = n["prod_merc_positions_short"] + n["swap__positions_short_all"]
        short += n["m_money_positions_short_all"] + n["other_rept_positions_short"]
        assert n["tot_rept_positions_long_all"] == long + spreads
        assert n["tot_rept_positions_short"] == short + spreads
        assert n["open_interest_all"] == n["tot_rept_positions_long_all"] + n["nonrept_positions_long_all"]
        assert n["open_interest_all"] == n["tot_rept_positions_short"] + n["nonrept_positions_short_all"]
        assert min(n[name] for name in (*SPREADS, *(c.format("long") for c in CROWDS))) > 0


def test_changes_are_those_since_the_week_before_and_missing_in_the_first(table: list[Row]) -> None:
    gold = [row for row in table if row["cftc_contract_market_code"] == "088691"]
    assert not any(name.startswith("change") for name in gold[0])  # a null has no key
    for before, row in pairwise(gold):
        for name in ("m_money_positions_long_all", "prod_merc_positions_short", "open_interest_all"):
            change = f"change_in_{name.replace('positions_', '')}"
            assert int(row[change]) == int(row[name]) - int(before[name])


def test_managed_money_follows_the_trend_and_producers_stand_against_it(table: list[Row]) -> None:
    market = SyntheticMarket(7)
    for code, symbol in (("088691", "GLD"), ("084691", "SLV"), ("085692", "CPER")):
        rows = [row for row in table if row["cftc_contract_market_code"] == code]
        days = [date.fromisoformat(row["report_date_as_yyyy_mm_dd"][:10]) for row in rows]
        closes = np.log(
            [
                float(market.last_price(symbol, datetime(d.year, d.month, d.day, 23, tzinfo=UTC)) or 0)
                for d in days
            ]
        )
        net = np.array(
            [
                (int(r["m_money_positions_long_all"]) - int(r["m_money_positions_short_all"]))
                / int(r["open_interest_all"])
                for r in rows
            ]
        )
        hedged = np.array(
            [
                (int(r["prod_merc_positions_long"]) - int(r["prod_merc_positions_short"]))
                / int(r["open_interest_all"])
                for r in rows
            ]
        )
        trend = closes[8:] - closes[:-8]
        assert np.corrcoef(trend, net[8:])[0, 1] > 0.5
        assert np.corrcoef(net, hedged)[0, 1] < -0.5


def test_later_prices_change_no_earlier_report() -> None:
    since = date(2018, 3, 14)  # the Wednesday after a report's Tuesday
    bent = BentMarket(SyntheticMarket(7), since, lambda _, price: price * Decimal("1.2"))
    reports = [CotHistory(Macro(market, 7), 7).published(NOW) for market in (SyntheticMarket(7), bent)]  # type: ignore[arg-type]
    same = [a.as_of for a, b in zip(*reports, strict=True) if dict(a.held) == dict(b.held)]
    assert max(same) == date(2018, 3, 13)
    assert len(set(same)) == len({r.as_of for r in reports[0] if r.as_of < since})


@pytest.mark.parametrize(
    ("at", "newest"),
    [
        (datetime(2019, 6, 28, 19, 29, tzinfo=UTC), "2019-06-18"),
        (datetime(2019, 6, 28, 19, 30, tzinfo=UTC), "2019-06-25"),
        (datetime(2019, 7, 5, 23, 0, tzinfo=UTC), "2019-06-25"),  # the fourth was a Thursday
        (datetime(2019, 7, 8, 19, 30, tzinfo=UTC), "2019-07-02"),
    ],
)
def test_report_is_seen_from_its_publication_on(at: datetime, newest: str) -> None:
    (found,) = asker(at).get(TABLE, **{"$select": "max(report_date_as_yyyy_mm_dd) as newest"})
    assert found["newest"][:10] == newest


def test_history_that_knows_more_tells_an_earlier_moment_no_more() -> None:
    ahead = CotHistory(Macro(SyntheticMarket(7), 7), 7)
    ahead.published(NOW)
    for at in (datetime(2018, 3, 9, 20, 29, tzinfo=UTC), datetime(2018, 3, 9, 20, 30, tzinfo=UTC)):
        fresh = CotHistory(Macro(SyntheticMarket(7), 7), 7).published(at)
        assert [r.held for r in ahead.published(at)] == [r.held for r in fresh]
    assert ahead.published(at)[-1].as_of == date(2018, 3, 6)


Pick = Callable[[Row], bool]


def day(row: Row) -> str:
    return row["report_date_as_yyyy_mm_dd"][:10]


def size(row: Row) -> int:
    return int(row["open_interest_all"])


def change(row: Row) -> int:
    return int(row.get("change_in_open_interest_all", 0))


QUERIES: list[tuple[str, Pick]] = [
    ("cftc_contract_market_code='088691'", lambda r: r["commodity"] == "GOLD"),
    ("cftc_contract_market_code in ('088691', '084691')", lambda r: r["commodity"] in ("GOLD", "SILVER")),
    ("cftc_contract_market_code NOT IN('088691')", lambda r: r["commodity"] != "GOLD"),
    ("report_date_as_yyyy_mm_dd > '2019-03-05T00:00:00.000'", lambda r: day(r) > "2019-03-05"),
    ("report_date_as_yyyy_mm_dd >= '2019-03-05'", lambda r: day(r) >= "2019-03-05"),
    (
        "Report_Date_as_YYYY_MM_DD between '2018-03-06' AND '2018-04-10'",
        lambda r: "2018-03-06" <= day(r) <= "2018-04-10",
    ),
    ("open_interest_all > 450000", lambda r: size(r) > 450000),
    ("open_interest_all > '450000'", lambda r: size(r) > 450000),
    ("commodity like 'P%_UM'", lambda r: r["commodity"] in ("PLATINUM", "PALLADIUM")),
    (
        "UPPER(commodity_name) like UPPER('%silver%') or commodity='GOLD'",
        lambda r: r["commodity"] in ("SILVER", "GOLD"),
    ),
    (
        "not (commodity = 'GOLD' or commodity = 'SILVER') and open_interest_all < 60000",
        lambda r: r["commodity"] not in ("GOLD", "SILVER") and size(r) < 60000,
    ),
    (
        "commodity = 'GOLD' or commodity = 'COPPER' and open_interest_all < 100",
        lambda r: r["commodity"] == "GOLD",
    ),
    ("starts_with(market_and_exchange_names, 'PLAT')", lambda r: r["commodity"] == "PLATINUM"),
    ("change_in_open_interest_all is null", lambda r: "change_in_open_interest_all" not in r),
    (
        "change_in_open_interest_all IS NOT NULL AND change_in_open_interest_all < -5000",
        lambda r: change(r) < -5000,
    ),
    ("commodity <> 'O''NEIL'", lambda r: True),
]


@pytest.mark.parametrize(("where", "pick"), QUERIES)
def test_condition_picks_what_python_picks(cftc: Asker, table: list[Row], where: str, pick: Pick) -> None:
    expected = [row for row in table if pick(row)]
    assert expected
    assert cftc.get(TABLE, **{"$where": where, "$limit": 100000}) == expected


def test_order_limit_offset_select_and_plain_values(cftc: Asker, table: list[Row]) -> None:
    gold = [row for row in table if row["commodity"] == "GOLD"]
    newest = sorted(gold, key=lambda row: row["report_date_as_yyyy_mm_dd"], reverse=True)
    asked = {"cftc_contract_market_code": "088691", "$order": "report_date_as_yyyy_mm_dd DESC"}
    assert cftc.get(TABLE, **asked, **{"$limit": 7, "$offset": 5}) == newest[5:12]
    by_size = cftc.get(
        TABLE, **{"$order": "open_interest_all", "$limit": 3, "$select": "open_interest_all as oi"}
    )
    assert [int(row["oi"]) for row in by_size] == sorted(int(row["open_interest_all"]) for row in table)[:3]
    assert len(cftc.get(TABLE)) == 1000  # Socrata's limit unless another is given
    assert cftc.get(TABLE, **{"$select": "count(*)", "$$app_token": "t"}) == [{"count": str(len(table))}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("$where=no_such='1'", "query.soql.no-such-column"),
        ("no_such=1", "query.soql.no-such-column"),
        ("$select=no_such", "query.soql.no-such-column"),
        ("$where=commodity ==", "query.soql.parse-error"),
        ("$where=(commodity='GOLD'", "query.soql.parse-error"),
        ("$where=commodity='GOLD' commodity", "query.soql.parse-error"),
        ("$where=", "query.soql.parse-error"),
        ("$where=commodity > 5", "query.soql.type-mismatch"),
        ("$where=__import__('os')", "query.soql.parse-error"),
        ("$order=commodity SIDEWAYS", "query.soql.parse-error"),
        ("$limit=-1", "query.soql.invalid-parameter"),
        ("$group=commodity", "query.soql.unsupported"),
    ],
)
def test_query_that_cannot_be_is_refused_with_a_code(cftc: Asker, query: str, code: str) -> None:
    answer = cftc.answer(f"{TABLE}?{query}")
    assert (answer.status, answer.body["code"], answer.body["error"]) == (400, code, True)
    assert answer.body["message"]


def test_other_dataset_is_not_found(cftc: Asker) -> None:
    assert cftc.answer("/resource/jun7-fc8e.json").status == 404
    assert cftc.answer("/files/dea/history/fut_disagg_txt_2031.zip").status == 404


def zipped(cftc: Asker, year: int) -> tuple[list[str], list[dict[str, str]]]:
    body = cftc.get(f"/files/dea/history/fut_disagg_txt_{year}.zip")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == ["f_year.txt"]
        text = archive.read("f_year.txt").decode("latin-1")
    return text.splitlines(), list(csv.DictReader(io.StringIO(text)))


def test_yearly_file_has_the_recorded_form(cftc: Asker, shared_data: Path) -> None:
    with zipfile.ZipFile(shared_data / "cot/fut_disagg_txt_2018.zip") as archive:
        recorded = archive.read(archive.namelist()[0]).decode("latin-1").splitlines()
    lines, rows = zipped(cftc, 2018)
    assert lines[0] == recorded[0]
    line = next(each for each in recorded if ",088691," in each)
    ours = next(each for each in lines if ",088691," in each)
    theirs = next(csv.reader([line]))
    assert [len(cell) for cell in next(csv.reader([ours]))[:7]] == [len(cell) for cell in theirs[:7]]
    assert len(rows) == 5 * sum(",088691," in each for each in recorded)
    assert [each.count('"') for each in (ours, line)] == [ours.count('"')] * 2


def test_yearly_file_says_what_the_table_says(cftc: Asker, table: list[Row]) -> None:
    _, rows = zipped(cftc, 2018)
    by_id = {
        f"{row['As_of_Date_In_Form_YYMMDD']}{row['CFTC_Contract_Market_Code'].strip()}F": row for row in rows
    }
    for row in (each for each in table if each["report_date_as_yyyy_mm_dd"].startswith("2018")):
        line = by_id[row["id"]]
        for name, theirs in (
            ("open_interest_all", "Open_Interest_All"),
            ("m_money_positions_spread", "M_Money_Positions_Spread_All"),
            ("swap__positions_short_all", "Swap__Positions_Short_All"),
            ("prod_merc_positions_long_1", "Prod_Merc_Positions_Long_Old"),
            ("change_in_nonrept_long_all", "Change_in_NonRept_Long_All"),
            ("traders_other_rept_short_1", "Traders_Other_Rept_Short_Old"),
            ("conc_gross_le_8_tdr_short_2", "Conc_Gross_LE_8_TDR_Short_Other"),
        ):
            assert line[theirs].strip() == row[name]


def test_yearly_file_of_this_year_ends_with_the_last_report(cftc: Asker) -> None:
    _, rows = zipped(cftc, 2019)
    newest = max(row["Report_Date_as_YYYY-MM-DD"] for row in rows)
    assert date.fromisoformat(newest) == NOW.date() - timedelta(days=10)
