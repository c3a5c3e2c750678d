"""A small sample of each trial of `make durable`, and that each can see what it looks for."""

import signal
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import apsw
import pytest

from qgtm.adapters.audit import Audit
from qgtm.adapters.chain import GENESIS
from qgtm.core.effects import Submit
from qgtm.live.perform import World, perform
from tests.durability import ambiguous, disks, drills, kills
from tests.durability.book import rows_of, write_note
from tests.durability.page import page, percentile
from tests.durability.size import TRIALS, jobs_of
from tests.durability.zygote import forked
from tests.live.processes import environment


def kill_four(folder: Path) -> dict[str, Any]:
    return kills.lived_through(0, 4, folder)


@pytest.mark.fault("A3", "C18", "G1", "G2")
@pytest.mark.invariant("V4", "V9", "V21")
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_forked_daemons_killed_at_random_instants_break_nothing(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:  # forks need a single thread
        found = pool.submit(kill_four, tmp_path).result()
    assert found["broken"] == []
    assert found["kills"] >= 4
    assert found["boots"]


def ended_codes(folder: Path) -> tuple[int, int, str]:
    refused = forked(["daemon", "--config", "nowhere.toml"], folder, folder / "a.log", environment())
    killed = forked(["exchange", "--port", "0"], folder, folder / "b.log", environment())
    killed.send_signal(signal.SIGKILL)
    return refused.wait(60), killed.wait(60), (folder / "a.log").read_text()


@pytest.mark.timeout(200)
@pytest.mark.slow
def test_forked_process_ends_with_its_own_code_and_writes_into_its_own_log(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        refused, killed, log = pool.submit(ended_codes, tmp_path).result()
    assert (refused, killed) == (1, -signal.SIGKILL)
    assert "nowhere.toml" in log


@pytest.mark.fault("H1", "H5")
@pytest.mark.invariant("V21")
def test_cut_power_loses_nothing_with_full_syncing_and_something_with_less() -> None:
    found = disks.power_cuts(0, 60)
    assert (found["cuts"], found["broken"]) == (60, [])
    assert len(disks.power_cuts(0, 60, "NORMAL")["broken"]) > 20


@pytest.mark.fault("H1", "H5")
def test_disk_that_fails_at_every_nth_write_and_sync_stops_the_writer() -> None:
    found = disks.failing_disks(6)
    assert found["broken"] == []
    assert {name.split(" at ")[0] for name in found["failures"]} == {"IOERR", "FULL"}
    assert min(found["failures"].values()) >= 6


@pytest.mark.invariant("V21")
def test_edited_cells_and_flipped_bits_are_all_found() -> None:
    assert disks.edits(0, 100)["broken"] == []
    found = disks.flipped_bytes(0, 100)
    assert found["broken"] == []
    assert found["found"] > 20


def test_edit_that_the_audit_does_not_see_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "verify", lambda path: Audit(disks.ROWS, GENESIS, None))
    assert len(disks.edits(0, 5)["broken"]) == 5
    assert disks.flipped_bytes(0, 100)["broken"]


def test_writer_that_goes_on_after_a_failing_disk_is_told(tmp_path: Path) -> None:
    with disks.SqliteJournal(tmp_path / "j.db") as journal:
        assert disks.refusal_of(journal, "start again") == "it went on writing after a failure"
    assert issubclass(disks.ERRORS["FULL"], apsw.Error)


@pytest.mark.fault("A2", "A3", "A4", "A5", "A12")
@pytest.mark.invariant("V4", "V9")
def test_orders_sent_into_doubt_are_neither_doubled_nor_forgotten() -> None:
    found = ambiguous.submits(0, 60)
    assert found["broken"] == []
    assert found["doubts"] >= 60
    assert set(found["manners"]) == set(ambiguous.MANNERS)
    assert found["sendings"] > found["intents"], "nothing was sent again"


def test_order_that_nobody_asks_about_again_is_told_as_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_send(effect: Any, world: World) -> Any:
        return perform(effect, world) if isinstance(effect, Submit) else ()

    monkeypatch.setattr(ambiguous, "perform", only_send)
    found = ambiguous.submits(0, 20)
    assert found["forgotten"] > 5


def test_order_under_another_id_is_told_as_doubled() -> None:
    fund = ambiguous.Doubt(0)
    fund.run(20)
    before = fund.doubled()
    fund.kernel.state.orders.pop(next(iter(fund._there())).client_order_id)  # type: ignore[attr-defined]
    fund.broker.close()
    assert (before, len(fund.doubled())) == ([], 1)


@pytest.mark.fault("D11", "D5", "C9", "B1")
@pytest.mark.invariant("V7", "V15", "V13")
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_drill_ends_as_it_must() -> None:
    capped, dead = drills.hard_caps(1, 1), drills.dead_men(0, 1)
    assert (capped["broken"], dead["broken"]) == ([], [])
    assert capped["took"][0] <= 60
    assert 900 <= dead["took"][0] <= 960
    streams = drills.reconnects(0, 10)
    assert streams["broken"] == []
    assert max(streams["took"]) <= 5
    assert streams["fills"]


@pytest.mark.fault("C9")
@pytest.mark.invariant("V13")
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_drifts_are_found_and_never_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drills, "TRADED", drills.TRADED[:3])
    found = drills.drifts(0, 2)
    assert found["broken"] == []
    assert found["drills"] >= 2
    assert max(found["took"]) <= 930  # a quarter of an hour, and the second look that confirms it


def test_jobs_come_to_the_whole_and_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    assert sum(size for _, _, size in jobs_of("kills", 1_000)) == 1_000
    assert [size for _, _, size in jobs_of("edits", 6_000)] == [2_500, 2_500, 1_000]
    assert len({(name, seed) for name in TRIALS for _, seed, _ in jobs_of(name, 50)}) >= len(TRIALS)
    path = tmp_path / "done.jsonl"
    path.write_text('{"what": "edits", "seed": 0, "size": 1, "broken": []}\n{"what": "ed')
    assert [row["seed"] for row in rows_of(path)] == [0]


def test_page_says_what_ran_and_what_was_broken() -> None:
    row = {
        "what": "hard caps",
        "seed": 3,
        "size": 2,
        "drills": 2,
        "took": [1.0, 70.0],
        "cpu_s": 1.0,
        "took_s": 2.0,
    }
    text = page([row | {"broken": ["seed 3: flat after 70 s"]}], "abc", date(2024, 1, 2))
    assert "| hard caps | 1,000 | 2 | 1 |" in text
    assert "2: median 70.00 s, p99 70.00 s, largest 70.00 s" in text
    assert "- hard caps, seed 3: seed 3: flat after 70 s" in text
    assert "| kills | 1,000 | 0 | 0 |" in text
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0


def test_page_says_what_the_figures_do_not(tmp_path: Path) -> None:
    write_note(tmp_path / "done.jsonl", "ten fleets were thrown away")
    text = page(list(rows_of(tmp_path / "done.jsonl")), "abc", date(2024, 1, 2))
    assert "- ten fleets were thrown away" in text
