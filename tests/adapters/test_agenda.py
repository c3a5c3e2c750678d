"""The days that are announced ahead: counted in sessions, and only from their announcement on."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from qgtm.adapters.agenda import agenda, load_agenda, save_agenda
from qgtm.adapters.calendar import xnys
from qgtm.adapters.fomc import DECISIONS

YEAR = [session.day for session in xnys().sessions(date(2022, 1, 3), date(2022, 12, 30))]


def test_counts_are_those_of_numpy_s_business_days() -> None:
    found = agenda(YEAR, {"FOMC": DECISIONS}, xnys())
    holidays = [
        day for day in pd.bdate_range("2021-06-01", "2023-06-30").date if xnys().session_on(day) is None
    ]
    for day, to, since in zip(YEAR, found.column("TO_FOMC"), found.column("SINCE_FOMC"), strict=True):
        ahead = min(each for each in DECISIONS if each >= day)
        behind = max(each for each in DECISIONS if each <= day)
        assert to == np.busday_count(day, ahead, holidays=holidays)
        assert since == np.busday_count(behind, day, holidays=holidays)


def test_expiry_roll_and_month_end_need_nobody_s_word() -> None:
    found = agenda(YEAR, {}, xnys())
    rows = dict(zip(YEAR, range(len(YEAR)), strict=True))
    assert found.column("TO_EXPIRY")[rows[date(2022, 3, 18)]] == 0  # a third Friday
    assert found.column("TO_EXPIRY")[rows[date(2022, 4, 14)]] == 0  # the Thursday before Good Friday
    assert found.column("TO_MONTH_END")[rows[date(2022, 5, 31)]] == 0
    assert found.column("SINCE_MONTH_END")[rows[date(2022, 6, 2)]] == 2
    assert found.column("TO_ROLL")[rows[date(2022, 3, 31)]] == 0  # first notice of April gold
    assert np.isnan(found.column("TO_CPI")).all()


def test_later_days_change_no_row_that_was_told_before() -> None:
    """Cutting the future of the agenda changes nothing: a day counts from ninety days before it on."""
    whole = agenda(YEAR, {"CPI": [date(2022, month, 12) for month in range(1, 13)]}, xnys())
    cut = agenda(YEAR[:120], {"CPI": [date(2022, month, 12) for month in range(1, 13)]}, xnys())
    assert np.array_equal(whole.values[:120], cut.values, equal_nan=True)
    lone = agenda(YEAR, {"CPI": [date(2022, 12, 13)]}, xnys())
    known = np.isfinite(lone.column("TO_CPI"))
    first = YEAR[int(np.argmax(known))]
    assert date(2022, 12, 13) - timedelta(days=90) <= first <= date(2022, 12, 13) - timedelta(days=86)


def test_file_comes_back_and_a_damaged_one_is_asked_for_anew(tmp_path: Path) -> None:
    days = {"CPI": (date(2022, 1, 12),), "FOMC": DECISIONS[:3]}
    save_agenda(tmp_path / "feeds" / "agenda.json", days)
    assert load_agenda(tmp_path / "feeds" / "agenda.json") == days
    (tmp_path / "feeds" / "agenda.json").write_text('{"CPI": [1]}')
    assert load_agenda(tmp_path / "feeds" / "agenda.json") == {}
    assert load_agenda(tmp_path / "none.json") == {}


def test_no_session_gives_no_row() -> None:
    assert len(agenda([], {"FOMC": DECISIONS}, xnys())) == 0
