"""Series beside recorded bars: known from their publication on, and not when the next one is overdue."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from qgtm.core.errors import MarketError
from qgtm.features.bars import Bars
from qgtm.features.panel import Panel
from qgtm.features.seen import Seen
from qgtm.research.recorded import beside, covered
from qgtm.research.story import world

DAYS = [date(2018, 3, day) for day in (5, 6, 7, 8, 9, 12, 13, 14, 15, 16)]
SESSIONS = np.array([day.toordinal() for day in DAYS])


def fred(folder: Path, name: str, *rows: str) -> None:
    (folder / "fred").mkdir(exist_ok=True)
    (folder / "fred" / f"{name}.csv").write_text("\n".join(["date,value", *rows]) + "\n")


def test_value_is_known_from_the_close_after_its_publication(tmp_path: Path) -> None:
    """The index of one session is out the next morning; the yield of a day the next day after the close."""
    for name in ("VIXCLS", "DFII10"):
        fred(tmp_path, name, "2018-03-05,1", "2018-03-06,2", "2018-03-07,.", "2018-03-08,4", "2018-03-09,5")
    panel = beside(tmp_path, SESSIONS)
    assert panel.column("VIXCLS")[:7].tolist()[1:] == [1, 2, 2, 4, 5, 5]
    assert panel.column("DFII10")[:8].tolist()[2:] == [1, 2, 2, 4, 5, 5]
    assert panel.days("VIXCLS")[5] == date(2018, 3, 9).toordinal()


def test_value_whose_successor_is_overdue_is_no_longer_known(tmp_path: Path) -> None:
    fred(tmp_path, "VIXCLS", "2018-03-05,1", "2018-03-06,2")
    found = beside(tmp_path, SESSIONS).column("VIXCLS")
    # that of the 7th is out on the 8th, and is waited for until the 9th in the morning
    assert np.isnan(found).tolist() == [True, False, False, False, True, True, True, True, True, True]


def test_folders_are_found_in_the_bars_and_beside_them_and_what_is_not_ours_is_passed_over(
    tmp_path: Path,
) -> None:
    fred(tmp_path, "VIXCLS", "2018-03-05,1")
    fred(tmp_path, "VXSLVCLS", "2018-03-05,1")
    (tmp_path / "bars").mkdir()
    panel = beside(tmp_path / "bars", SESSIONS)
    assert "VIXCLS" in panel.names
    assert "VXSLVCLS" not in panel.names


def test_calendar_is_known_without_any_file(tmp_path: Path) -> None:
    panel = beside(tmp_path, SESSIONS)
    assert panel.column("TO_FOMC")[0] == 12  # the decision of the 21st of March
    assert panel.column("TO_MONTH_END")[-1] == 9  # the 29th; Good Friday is no session
    assert np.isnan(panel.column("TO_CPI")).all()


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    fred(tmp_path, "VIXCLS", "2018-03-05,high")
    with pytest.raises(MarketError, match=r"VIXCLS\.csv cannot be read as date,value"):
        beside(tmp_path, SESSIONS)


def test_record_ends_where_a_series_that_is_read_does() -> None:
    flat = np.full((10, 1), 10.0)
    bars = Bars(SESSIONS, ("GLD",), flat, flat, flat, flat, flat)
    values = np.full((10, 3), 1.0)
    values[6:, 0], values[3:5, 1], values[:, 2] = np.nan, np.nan, np.nan
    described = np.ones((10, 3), dtype=np.int64)
    seen = Seen(bars, Panel(("VIXCLS", "DGS2", "DFF"), values, described))
    assert len(covered(seen, ("VIXCLS", "DGS2"))) == 6
    assert len(covered(seen, ("DGS2", "DFF", "TO_FOMC"))) == 10


def test_reports_on_positions_are_known_after_their_friday(shared_data: Path) -> None:
    seen = world(str(shared_data / "bars_2015_2018"), 5000, 0)
    oi, days = seen.panel.column("COT_GOLD_OI"), seen.panel.days("COT_GOLD_OI")
    row = seen.bars.sessions.tolist().index(date(2017, 6, 15).toordinal())  # a Thursday
    assert days[row : row + 2].tolist() == [date(2017, 6, day).toordinal() for day in (6, 13)]
    assert np.isnan(oi[0])
    assert 300_000 < oi[row] < 800_000
    assert np.isnan(world(str(shared_data / "bars_2020_2023"), 5000, 0).panel.column("VIXCLS")).all()
