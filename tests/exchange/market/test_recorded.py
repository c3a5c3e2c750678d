"""The market of recorded bars: the files as they are, real ones too, cut short or whole."""

import csv
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

from qgtm.exchange.market.port import MarketBar
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.exchange.market.venue import quoted_at

CENT = Decimal("0.01")
TEN_THOUSANDTH = Decimal("0.0001")
FOLDERS = ["bars_2015_2018", "bars_2020_2023"]

Write = Callable[[dict[str, str]], RecordedMarket]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(files: dict[str, str]) -> RecordedMarket:
        for symbol, rows in files.items():
            (tmp_path / f"{symbol}.csv").write_text("date,open,high,low,close,volume\n" + rows)
        return RecordedMarket(tmp_path, 7)

    return written


PALL = """2022-11-21,180.0,182.0,179.5,181.0,900
2022-11-23,176.0,176.5,172.0,173.25,1200
"""


def test_symbol_without_a_bar_keeps_its_last_quote_and_does_not_trade(write: Write) -> None:
    market = write({"PALL": PALL})
    missing = market.session_on(date(2022, 11, 22))
    assert missing is not None
    assert market.daily("PALL", missing.day) is None
    assert list(market.minutes("PALL", missing.day)) == []
    quote = market.quote("PALL", missing.open_at + timedelta(hours=2))
    assert quote is not None
    assert quote.last == Decimal("181.00")


def test_quote_of_a_symbol_that_does_not_trade_is_from_its_last_close(write: Write) -> None:
    market = write({"PALL": PALL})
    monday, tuesday, wednesday = (market.session_on(date(2022, 11, day)) for day in (21, 22, 23))
    assert monday is not None
    assert tuesday is not None
    assert wednesday is not None
    hour = timedelta(hours=1)
    assert quoted_at(market, "PALL", monday.open_at + hour) == monday.open_at + hour
    for at in (monday.close_at + hour, tuesday.open_at, tuesday.open_at + hour, wednesday.open_at - hour):
        assert quoted_at(market, "PALL", at) == monday.close_at
    assert quoted_at(market, "PALL", wednesday.open_at) == wednesday.open_at
    assert (
        quoted_at(market, "PALL", monday.close_at + timedelta(days=365)) < monday.close_at + 365 * 24 * hour
    )


def test_sessions_are_there_where_no_file_has_a_bar(write: Write) -> None:
    market = write({"PALL": PALL})
    days = [session.day.day for session in market.sessions(date(2022, 11, 21), date(2022, 11, 25))]
    assert days == [21, 22, 23, 25]
    assert (market.first, market.last) == (date(2022, 11, 21), date(2022, 11, 23))


def test_lone_early_row_does_not_begin_the_history(write: Write) -> None:
    rows = "2022-11-21,10,11,9,10,900\n"
    market = write({"SPY": "2018-11-01,9,9,9,9,200\n" + rows, "GLD": rows, "SLV": rows})
    assert market.first == date(2022, 11, 21)
    sessions = 21 + 19 + 252 + 253 + 252 + 224  # November and December 2018, three years, 2022 so far
    (spy,) = (found for found in market.report() if found.symbol == "SPY")
    assert (spy.bars, spy.missing) == (2, sessions - 2)


def test_symbols_come_in_the_universes_order(write: Write) -> None:
    rows = "2022-11-21,10,11,9,10,900\n"
    assert write({"UUP": rows, "SLV": rows, "GLD": rows}).symbols == ("GLD", "SLV", "UUP")


def test_recorded_prices_are_told_to_four_decimals(write: Write) -> None:
    rows = "2022-11-21,102.94999694824219,103.5199966430664,102.83000183105469,103.1500015258789,6378900\n"
    bar = write({"GLD": rows}).daily("GLD", date(2022, 11, 21))
    assert bar is not None
    told = [str(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    assert told == ["102.9500", "103.5200", "102.8300", "103.1500"]
    assert bar.volume == 6378900


def test_bar_without_a_range_stays_at_its_price(write: Write) -> None:
    market = write({"SPY": "2018-11-01,244.78,244.78,244.78,244.78,200\n"})
    bars = market.minutes("SPY", date(2018, 11, 1))
    assert {price for bar in bars for price in (bar.open, bar.high, bar.low, bar.close)} == {
        Decimal("244.78")
    }
    assert len(bars) == 390


def test_prices_are_taken_as_adjusted(write: Write) -> None:
    assert list(write({"PALL": PALL}).actions(date(2022, 1, 1), date(2023, 1, 1))) == []


def rows_of(folder: Path) -> dict[str, list[dict[str, str]]]:
    paths = sorted(folder.glob("*.csv"))
    return {path.stem: list(csv.DictReader(path.read_text().splitlines())) for path in paths}


@pytest.mark.parametrize("name", FOLDERS)
def test_real_folder_is_read_as_it_is(shared_data: Path, name: str) -> None:
    market, rows = RecordedMarket(shared_data / name, 7), rows_of(shared_data / name)
    traded = {symbol: [row for row in told if float(row["volume"]) > 0] for symbol, told in rows.items()}
    for found in market.report():
        told = traded[found.symbol]
        assert found.bars == len(told)
        assert found.zero_volume == len(rows[found.symbol]) - len(told)
        assert [str(found.first), str(found.last)] == [told[0]["date"], told[-1]["date"]]
    assert set(market.symbols) == set(rows)


def test_real_folder_starts_where_most_symbols_do(shared_data: Path) -> None:
    old, new = (RecordedMarket(shared_data / name, 7) for name in FOLDERS)
    assert (old.first, old.last) == (date(2015, 12, 21), date(2018, 12, 31))
    assert (new.first, new.last) == (date(2020, 7, 27), date(2023, 6, 30))


def test_real_palladium_keeps_its_holes(shared_data: Path) -> None:
    market = RecordedMarket(shared_data / "bars_2020_2023", 7)
    found = {entry.symbol: entry for entry in market.report()}["PALL"]
    assert (found.bars, found.zero_volume, found.missing) == (544, 67, 194)
    assert market.daily("PALL", date(2023, 2, 28)) is None


@pytest.mark.parametrize("name", FOLDERS)
def test_real_bars_are_told_as_recorded(shared_data: Path, name: str) -> None:
    market = RecordedMarket(shared_data / name, 7)
    for symbol, rows in rows_of(shared_data / name).items():
        for row in rows[::40]:
            bar = market.daily(symbol, date.fromisoformat(row["date"]))
            if float(row["volume"]) == 0:
                assert bar is None
                continue
            assert bar is not None
            for key in ("open", "high", "low", "close"):
                recorded = Decimal(row[key]).quantize(TEN_THOUSANDTH, ROUND_HALF_EVEN)
                assert abs(getattr(bar, key) - recorded) <= TEN_THOUSANDTH


def bars_of(market: RecordedMarket, symbol: str, day: date) -> tuple[MarketBar | None, list[MarketBar]]:
    return market.daily(symbol, day), list(market.minutes(symbol, day))


@pytest.mark.parametrize("name", FOLDERS)
def test_real_bars_path_stays_within_a_cent_of_the_bar(shared_data: Path, name: str) -> None:
    market = RecordedMarket(shared_data / name, 7)
    for session in market.sessions(market.first, market.last)[::90]:
        for symbol in market.symbols:
            daily, minutes = bars_of(market, symbol, session.day)
            if daily is None:
                assert minutes == []
                continue
            assert abs(minutes[0].open - daily.open) < CENT
            assert abs(minutes[-1].close - daily.close) < CENT
            assert abs(max(bar.high for bar in minutes) - daily.high) < CENT
            assert abs(min(bar.low for bar in minutes) - daily.low) < CENT


@pytest.mark.parametrize("end", [date(2021, 3, 31), date(2022, 11, 25)])
def test_folder_cut_at_a_day_agrees_with_the_whole_up_to_it(
    shared_data: Path, tmp_path: Path, end: date
) -> None:
    for path in sorted((shared_data / "bars_2020_2023").glob("*.csv")):
        header, *rows = path.read_text().splitlines()
        kept = [row for row in rows if row.split(",")[0] <= str(end)]
        (tmp_path / path.name).write_text("\n".join([header, *kept]) + "\n")
    whole, part = RecordedMarket(shared_data / "bars_2020_2023", 7), RecordedMarket(tmp_path, 7)
    assert (part.symbols, part.first) == (whole.symbols, whole.first)
    for session in whole.sessions(whole.first, end)[::-60]:
        for symbol in ("GLD", "PALL", "GLL", "VIXY"):
            assert bars_of(part, symbol, session.day) == bars_of(whole, symbol, session.day)
            for at in (session.open_at, session.open_at + timedelta(hours=1), session.close_at):
                assert part.quote(symbol, at) == whole.quote(symbol, at)
