"""Stress windows: ten, by name, and only what the record holds whole."""

from datetime import date

import numpy as np
import pytest

from qgtm.research.stress import WINDOWS, Stress, in_stress

DAYS = np.array([date(2020, 3, day).toordinal() for day in range(2, 12)])
RETURNS = np.array([0.0, 0.1, -0.5, 0.2, 0.0, 0.01, 0.02, 0.03, 0.04, 0.05])


def test_ten_windows_have_ten_names_and_an_order() -> None:
    assert len({each.name for each in WINDOWS}) == 10
    assert all(each.first < each.last for each in WINDOWS)


def test_return_of_a_window_is_that_of_its_sessions() -> None:
    inside = Stress("inside", date(2020, 3, 3), date(2020, 3, 5))
    assert in_stress(DAYS, RETURNS, [inside]) == {"inside": pytest.approx(1.1 * 0.5 * 1.2 - 1)}


@pytest.mark.parametrize(("first", "last"), [(1, 5), (9, 12)])
def test_window_that_the_record_does_not_hold_whole_is_not_told(first: int, last: int) -> None:
    window = Stress("over the edge", date(2020, 3, first), date(2020, 3, last))
    assert in_stress(DAYS, RETURNS, [window]) == {"over the edge": None}
    assert in_stress(DAYS[:0], RETURNS[:0], [window]) == {"over the edge": None}
