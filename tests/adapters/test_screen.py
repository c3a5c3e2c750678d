"""What is far off its scale waits for a person; a crash, a crisis and a quiet day do not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from qgtm.adapters.lake import LakeWriter
from qgtm.adapters.quarantine import Quarantine, Released, item_of_fact
from qgtm.adapters.screen import ScreenedStore
from qgtm.core.errors import FeedError
from qgtm.core.fact import Fact

D0 = datetime(2023, 1, 2, 5, tzinfo=UTC)
NOW = datetime(2023, 9, 1, tzinfo=UTC)


def fact(series: str, day: int, value: float, late_h: float = 20) -> Fact:
    at = D0 + timedelta(days=day)
    return Fact(series, at, at + timedelta(hours=late_h), value)


def walk(series: str, start: float, step: float, n: int = 60, *, is_log: bool = False) -> list[Fact]:
    moves = np.cumsum(np.random.default_rng(3).normal(0, step, n))
    values = start * np.exp(moves) if is_log else start + moves
    return [fact(series, day, round(float(value), 4)) for day, value in enumerate(values)]


class Desk:
    """A store behind its screen, with what was said."""

    def __init__(self, root: Path, lake: LakeWriter) -> None:
        self.lake, self.said = lake, list[str]()
        self.quarantine, self.released = Quarantine(root / "held.json"), Released(root / "released.json")
        self.store = ScreenedStore(lake, self.quarantine, self.released, lambda: NOW, self.said.append)

    def last(self, series: str) -> float:
        found = self.lake.last(series, NOW + timedelta(days=1))
        assert found is not None
        return found.value


@pytest.fixture
def desk(tmp_path: Path) -> Callable[[], Desk]:
    lake = LakeWriter(tmp_path / "store")
    return lambda: Desk(tmp_path, lake)


@pytest.mark.fault("E4")
@pytest.mark.parametrize(
    ("series", "start", "step", "is_log", "wrong"),
    [
        ("VIXCLS", 18.0, 0.06, True, 180.0),
        ("VIXCLS", 18.0, 0.06, True, 1.8),
        ("VIXCLS", 18.0, 0.06, True, 0.0),
        ("DTWEXBGS", 115.0, 0.003, True, 11.5),
        ("WALCL", 8_500_000.0, 0.002, True, 8_500.0),
        ("COT_GOLD_OI", 480_000.0, 0.03, True, 4_800_000.0),
        ("DFII10", 1.4, 0.05, False, 14.0),
        ("IV30_GLD", 0.15, 0.01, True, 15.0),
    ],
)
def test_slip_waits_and_what_follows_does_not(
    desk: Callable[[], Desk], series: str, start: float, step: float, is_log: bool, wrong: float
) -> None:
    made, known = desk(), walk(series, start, step, is_log=is_log)
    assert made.store.append(known) == len(known)
    usual = known[-1].value
    assert made.store.append([fact(series, 61, wrong), fact(series, 62, usual)]) == 1
    assert made.last(series) == usual
    (held,) = made.quarantine.held()
    assert (held.fact.value, held.item) == (wrong, item_of_fact(fact(series, 61, wrong)))
    assert f"qgtm data --release {held.item}" in made.said[0]
    made.store.append([fact(series, 61, wrong, late_h=90)])  # it is fetched again each day
    assert (len(made.said), len(made.quarantine.held())) == (1, 1)


@pytest.mark.parametrize(
    ("series", "start", "step", "is_log", "true"),
    [
        ("VIXCLS", 17.0, 0.04, True, 37.3),  # 2018-02-05
        ("BAMLH0A0HYM2", 4.0, 0.02, True, 5.2),
        ("DFF", 1.1, 0.0, False, 0.25),  # 2020-03-16
        ("RR25_GLD", 0.01, 0.004, False, -0.03),
        ("DFII10", 0.1, 0.03, False, -0.4),
    ],
)
def test_move_that_has_been_seen_does_not_wait(
    desk: Callable[[], Desk], series: str, start: float, step: float, is_log: bool, true: float
) -> None:
    made = desk()
    made.store.append(walk(series, start, step, is_log=is_log))
    assert made.store.append([fact(series, 61, true)]) == 1
    assert made.quarantine.held() == ()


@pytest.mark.fault("E4")
def test_second_source_bears_a_move_out(desk: Callable[[], Desk]) -> None:
    made = desk()
    for name, level in (("DGS10", 4.0), ("DGS2", 4.5), ("T10Y2Y", -0.5)):
        made.store.append(walk(name, level, 0.02))
    together = [fact("DGS10", 61, 9.0), fact("DGS2", 61, 4.5), fact("T10Y2Y", 61, 4.5)]
    assert made.store.append(together) == 3
    assert made.store.append([fact("DGS10", 62, 90.0), fact("DGS2", 62, 4.5), fact("T10Y2Y", 62, 4.5)]) == 2


@pytest.mark.fault("E4")
def test_released_value_is_known_from_its_release_on(desk: Callable[[], Desk]) -> None:
    made = desk()
    made.store.append(walk("VIXCLS", 18.0, 0.05, is_log=True))
    odd = fact("VIXCLS", 61, 180.0)
    made.store.append([odd])
    made.released.add(item_of_fact(odd), "OpA", "seen at the vendor", NOW)
    assert made.store.append([]) == 1
    found = made.lake.last("VIXCLS", NOW)
    assert found == Fact("VIXCLS", odd.at, NOW, 180.0)
    assert made.lake.last("VIXCLS", NOW - timedelta(seconds=1)) != found
    assert made.quarantine.held() == ()
    assert made.store.append([odd]) == 1  # fetched again, it says that it was out earlier: no second wait
    made.store.append([fact("VIXCLS", 61, 1.8)])
    assert len(made.quarantine.held()) == 1  # another value of the same day is another matter


def test_first_values_and_talk_are_not_judged(desk: Callable[[], Desk]) -> None:
    made = desk()
    assert made.store.append([fact("VIXCLS", day, 10.0 ** (day % 3)) for day in range(9)]) == 9
    assert made.store.append([fact("REDDIT_GOLD_COUNT", day, 10.0 ** (day % 5)) for day in range(60)]) == 60


def test_file_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "held.json").write_text("[{]")
    with pytest.raises(FeedError, match="move it away"):
        Quarantine(tmp_path / "held.json").held()
