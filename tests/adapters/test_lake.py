"""The store: two times, no overwriting, one writer, and nothing lost but what is damaged."""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qgtm.adapters import lake_file
from qgtm.adapters.adjusting import adjusted
from qgtm.adapters.lake import Lake, LakeWriter
from qgtm.adapters.vintage import Vintages
from qgtm.core.bar import Bar, BarSet
from qgtm.core.corporate_action import ActionKind, CorporateAction
from qgtm.core.errors import FeedError, JournalLocked
from qgtm.core.fact import Fact

D0 = datetime(2023, 3, 1, tzinfo=UTC)


def fact(value: float, day: int = 0, late_h: float = 24, series: str = "DFII10") -> Fact:
    at = D0 + timedelta(days=day)
    return Fact(series, at, at + timedelta(hours=late_h), value)


def bar_set(day: int, closes: dict[str, float], late_h: int = 21, volume: float = 1000.0) -> BarSet:
    session = (D0 + timedelta(days=day)).date()
    known_at = D0 + timedelta(days=day, hours=late_h)
    bars = {
        symbol: Bar(
            symbol=symbol, session=session, known_at=known_at,
            open=close, high=close * 1.01, low=close * 0.99, close=close, volume=volume,
        )
        for symbol, close in closes.items()
    }  # fmt: skip
    return BarSet(session=session, known_at=known_at, bars=bars)


def kept(root: Path, *facts: Fact) -> Lake:
    with LakeWriter(root) as writer:
        writer.append(facts)
    return Lake(root)


def at(day: float) -> datetime:
    return D0 + timedelta(days=day)


def test_value_is_seen_from_the_moment_it_became_known(tmp_path: Path) -> None:
    lake = kept(tmp_path, fact(1.5), fact(1.6, day=1))
    assert lake.last("DFII10", at(0.999)) is None
    assert lake.last("DFII10", at(1)) == fact(1.5)
    assert lake.last("DFII10", at(2)) == fact(1.6, day=1)
    assert len(lake.window("DFII10", at(0.5), 5).values) == 0


def test_revision_is_another_row_and_overwrites_nothing(tmp_path: Path) -> None:
    first, second = fact(1.5), fact(1.4, late_h=72)
    lake = kept(tmp_path, first, fact(1.6, day=1), second)
    before, after = lake.window("DFII10", at(2.5), 5), lake.window("DFII10", at(3), 5)
    assert before.values.tolist() == [1.5, 1.6]
    assert after.values.tolist() == [1.4, 1.6]
    assert after.known_at.tolist() == [at(3).replace(tzinfo=None), at(2).replace(tzinfo=None)]
    assert after.described.tolist() == [D0.replace(tzinfo=None), at(1).replace(tzinfo=None)]


def test_window_is_read_only_and_no_longer_than_asked(tmp_path: Path) -> None:
    window = kept(tmp_path, *(fact(float(n), day=n) for n in range(9))).window("DFII10", at(50), 3)
    assert window.values.tolist() == [6.0, 7.0, 8.0]
    for array in (window.values, window.described, window.known_at):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]


def test_what_is_known_already_is_not_written_again_and_a_change_back_is(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as writer:
        assert writer.append([fact(1.5), fact(1.5, late_h=30)]) == 1
        assert writer.append([fact(1.5, late_h=40)]) == 0
        assert writer.append([fact(1.7, late_h=50), fact(1.5, late_h=60)]) == 2
        assert writer.append([fact(1.7, late_h=55)]) == 0  # between two that are there, and no news
    assert len(list((tmp_path / "facts").iterdir())) == 2


def test_back_fill_says_that_it_was_known_earlier(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as writer:
        writer.append([fact(1.5, late_h=500)])
        assert writer.append([fact(1.5, late_h=20)]) == 1
        found = writer.last("DFII10", at(2))
    assert found == fact(1.5, late_h=20)


def test_later_row_of_one_moment_counts(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as writer:
        writer.append([fact(1.5)])
        writer.append([fact(1.6)])
        seen = writer.last("DFII10", at(3))
    assert seen == fact(1.6)
    assert Lake(tmp_path).last("DFII10", at(3)) == fact(1.6)


def test_series_that_nobody_named_is_refused(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as writer, pytest.raises(FeedError, match="GOLD_VIBES is no series"):
        writer.append([Fact("GOLD_VIBES", D0, D0, 1.0)])


# --- the panel, against the question asked one by one ----------------------------------------------

Row = tuple[int, int, int]  # day described, days until it was known, value
ROWS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 20), st.integers(0, 3)), min_size=0, max_size=40)


def asked_one_by_one(facts: Sequence[Fact], close: datetime) -> tuple[float, int]:
    """Return value and day of the newest fact known at a close: a loop, with no array in it."""
    best: Fact | None = None
    for each in sorted(facts, key=lambda f: f.known_at):
        if each.known_at <= close and (best is None or each.at >= best.at):
            best = each
    return (best.value, best.at.toordinal()) if best else (float("nan"), 0)


@settings(max_examples=25)
@given(rows=ROWS)
def test_panel_row_is_what_was_known_at_its_close(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row]
) -> None:
    facts = [fact(float(v), day=d, late_h=24 * late) for d, late, v in rows]
    closes = [at(day + 0.5) for day in range(0, 36, 2)]
    lake = kept(tmp_path_factory.mktemp("lake"), *facts)
    panel = lake.panel(closes, ("WALCL", "DFII10"))
    expected = [asked_one_by_one(facts, close) for close in closes]
    np.testing.assert_array_equal(panel.column("DFII10"), [value for value, _ in expected])
    assert panel.days("DFII10").tolist() == [day for _, day in expected]
    assert np.isnan(panel.column("WALCL")).all()


@given(rows=ROWS, cut=st.integers(0, 40))
def test_earlier_rows_of_the_panel_do_not_feel_what_came_later(rows: list[Row], cut: int) -> None:
    known = sorted(day + late for day, late, _ in rows)
    vintages = Vintages(
        np.array([d for d, late, _ in sorted(rows, key=lambda r: r[0] + r[1])], dtype=np.int64),
        np.array(known, dtype=np.int64),
        np.zeros((len(rows), 1)),
    )
    until = int(np.searchsorted(vintages.known, cut, side="right"))
    moments = np.arange(cut + 1)
    np.testing.assert_array_equal(vintages.as_of(moments), vintages.taken(slice(0, until)).as_of(moments))


# --- bars and actions ---------------------------------------------------------------------------


def priced(root: Path, *actions: CorporateAction) -> Lake:
    with LakeWriter(root) as writer:
        writer.append_bars(
            [bar_set(0, {"GLD": 100.0}), bar_set(1, {"GLD": 110.0}), bar_set(2, {"GLD": 55.0})]
        )
        writer.append_actions(actions)
    return Lake(root)


SPLIT = CorporateAction("GLD", ActionKind.SPLIT, at(2).date(), at(1), 2.0)


def test_split_counts_from_its_day_and_from_when_it_was_known(tmp_path: Path) -> None:
    lake = priced(tmp_path, SPLIT)
    raw = lake.bars(at(3), ("GLD",), is_adjusted=False).close[:, 0]
    assert raw.tolist() == [100.0, 110.0, 55.0]
    assert lake.bars(at(1.9), ("GLD",)).close[:, 0].tolist() == [100.0, 110.0]  # it is yet to come
    now = lake.bars(at(3), ("GLD",))
    assert now.close[:, 0].tolist() == [50.0, 55.0, 55.0]
    assert now.volume[:, 0].tolist() == [2000.0, 2000.0, 1000.0]
    assert lake.window("GLD", at(3), 2).values.tolist() == [55.0, 55.0]


def test_split_that_is_told_late_changes_nothing_before_that(tmp_path: Path) -> None:
    late = CorporateAction("GLD", ActionKind.SPLIT, at(2).date(), at(9), 2.0)
    lake = priced(tmp_path, late)
    assert lake.bars(at(8), ("GLD",)).close[:, 0].tolist() == [100.0, 110.0, 55.0]
    assert lake.bars(at(9), ("GLD",)).close[:, 0].tolist() == [50.0, 55.0, 55.0]
    assert lake.actions(at(8)) == ()
    assert lake.actions(at(9)) == (late,)


def test_action_that_is_called_off_leaves_prices_as_they_are(tmp_path: Path) -> None:
    off = CorporateAction("GLD", ActionKind.SPLIT, SPLIT.ex_day, at(1.5), 1.0)
    assert priced(tmp_path, SPLIT, off).bars(at(3), ("GLD",)).close[:, 0].tolist() == [100.0, 110.0, 55.0]


def test_return_over_a_dividend_is_that_of_its_holder(tmp_path: Path) -> None:
    paid = CorporateAction("GLD", ActionKind.DIVIDEND, at(2).date(), at(0), 11.0)
    close = priced(tmp_path, paid).bars(at(3), ("GLD",)).close[:, 0]
    assert close.tolist() == pytest.approx([90.0, 99.0, 55.0])  # a tenth of 110 is paid out


def test_dividend_on_the_day_of_a_split_is_paid_on_the_new_shares() -> None:
    values = np.array([[100.0] * 4 + [10.0], [49.0] * 4 + [20.0]])
    done = adjusted(np.array([1, 2]), values, [(2, 2.0)], [(2, 1.0)])
    # who held one share of 100 holds two of 49 and got 2 dollars: nothing gained, nothing lost
    assert done[:, 3].tolist() == pytest.approx([49.0, 49.0])


def test_dividend_without_a_session_before_it_is_left_out() -> None:
    values = np.array([[100.0] * 4 + [10.0]])
    np.testing.assert_array_equal(adjusted(np.array([5]), values, [], [(5, 3.0), (1, 2.0)]), values)
    np.testing.assert_array_equal(adjusted(np.array([5]), values, [], [(9, 100.0)]), values)


def test_bar_that_is_corrected_later_leaves_what_was_seen_before(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as writer:
        writer.append_bars([bar_set(0, {"GLD": 100.0, "SLV": 20.0})])
        writer.append_bars([bar_set(0, {"GLD": 101.0, "SLV": 20.0}, late_h=30), bar_set(1, {"SLV": 21.0})])
    lake = Lake(tmp_path)
    early, late = lake.bars(at(1), ("GLD", "SLV")), lake.bars(at(2), ("GLD", "SLV"))
    np.testing.assert_array_equal(early.close, [[100.0, 20.0]])
    np.testing.assert_array_equal(late.close, [[101.0, 20.0], [np.nan, 21.0]])
    assert late.sessions.tolist() == [date(2023, 3, 1).toordinal(), date(2023, 3, 2).toordinal()]
    assert (lake.last_session("GLD", at(9)), lake.last_session("GLD", at(0))) == (date(2023, 3, 1), None)


# --- files ---------------------------------------------------------------------------------------


def test_reader_sees_what_the_writer_adds_when_it_asks_anew(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as writer:
        writer.append([fact(1.0)])
        lake = Lake(tmp_path)
        writer.append([fact(2.0, day=1)])
        assert lake.last("DFII10", at(9)) == fact(1.0)
        lake.refresh()
        assert lake.last("DFII10", at(9)) == fact(2.0, day=1)
        writer.append([fact(3.0, day=2)])
        writer.compact()
        writer.append([fact(4.0, day=3)])
        lake.refresh()
    assert lake.window("DFII10", at(9), 9).values.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_files_that_are_put_together_hold_the_same(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as writer:
        for day in range(7):
            writer.append([fact(float(day), day=day), fact(day * 2.0, day=day, series="SOFR")])
        before = Lake(tmp_path).panel([at(n) for n in range(9)])
        writer.compact()
    assert len(list((tmp_path / "facts").glob("facts-000000000001-000000000014-*"))) == 1
    after = Lake(tmp_path).panel([at(n) for n in range(9)])
    np.testing.assert_array_equal(before.values, after.values)


def test_many_small_files_are_put_together_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qgtm.adapters.lake.MOST_FILES", 4)
    with LakeWriter(tmp_path) as writer:
        for day in range(20):
            writer.append([fact(float(day), day=day)])
    assert len(list((tmp_path / "facts").iterdir())) <= 4
    assert len(Lake(tmp_path).window("DFII10", at(99), 99).values) == 20


@pytest.mark.parametrize("harm", ["cut", "bit", "empty", "foreign", "other form"])
def test_file_that_does_not_hold_is_named_put_aside_and_costs_its_own_rows_alone(
    tmp_path: Path, harm: str
) -> None:
    with LakeWriter(tmp_path) as writer:
        for day in range(3):
            writer.append([fact(float(day), day=day)])
    first, second, third = sorted((tmp_path / "facts").iterdir())
    if harm == "foreign":
        second = tmp_path / "facts" / "notes.txt"
        second.write_text("mine")
    elif harm == "other form":
        second = other_form(tmp_path / "facts")
    else:
        content = second.read_bytes()
        broken = {"cut": content[:-9], "bit": content[:50] + b"\x00" + content[51:], "empty": b""}[harm]
        assert broken != content
        second.write_bytes(broken)
    expected = [0.0, 1.0, 2.0] if harm in ("foreign", "other form") else [0.0, 2.0]
    lake = Lake(tmp_path)
    assert second.name in lake.problems[0]
    assert lake.window("DFII10", at(9), 9).values.tolist() == expected
    assert second.exists()  # who only reads moves nothing
    with LakeWriter(tmp_path) as writer:
        assert second.name in writer.problems[0]
        assert "back-fill" in writer.problems[0]
        assert (tmp_path / "quarantine" / second.name).exists()
        assert writer.window("DFII10", at(9), 9).values.tolist() == expected
        assert writer.append([fact(1.0, day=1)]) == (len(expected) == 2)
    assert Lake(tmp_path).window("DFII10", at(9), 9).values.tolist() == [0.0, 1.0, 2.0]
    assert (first.exists(), third.exists()) == (True, True)


def other_form(folder: Path) -> Path:
    """Write a whole Parquet file under a right name, with columns that are none of ours."""
    aside = folder / ".x.parquet"
    duckdb.sql("SELECT 4 AS seq, 'DFII10' AS name, 1.5 AS price").write_parquet(str(aside))
    digest = lake_file.sha256(aside.read_bytes()).hexdigest()[:16]
    return aside.rename(folder / f"facts-000000000004-000000000004-{digest}.parquet")


def test_rows_of_a_file_that_is_gone_are_missed(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as writer:
        for day in range(3):
            writer.append([fact(float(day), day=day)])
    sorted((tmp_path / "facts").iterdir())[1].unlink()
    assert "rows 2 to 2" in Lake(tmp_path).problems[0]


def test_number_of_a_row_is_never_given_twice(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as writer:
        writer.append([fact(1.0)])
        writer.append([fact(2.0, day=1)])
    newest = max((tmp_path / "facts").iterdir())
    newest.write_bytes(b"torn")
    with LakeWriter(tmp_path) as writer:
        writer.append([fact(3.0, day=2)])
    names = sorted(path.name[:31] for path in (tmp_path / "facts").iterdir())
    assert names == ["facts-000000000001-000000000001", "facts-000000000003-000000000003"]


def test_second_writer_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as writer:
        writer.append([fact(1.0)])
        code = (
            "import pathlib, sys; from qgtm.adapters import lake; lake.LakeWriter(pathlib.Path(sys.argv[1]))"
        )
        run = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert JournalLocked.__name__ in run.stderr
        assert str(os.getpid()) in run.stderr
        assert Lake(tmp_path).last("DFII10", at(2)) == fact(1.0)
    with LakeWriter(tmp_path) as writer:
        assert writer.append([fact(2.0, day=1)]) == 1


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.fault("H4")
@pytest.mark.parametrize("step", range(1, 12))
def test_crash_at_any_step_leaves_all_that_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Count every call that touches the disk in an append and in putting files together; die at the n-th."""
    acknowledged = []
    with LakeWriter(tmp_path) as writer:
        for day in range(3):
            writer.append([fact(float(day), day=day)])
            acknowledged.append(float(day))
        steps = iter(range(1, 1000))

        def dying(call: object) -> object:
            def instead(*args: object, **kwargs: object) -> object:
                if next(steps) == step:
                    raise Crash
                return call(*args, **kwargs)  # type: ignore[operator]

            return instead

        with monkeypatch.context() as patch:
            patch.setattr(lake_file.Parquet, "_write", dying(lake_file.Parquet._write))
            patch.setattr(lake_file.os, "fsync", dying(os.fsync))
            patch.setattr(lake_file, "sync_folder", dying(lake_file.sync_folder))
            patch.setattr(Path, "rename", dying(Path.rename))
            patch.setattr(Path, "unlink", dying(Path.unlink))
            try:
                writer.append([fact(3.0, day=3)])
                acknowledged.append(3.0)
                writer.compact()
            except Crash:
                pass
    with LakeWriter(tmp_path) as writer:
        found = writer.window("DFII10", at(9), 9).values.tolist()
        assert found[: len(acknowledged)] == acknowledged
        assert set(found) <= {0.0, 1.0, 2.0, 3.0}
        assert not list((tmp_path / "facts").glob(".*"))
        writer.append([fact(3.0, day=3)])
    lake = Lake(tmp_path)
    assert lake.problems == ()
    assert lake.window("DFII10", at(9), 9).values.tolist() == [0.0, 1.0, 2.0, 3.0]
