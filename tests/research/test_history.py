"""Recorded bars: holes stay holes, sessions come from the calendar, and junk is refused in a sentence."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from qgtm.core.errors import MarketError
from qgtm.research.history import evidence, history, history_from_folder
from qgtm.research.made_up import made_up

HEADER = "date,open,high,low,close,volume"
WEEK = ("2023-01-03", "2023-01-04", "2023-01-05", "2023-01-06", "2023-01-09")


def write(folder: Path, symbol: str, *rows: str, header: str = HEADER) -> Path:
    path = folder / f"{symbol}.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def row(day: str, close: float = 10.0, volume: int = 100) -> str:
    return f"{day},{close},{close + 1},{close - 1},{close},{volume}"


def test_missing_session_and_bar_without_volume_are_holes(tmp_path: Path) -> None:
    write(tmp_path, "GLD", *(row(day) for day in WEEK))
    write(tmp_path, "PALL", row(WEEK[0], 5), row(WEEK[2], 99, volume=0), row(WEEK[4], 6))
    bars = history_from_folder(tmp_path)
    assert bars.symbols == ("GLD", "PALL")
    assert [date.fromordinal(int(each)).isoformat() for each in bars.sessions] == list(WEEK)
    assert np.array_equal(bars.close[:, 1], [5, np.nan, np.nan, np.nan, 6], equal_nan=True)
    assert np.isnan(bars.volume[2, 1])


def test_session_that_no_file_has_is_a_row_of_holes(tmp_path: Path) -> None:
    write(tmp_path, "GLD", row(WEEK[0]), row(WEEK[4]))
    bars = history_from_folder(tmp_path)
    assert len(bars) == 5
    assert np.isnan(bars.close[1:4]).all()


def test_stray_row_of_another_year_adds_no_session(tmp_path: Path) -> None:
    for symbol in ("GLD", "SLV", "GDX"):
        write(tmp_path, symbol, *(row(day) for day in WEEK))
    write(tmp_path, "SPY", row("2018-11-01"), *(row(day) for day in WEEK))
    bars = history_from_folder(tmp_path)
    assert [date.fromordinal(int(each)).isoformat() for each in bars.sessions] == list(WEEK)
    assert not np.isnan(bars.close).any()


def test_columns_in_another_order_do_no_harm(tmp_path: Path) -> None:
    write(
        tmp_path, "GLD", *(f"100,{day},9,11,10,10" for day in WEEK), header="Volume,Date,Low,High,Open,Close"
    )
    bars = history_from_folder(tmp_path)
    assert bars.symbols == ("GLD",)
    assert bars.high[0, 0] == 11


def test_folder_that_lacks_a_symbol_is_refused_naming_it(tmp_path: Path) -> None:
    write(tmp_path, "GLD", *(row(day) for day in WEEK))
    with pytest.raises(MarketError, match="has no bars of SLV"):
        history_from_folder(tmp_path, ("GLD", "SLV"))
    write(tmp_path, "XYZ", *(row(day) for day in WEEK))
    (tmp_path / "GLD.csv").unlink()
    with pytest.raises(MarketError, match="XYZ is no symbol of the universe"):
        history_from_folder(tmp_path)


def test_real_folder_cut_at_a_session_begins_as_the_whole_one_does(shared_data: Path, tmp_path: Path) -> None:
    whole = history_from_folder(shared_data / "bars_2020_2023")
    for path in (shared_data / "bars_2020_2023").glob("*.csv"):
        lines = path.read_text().splitlines()
        kept = [line for line in lines[1:] if line < "2021-03-01"]
        (tmp_path / path.name).write_text("\n".join([lines[0], *kept]) + "\n")
    cut = history_from_folder(tmp_path)
    assert len(whole) == 738
    assert np.array_equal(cut.close, whole.head(len(cut)).close, equal_nan=True)
    assert cut.sessions.tolist() == whole.sessions[: len(cut)].tolist()


def test_real_junk_bar_without_volume_is_a_hole(shared_data: Path) -> None:
    bars = history_from_folder(shared_data / "bars_2020_2023", ("GLD", "PALL"))
    at = bars.sessions.tolist().index(date(2023, 2, 28).toordinal())
    assert np.isnan(bars.close[at, 1])
    assert np.isfinite(bars.close[at, 0])


def test_history_names_its_source_as_evidence(tmp_path: Path) -> None:
    write(tmp_path, "GLD", *(row(day) for day in WEEK))
    assert len(history(str(tmp_path), ("GLD",), 3)) == 3
    assert history("synthetic", ("SPY", "GLD"), 30, 2).symbols == ("SPY", "GLD")
    assert (evidence("synthetic"), evidence(str(tmp_path))) == ("synthetic", "recorded")


def test_made_up_market_is_the_same_for_a_seed_and_a_longer_one_begins_like_it() -> None:
    assert np.array_equal(made_up(200, 7).head(90).high, made_up(90, 7).high)
    assert not np.array_equal(made_up(90, 8).close, made_up(90, 7).close)


def test_made_up_bars_could_be_true() -> None:
    bars = made_up(500, 3)
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low > 0).all()
