"""Price files: what is refused, in which words, and what is let through."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from qgtm.core.errors import MarketError
from qgtm.exchange.market.recorded import RecordedMarket

HEADER = "date,open,high,low,close,volume\n"
GOOD = """2022-11-21,161.8,162.4,161.6,161.75,71234
2022-11-22,162.3,162.5,161.7,161.9,51234
2022-11-23,161.4,163.1,161.4,162.9,61234
"""


def refusal(folder: Path, text: str, name: str = "GLD.csv") -> str:
    (folder / name).write_text(text)
    with pytest.raises(MarketError) as caught:
        RecordedMarket(folder, 1)
    return str(caught.value)


def test_good_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "GLD.csv").write_text(HEADER + GOOD)
    assert RecordedMarket(tmp_path, 1).report()[0].bars == 3


JUNK = {
    "2022-11-25,nan,163,162,162.5,100": "open is nan, no finite number",
    "2022-11-25,162,inf,162,162.5,100": "high is inf, no finite number",
    "2022-11-25,162,163,162,162.5,nan": "volume is nan, no finite number",
    "2022-11-25,162,163,-162,162.5,100": "low is -162, negative",
    "2022-11-25,162,163,162,162.5,-1": "volume is -1, negative",
    "2022-11-25,162,1e308,162,162.5,100": "high is 1e\\+308, beyond belief",
    "2022-11-25,162,161,163,162,100": "the high is below the low",
    "2022-11-25,164,163,162,162.5,100": "the open lies outside low and high",
    "2022-11-25,162,163,162,161.5,100": "the close lies outside low and high",
    "2022-11-25,0,163,0,162,100": "a price is below half a cent",
    "2022-11-25,162,163,,162,100": "low is '', no number",
    "2022-11-25,162,163,n/a,162,100": "low is 'n/a', no number",
    "25.11.2022,162,163,162,162.5,100": "'25.11.2022' is no date",
    "2022-11-25,162,163": "breaks off after 3 values",
    "2022-11-23,162,163,162,162.5,100": "the date stands there twice",
    "2022-11-22,162,163,162,162.5,100": "the date stands there twice",
    "2022-11-18,162,163,162,162.5,100": "it comes after 2022-11-23; sort the file by date",
    "2022-11-24,162,163,162,162.5,100": "New York was closed that day",
    "2250-11-24,162,163,162,162.5,100": "a bar lies in 2005 to 2214",
}


@pytest.mark.parametrize(("line", "words"), JUNK.items(), ids=range(len(JUNK)))
def test_junk_line_is_refused_by_file_and_line(tmp_path: Path, line: str, words: str) -> None:
    said = refusal(tmp_path, HEADER + GOOD + line + "\n")
    assert words.replace("\\", "") in said
    assert f"{tmp_path / 'GLD.csv'}, line 5" in said
    assert ";" in said  # what is wrong; what to do


def test_refusal_of_a_bar_names_its_date(tmp_path: Path) -> None:
    assert "line 5 (2022-11-25)" in refusal(tmp_path, HEADER + GOOD + "2022-11-25,nan,163,162,162.5,100\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty; fill it"),
        (HEADER, "holds no bars; fill it"),
        ("date,open,high,low,volume\n2022-11-21,1,1,1,1\n", "has no column close"),
        ("day,open,high,low,close\n", "has no column date or volume"),
        ("\x00\x00", "no column"),
    ],
)
def test_file_without_bars_or_columns_is_refused(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, text)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "GLD.csv").write_bytes(b"\xff\xfe\x00date")
    with pytest.raises(MarketError, match="cannot be read as CSV"):
        RecordedMarket(tmp_path, 1)


def test_file_that_cannot_be_opened_is_not_told_as_a_bad_export(tmp_path: Path) -> None:
    (tmp_path / "GLD.csv").mkdir()
    with pytest.raises(MarketError, match=r"GLD\.csv cannot be read: Is a directory\. Next: .*move it away"):
        RecordedMarket(tmp_path, 1)


def test_bytes_that_are_no_parquet_are_refused(tmp_path: Path) -> None:
    assert "cannot be read as Parquet" in refusal(tmp_path, "date,open", "GLD.parquet")


def test_symbol_outside_the_universe_is_refused(tmp_path: Path) -> None:
    assert "TSLA is no symbol of the universe" in refusal(tmp_path, HEADER + GOOD, "TSLA.csv")


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MarketError, match="is no folder; name one"):
        RecordedMarket(tmp_path / "nowhere", 1)


def test_folder_without_price_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("prices")
    with pytest.raises(MarketError, match=r"holds no \.csv or \.parquet file"):
        RecordedMarket(tmp_path, 1)


def test_symbol_in_two_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "GLD.csv").write_text(HEADER + GOOD)
    assert "holds GLD twice, as GLD.csv and GLD.parquet" in refusal(tmp_path, "", "GLD.parquet")


def test_folder_in_which_nothing_was_traded_is_refused(tmp_path: Path) -> None:
    assert "holds a bar that was traded" in refusal(tmp_path, HEADER + "2022-11-25,162,162,162,162,0\n")


def test_bar_that_nobody_traded_is_dropped_and_counted(tmp_path: Path) -> None:
    (tmp_path / "GLD.csv").write_text(HEADER + GOOD + "2022-11-25,0,9,99,1,0\n2022-11-28,162,163,161,162,5\n")
    market = RecordedMarket(tmp_path, 1)
    (found,) = market.report()
    assert (found.bars, found.zero_volume, found.missing) == (4, 1, 1)
    assert market.daily("GLD", date(2022, 11, 25)) is None


def test_rounding_of_a_float_is_no_lie_about_the_range(tmp_path: Path) -> None:
    (tmp_path / "GLD.csv").write_text(HEADER + "2022-11-25,162.1,162.4999999,162.1000001,162.5,100\n")
    bar = RecordedMarket(tmp_path, 1).daily("GLD", date(2022, 11, 25))
    assert bar is not None
    assert bar.low <= bar.open <= bar.close <= bar.high


def test_header_in_capitals_with_more_columns_and_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    text = "\ufeffDate,Adj_Close,Open,High,Low,Close,Volume\n2022-11-25,1,162,163,161,162.5,100\n\n"
    (tmp_path / "GLD.csv").write_text(text, encoding="utf-8")
    market = RecordedMarket(tmp_path, 1)
    bar = market.daily("GLD", date(2022, 11, 25))
    assert bar is not None
    assert str(bar.close) == "162.5000"
    assert market.report()[0].ignored_columns == ("adj_close",)


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "VARCHAR"])
def test_parquet_gives_the_same_market_as_csv(tmp_path: Path, kind: str) -> None:
    for name in ("csv", "parquet"):
        (tmp_path / name).mkdir()
    source = tmp_path / "csv" / "GLD.csv"
    source.write_text(HEADER + GOOD)
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select date::{kind} as date, open, high, low, close, volume from read_csv('{source}')) "
            f"to '{tmp_path / 'parquet' / 'GLD.parquet'}' (format parquet)"
        )
    one, other = (RecordedMarket(tmp_path / name, 1) for name in ("csv", "parquet"))
    day = date(2022, 11, 22)
    assert one.daily("GLD", day) == other.daily("GLD", day)
    assert one.minutes("GLD", day) == other.minutes("GLD", day)


def test_null_in_a_parquet_file_is_refused_by_row(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select date '2022-11-25' as date, 162.0 as open, null::double as high, 162.0 as low, "
            f"162.0 as close, 100 as volume) to '{tmp_path / 'GLD.parquet'}' (format parquet)"
        )
    with pytest.raises(MarketError, match="row 1 \\(2022-11-25\\): high is None, no number"):
        RecordedMarket(tmp_path, 1)
