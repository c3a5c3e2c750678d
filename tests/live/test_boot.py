"""The eight steps: all that can be wrong at each, said in a sentence with the next step; nothing traded."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import numpy as np
import pytest

from qgtm.adapters.card_file import keep_card, print_sha
from qgtm.adapters.clock import SystemClock
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.journal import JournalReader
from qgtm.adapters.manifest import load_manifest, load_package, manifest_sha
from qgtm.config import load_config
from qgtm.core.bar import BarSet
from qgtm.core.commands import Deploy, Flatten, Halt
from qgtm.core.effects import FetchBars
from qgtm.core.errors import BootRefused, ConfigError, FeedError, JournalError, JournalLocked
from qgtm.core.events import (
    AlertRaised,
    BarsClosed,
    Booted,
    BootStepFinished,
    BreakFound,
    CashMoved,
    Deployed,
    Latched,
    Reconciled,
    StrategyDisabled,
    TargetsSet,
    WentLive,
)
from qgtm.core.gate import NO_CARD, SMALL
from qgtm.core.mode import Latch
from qgtm.engine.state import State
from qgtm.live import boot as booting
from qgtm.live import groundwork
from qgtm.live.perform import perform
from qgtm.live.rig import PACKAGE
from qgtm.risk.kill_switch import may_grow, must_flatten
from qgtm.strategies import BY_NAME
from tests.live.rigging import NUMBER, TODAY, Stage, StagedRig, names, position
from tests.simulation.folder import write_folder


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory, bars: Path) -> Path:
    """Return a store of bars that a boot has filled, so that the others need not."""
    stage = Stage(tmp_path_factory.mktemp("warm"), bars)
    booted_once(stage)
    return stage.state.bars


@pytest.fixture
def stage(tmp_path: Path, bars: Path, warm: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(booting, "ASK_AGAIN_S", 0.01)
    monkeypatch.setattr(booting, "SETTLED_S", 0.01)
    monkeypatch.setattr(booting, "STREAM_S", 0.01)
    stage = Stage(tmp_path, bars)
    shutil.copy(warm, stage.state.bars)
    return stage


@pytest.fixture
def rig(stage: Stage) -> Iterator[StagedRig]:
    found = stage.rig()
    yield found
    found.close()


def booted_once(stage: Stage) -> None:
    rig = stage.rig()
    assert stage.boot(rig)
    rig.snapshots.write(rig.kernel.state, rig.journal.head(), rig.clock.now())
    rig.close()


def refused(stage: Stage, rig: StagedRig, number: int) -> str:
    """Return the sentence with which the boot ends at a step."""
    with pytest.raises((BootRefused, JournalError, ConfigError)) as end:
        stage.boot(rig)
    assert (stage.said[-1].number, stage.said[-1].is_ok) == (number, False)
    assert stage.said[-1].detail == str(end.value)
    return str(end.value)


@pytest.mark.invariant("V25")
def test_boot_takes_eight_steps_each_written_down_with_its_time(stage: Stage, rig: StagedRig) -> None:
    assert stage.boot(rig)
    assert names(stage.said) == [(n, True) for n in range(1, 9)]
    written = rig.facts(BootStepFinished)
    assert written == stage.said
    assert all(step.took_s >= 0 and step.detail for step in written)
    assert rig.facts(WentLive) == [WentLive(epoch=1)]
    assert rig.kernel.state.is_live


def test_first_start_deploys_its_own_prints_and_books_the_cash_and_decides_on_the_last_session(
    stage: Stage, rig: StagedRig
) -> None:
    assert stage.boot(rig)
    (deployed,) = rig.facts(Deployed)
    assert (deployed.manifest_sha, deployed.by) == (manifest_sha(load_manifest(PACKAGE)), "first start")
    assert rig.facts(CashMoved) == [CashMoved(activity_id="start", kind="start", amount_usd=Decimal(250_000))]
    assert [e.session.isoformat() for e in rig.facts(BarsClosed)] == ["2023-01-31"]
    assert len(rig.facts(TargetsSet)) == 1
    assert rig.history.last_session is not None
    assert rig.history.last_session < TODAY


def test_second_boot_takes_the_next_epoch_and_fetches_no_bar_that_is_there(stage: Stage) -> None:
    booted_once(stage)
    rig = stage.rig()
    assert stage.boot(rig)
    assert [e.epoch for e in rig.facts(Booted)] == [1, 2]
    assert "0 fetched anew" in stage.said[4].detail
    assert len(rig.facts(BarsClosed)) == 1
    assert len(rig.facts(Deployed)) == 1
    rig.close()


def test_cash_that_moved_before_the_first_start_is_booked_once(stage: Stage, rig: StagedRig) -> None:
    stage.exchange.deposit(Decimal(1_000), stage.exchange.now)
    assert stage.boot(rig)
    assert rig.kernel.state.cash_usd == 251_000
    assert rig.kernel.state.breaks == {}


# --- 1: configuration and keys ------------------------------------------------------------------


@pytest.mark.fault("I1", "I2")
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("order_frac = 0.10", "oder_frac = 0.10", "order_frac"),
        ("soft_cap_frac = 0.08", "", "soft_cap_frac"),
        ("soft_cap_frac = 0.08", "soft_cap_frac = 8", "soft_cap_frac"),
        ("[daemon]", "[deamon]", "daemon"),
    ],
)
def test_configuration_that_cannot_be_meant_is_refused_by_name(
    old: str, new: str, says: str, tmp_path: Path, bars: Path
) -> None:
    stage = Stage(tmp_path, bars, ((old, new),))
    with pytest.raises(ConfigError, match=says):
        load_config(stage.config, {})
    assert not stage.state.journal.exists()


@pytest.mark.fault("H7")
def test_state_folder_that_cannot_be_made_names_the_cure(stage: Stage) -> None:
    rig = stage.rig()
    shutil.rmtree(stage.state.root)
    stage.state.root.write_text("a file where a folder is meant")
    assert "QGTM_STATE_DIR" in refused(stage, rig, 1)


def test_missing_exchange_is_named(stage: Stage, rig: StagedRig) -> None:
    (stage.state.exchange / "venue.json").unlink()
    with pytest.raises(ConfigError, match=r"no exchange has run in .* start `qgtm up`"):
        stage.boot(rig)


# --- 2: strategies and checksums ----------------------------------------------------------------


@pytest.mark.fault("I4", "I9")
@pytest.mark.invariant("V18")
def test_tampered_print_is_named_with_its_cure(
    stage: Stage, rig: StagedRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "qgtm"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "exchange", "web"))
    with (package / "strategies" / "tsmom.py").open("a") as file:
        file.write("lookback = 1\n")
    monkeypatch.setattr(groundwork, "PACKAGE", package)
    said = refused(stage, rig, 2)
    assert "qgtm/strategies/tsmom.py was printed as" in said
    assert "git checkout qgtm/strategies/tsmom.py" in said


@pytest.mark.fault("I4", "I9", "J15")
@pytest.mark.invariant("V18")
def test_print_that_nobody_deployed_is_refused_until_somebody_does(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    booted_once(stage)
    package = tmp_path / "qgtm"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "exchange", "web"))
    path, manifest = package / "strategies" / "tsmom.py", package / "MANIFEST.json"
    path.write_text(path.read_text() + "# another word\n")
    content = json.loads(manifest.read_text())
    content["prints"]["strategies/tsmom"]["module_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(content))
    monkeypatch.setattr(groundwork, "PACKAGE", package)
    rig = stage.rig()
    said = refused(stage, rig, 2)
    rig.close()
    assert "run `qgtm deploy`" in said
    with Inbox(stage.state.inbox) as inbox:
        lies = load_package(package)
        wish = Deploy(manifest_sha=manifest_sha(lies.manifest), code_sha=lies.code_sha, by="OpA")
        inbox.put(wish, "OpA", datetime(2023, 2, 1, tzinfo=UTC))
    rig = stage.rig()
    assert stage.boot(rig)
    assert [e.by for e in rig.facts(Deployed)] == ["first start", "OpA"]
    rig.close()


@pytest.mark.fault("A1")
def test_broker_that_was_busy_for_a_moment_is_asked_again_soon_and_then_less_often(
    stage: Stage, rig: StagedRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(booting, "ASK_AGAIN_S", 5.0)
    rested: list[float] = []

    def fails_six_times(found: StagedRig) -> None:
        found.broker.failures = 6  # type: ignore[attr-defined]
        found.stop = SimpleNamespace(  # type: ignore[assignment]
            wait=lambda seconds: rested.append(seconds), is_set=lambda: False
        )

    rig.prepare = fails_six_times
    assert stage.boot(rig)
    assert rested[:6] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the package that the boot looks at."""
    copy = tmp_path / "qgtm"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(groundwork, "PACKAGE", copy)
    return copy


@pytest.mark.fault("I9", "J15")
@pytest.mark.invariant("V18")
@pytest.mark.parametrize("what", ["live/wish.py", "web/page.py", "watchdog/kernel.py", "extra.py"])
def test_code_that_connects_and_that_nobody_deployed_is_refused_until_somebody_does(
    what: str, stage: Stage, package: Path
) -> None:
    booted_once(stage)
    path = package / what
    path.write_text((path.read_text() if path.exists() else "") + "# another word\n")
    rig = stage.rig()
    said = refused(stage, rig, 2)
    rig.close()
    assert "the files that connect them (code" in said
    assert "run `qgtm deploy`" in said
    with Inbox(stage.state.inbox) as inbox:
        lies = load_package(package)
        wish = Deploy(manifest_sha=manifest_sha(lies.manifest), code_sha=lies.code_sha, by="OpA")
        inbox.put(wish, "OpA", datetime(2023, 2, 1, tzinfo=UTC))
    rig = stage.rig()
    assert stage.boot(rig)
    first, second = rig.facts(Deployed)
    assert first.manifest_sha == second.manifest_sha
    assert first.code_sha != second.code_sha == rig.facts(Booted)[-1].code_sha
    rig.close()


def test_what_python_and_editors_leave_behind_is_no_change_of_code(stage: Stage, package: Path) -> None:
    booted_once(stage)
    (package / "live" / "__pycache__").mkdir(exist_ok=True)
    (package / "live" / "__pycache__" / "wish.cpython-313.pyc").write_bytes(b"x")
    (package / "live" / ".wish.py.swp").write_bytes(b"x")
    rig = stage.rig()
    assert stage.boot(rig)
    rig.close()


@pytest.mark.parametrize(
    ("venue", "manifest", "code", "is_first"),
    [
        ("embedded", "", "", True),  # nothing was ever deployed
        ("embedded", "now", "", True),  # a record from before the rest was hashed
        ("paper", "now", "", True),
        ("embedded", "before", "", False),
        ("embedded", "now", "before", False),
        ("live", "", "", False),
        ("live", "now", "", False),
    ],
)
def test_only_paper_deploys_its_own_and_only_where_nobody_has(
    venue: str, manifest: str, code: str, is_first: bool
) -> None:
    state = State(manifest_sha=manifest, code_sha=code)
    rig: Any = SimpleNamespace(venue=venue, kernel=SimpleNamespace(state=state))
    assert groundwork._is_first(rig, "now") is is_first


@pytest.mark.fault("I5")
def test_strategy_that_is_not_printed_is_named(tmp_path: Path, bars: Path) -> None:
    stage = Stage(tmp_path, bars, (('"tsmom",', '"momentum",'),))
    rig = stage.rig()
    assert "no strategy momentum is printed" in refused(stage, rig, 2)
    rig.close()


@pytest.mark.fault("G6")
@pytest.mark.invariant("V16")
def test_second_daemon_is_refused_and_the_first_keeps_its_journal(stage: Stage, rig: StagedRig) -> None:
    assert stage.boot(rig)
    second, head = stage.rig(), rig.journal.head()
    with pytest.raises(JournalLocked, match="process"):
        stage.boot(second)
    second.close()
    assert rig.journal.head() == head
    assert rig.lease.is_mine()


def forge(path: Path, sql: str) -> None:
    connection = apsw.Connection(str(path))
    triggers = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type='trigger'")]
    kept = [connection.execute("SELECT sql FROM sqlite_schema WHERE name=?", (t,)).get for t in triggers]
    for trigger in triggers:
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute(sql)
    for create in kept:
        connection.execute(str(create))
    connection.close()


@pytest.mark.fault("H3", "J7")
def test_journal_row_that_was_changed_since_the_snapshot_is_named(stage: Stage) -> None:
    booted_once(stage)
    for path in stage.state.snapshots.iterdir():
        path.unlink()
    forge(
        stage.state.journal,
        "UPDATE journal SET body = replace(body, '250000', '950000') WHERE kind = 'CashMoved'",
    )
    connection = apsw.Connection(str(stage.state.journal))
    bad = connection.execute("SELECT seq FROM journal WHERE kind = 'CashMoved'").get
    connection.close()
    rig = stage.rig()
    said = refused(stage, rig, 2)
    rig.close()
    assert f"journal row {bad} (CashMoved) cannot be believed" in said
    assert "qgtm audit verify" in said


@pytest.mark.fault("D12", "J7")
def test_journal_that_was_turned_back_behind_its_snapshot_is_refused(stage: Stage) -> None:
    booted_once(stage)
    forge(stage.state.journal, "DELETE FROM journal WHERE seq > 5")
    rig = stage.rig()
    said = refused(stage, rig, 2)
    rig.close()
    assert "the journal ends at row 5" in said
    assert str(stage.state.snapshots) in said


def test_commands_given_to_a_lost_inbox_are_passed_over_and_their_givers_told(stage: Stage) -> None:
    rig = stage.rig()
    assert stage.boot(rig)
    at = rig.clock.now()
    for _ in range(3):
        rig.inbox.put(Halt(reason="x", by="OpB"), "OpB", at)
    rig.close()
    booted_once(stage)  # takes all three
    for path in stage.folder.joinpath("var").glob("inbox.db*"):
        path.unlink()
    with Inbox(stage.state.inbox) as inbox:
        inbox.put(Halt(reason="y", by="OpB"), "OpB", at)
    rig = stage.rig()
    assert stage.boot(rig)
    (alert,) = [a for a in rig.facts(AlertRaised) if a.cause == "command passed over"]
    assert "Command 1 (Halt, OpB)" in alert.text
    assert "give it again" in alert.text
    rig.close()


# --- 3: broker ----------------------------------------------------------------------------------


@pytest.mark.fault("I6")
def test_another_account_than_the_pinned_one_is_refused(tmp_path: Path, bars: Path) -> None:
    stage = Stage(tmp_path, bars, (('account_number = ""', 'account_number = "PA42"'),))
    rig = stage.rig()
    said = refused(stage, rig, 3)
    rig.close()
    assert f"this is account {NUMBER}, and broker.account_number pins PA42" in said
    with JournalReader(stage.state.journal) as reader:
        told = [e.event for e in reader.read() if isinstance(e.event, BootStepFinished)]
    assert [(step.number, step.is_ok) for step in told] == [(1, True), (2, True), (3, False)]
    assert told[-1].detail == said


@pytest.mark.fault("A16")
@pytest.mark.parametrize("changes", [{"is_blocked": True}, {"status": "ACCOUNT_CLOSED"}])
def test_account_that_may_not_trade_is_refused(changes: dict[str, Any], stage: Stage, rig: StagedRig) -> None:
    rig.prepare = lambda each: each.broker.__dict__.update(account_changes=changes)
    assert "may not trade" in refused(stage, rig, 3)


@pytest.mark.fault("A1")
def test_broker_that_is_away_is_asked_again_until_it_is_back(stage: Stage, rig: StagedRig) -> None:
    rig.prepare = lambda each: setattr(each.broker, "failures", 3)
    assert stage.boot(rig)
    at_three = [step for step in stage.said if step.number == 3]
    assert [step.is_ok for step in at_three] == [False, False, False, True]
    assert all("asking again" in step.detail for step in at_three[:3])
    assert [step.is_ok for step in rig.facts(BootStepFinished)] == [True] * 8


@pytest.mark.fault("A1")
def test_boot_that_waits_for_the_broker_ends_when_it_is_told_to_stop(stage: Stage, rig: StagedRig) -> None:
    rig.prepare = lambda each: setattr(each.broker, "failures", 10**6)
    asked = 0

    def say(step: BootStepFinished) -> None:
        nonlocal asked
        asked += step.number == 3
        if asked == 3:
            rig.stop.set()

    assert booting.boot(rig, say) is False
    assert not rig.kernel.state.is_live


@pytest.mark.fault("B5", "B11")
def test_stream_that_does_not_listen_keeps_the_boot_waiting(stage: Stage, rig: StagedRig) -> None:
    rig.is_listening = False
    said: list[str] = []

    def say(step: BootStepFinished) -> None:
        said.append(step.detail)
        if "does not listen" in step.detail:
            rig.stop.set()

    assert booting.boot(rig, say) is False
    assert any("orders go out only when both ways are open" in detail for detail in said)


@pytest.mark.parametrize("halt", [Halt(reason="x", by="OpB"), Flatten(reason="x", by="OpA")])
def test_halt_that_was_given_while_no_daemon_ran_is_obeyed_at_boot(
    stage: Stage, rig: StagedRig, halt: Any
) -> None:
    stage.state.root.mkdir(exist_ok=True)
    with Inbox(stage.state.inbox) as inbox:
        inbox.put(halt, halt.by, datetime(2023, 2, 1, tzinfo=UTC))
    assert stage.boot(rig)
    switch = rig.kernel.state.switch
    assert not may_grow(switch)
    assert must_flatten(switch) is isinstance(halt, Flatten)


def test_account_that_may_not_sell_short_is_known_to_the_desk(stage: Stage, rig: StagedRig) -> None:
    rig.prepare = lambda each: each.broker.__dict__.update(account_changes={"is_shorting_enabled": False})
    assert stage.boot(rig)
    assert rig.kernel.desk.is_shorting_allowed is False


# --- 4: reconciliation --------------------------------------------------------------------------


@pytest.mark.fault("C9")
@pytest.mark.invariant("V13")
def test_position_that_nobody_wrote_down_is_a_break_and_stays_one(stage: Stage, rig: StagedRig) -> None:
    rig.prepare = lambda each: setattr(each.broker, "extra", (position("GLD", 100),))
    assert stage.boot(rig)
    (found,) = rig.facts(BreakFound)
    assert (found.subject, found.ours, found.brokers) == ("GLD", 0, 100)
    assert rig.facts(Latched) == [Latched(latch=Latch.BREAK, reason="GLD differs")]
    assert rig.kernel.state.quantity("GLD") == 0
    assert "1 breaks (GLD): no new orders until OpA accepts them" in stage.said[3].detail


@pytest.mark.fault("A14")
def test_difference_that_the_second_look_does_not_show_is_none(stage: Stage, rig: StagedRig) -> None:
    looks = iter([(position("GLD", 100),), (position("GLD", 60),), ()])

    def prepare(each: StagedRig) -> None:
        plain = type(each.broker).positions

        def positions(broker: Any) -> Any:
            broker.extra = next(looks, ())
            return plain(broker)

        each.broker.positions = positions.__get__(each.broker)

    rig.prepare = prepare
    assert stage.boot(rig)
    assert rig.facts(BreakFound) == []
    assert rig.facts(Reconciled)[0].breaks == ()


@pytest.mark.invariant("V13")
def test_reconciling_only_reads(stage: Stage, rig: StagedRig) -> None:
    rig.prepare = lambda each: setattr(each.broker, "extra", (position("GLD", 100),))
    assert stage.boot(rig)
    assert set(rig.broker.asked) == {"account", "positions", "orders"}
    assert stage.exchange.truth.orders == ()
    assert rig.hands.wanted == []


# --- 5 to 8: data, risk, heartbeat, live --------------------------------------------------------


def test_feed_without_a_bar_is_said(stage: Stage, rig: StagedRig) -> None:
    stage.state.bars.unlink()
    rig.prepare = lambda each: setattr(each.feed, "daily", lambda *asked: ())
    assert "no daily bars came" in refused(stage, rig, 5)


def halved(bars: BarSet, *symbols: str) -> BarSet:
    """Return a session's bars as the vendor tells them after a split of two for one."""
    split = {
        name: replace(bar, open=bar.open / 2, high=bar.high / 2, low=bar.low / 2, close=bar.close / 2)
        for name, bar in bars.bars.items()
        if name in symbols
    }
    return replace(bars, bars={**bars.bars, **split})


@pytest.mark.fault("C10", "E5")
def test_history_that_the_vendor_has_adjusted_is_fetched_anew_and_what_was_learned_of_it_is_put_aside(
    stage: Stage,
) -> None:
    booted_once(stage)
    stage.set_time(datetime(2023, 2, 3, 14, tzinfo=UTC))

    def prepare(each: StagedRig) -> None:
        plain = each.feed.daily
        each.feed.daily = lambda *asked: tuple(halved(bars, "GLD", "SLV") for bars in plain(*asked))

    rig = stage.rig()
    rig.prepare = prepare
    assert stage.boot(rig)
    (told,) = [alert for alert in rig.facts(AlertRaised) if alert.cause == "adjusted history"]
    assert (told.level, "GLD by 0.5000, SLV by 0.5000" in told.text) == ("orange", True)
    disabled = {each.strategy for each in rig.facts(StrategyDisabled)}
    touched = {each.name for each in BY_NAME.values() if {"GLD", "SLV"} & set(each.symbols)}
    assert disabled == {name for name in touched if hasattr(BY_NAME[name].module, "update")}
    assert "donchian_breakout" in disabled
    assert "tsmom" not in disabled  # it carries nothing
    closes = rig.history.closes(("GLD", "GDX"), 60)
    steps = np.abs(np.log(closes[1:] / closes[:-1]))
    assert steps.max() < 0.2  # on one scale: nowhere does a price halve from one session to the next
    assert "2 fetched anew" in stage.said[4].detail
    rig.close()


@pytest.mark.fault("E5")
@pytest.mark.parametrize("factor", [1.0, 0.9995])
def test_history_that_the_vendor_tells_as_before_is_only_added_to(stage: Stage, factor: float) -> None:
    booted_once(stage)
    stage.set_time(datetime(2023, 2, 3, 14, tzinfo=UTC))
    spans: list[Any] = []

    def prepare(each: StagedRig) -> None:
        plain = each.feed.daily

        def daily(symbols: Any, start: Any, end: Any) -> Any:
            spans.append((start, end))
            return tuple(rounded(bars, factor) for bars in plain(symbols, start, end))

        each.feed.daily = daily

    rig = stage.rig()
    rig.prepare = prepare
    assert stage.boot(rig)
    assert [(str(start), str(end)) for start, end in spans] == [("2023-01-31", "2023-02-02")]
    assert not [alert for alert in rig.facts(AlertRaised) if alert.cause == "adjusted history"]
    rig.close()


@pytest.mark.fault("E4")
def test_bar_that_is_off_its_scale_reaches_neither_store_nor_history(stage: Stage) -> None:
    booted_once(stage)
    stage.set_time(datetime(2023, 2, 3, 14, tzinfo=UTC))

    def prepare(each: StagedRig) -> None:
        plain = each.feed.daily
        each.feed.daily = lambda *asked: tuple(
            tenfold(bars) if bars.session == date(2023, 2, 1) else bars for bars in plain(*asked)
        )

    rig = stage.rig()
    rig.prepare = prepare
    assert stage.boot(rig)
    (told,) = [alert for alert in rig.facts(AlertRaised) if alert.cause == "bar SLV"]
    assert "2023-02-01 was put aside" in told.text
    silver, gold = rig.history.closes(("SLV", "GLD"), 2).T
    assert np.isnan(silver).tolist() == [True, False]
    assert not np.isnan(gold).any()
    rig.close()
    again = stage.rig()
    assert stage.boot(again)
    assert np.isnan(again.history.closes(("SLV",), 2)).ravel().tolist() == [True, False]
    again.close()


@pytest.mark.fault("E4")
def test_bars_of_a_session_that_ends_later_are_held_against_those_of_the_boot(
    stage: Stage, rig: StagedRig
) -> None:
    assert stage.boot(rig)
    plain = rig.feed.daily
    slipped = SimpleNamespace(daily=lambda *asked: tuple(map(tenfold, plain(*asked))))
    stage.set_time(datetime(2023, 2, 1, 21, 5, tzinfo=UTC))
    found = perform(FetchBars(date(2023, 2, 1)), rig._world(rig.broker, slipped))
    (closed,) = [event for event in found if isinstance(event, BarsClosed)]
    assert set(closed.refused) == {"SLV"}


def tenfold(bars: BarSet) -> BarSet:
    """Return a session's bars with silver's point one place too far to the right."""
    bar = bars.bars["SLV"]
    slip = replace(bar, open=bar.open * 10, high=bar.high * 10, low=bar.low * 10, close=bar.close * 10)
    return replace(bars, bars={**bars.bars, "SLV": slip})


def rounded(bars: BarSet, factor: float) -> BarSet:
    """Return a session's bars with closes that differ by less than counts."""
    changed = {
        name: replace(bar, low=bar.low * 0.99, close=bar.close * factor) for name, bar in bars.bars.items()
    }
    return replace(bars, bars=changed)


@pytest.mark.fault("G8", "I5")
def test_strategy_at_work_when_the_last_process_ended_is_disabled_and_the_others_go_on(stage: Stage) -> None:
    booted_once(stage)
    stage.state.crash_mark.write_text("tsmom")
    rig = stage.rig()
    assert stage.boot(rig)
    (disabled,) = rig.facts(StrategyDisabled)
    assert disabled.strategy == "tsmom"
    (alert,) = [each for each in rig.facts(AlertRaised) if each.cause == "strategy tsmom"]
    assert alert.level == "orange"
    rig.close()
    again = stage.rig()
    assert stage.boot(again)
    assert len(again.facts(StrategyDisabled)) == 1  # and not again for a mark that is gone
    assert list(again.kernel.state.disabled) == ["tsmom"]
    again.close()


@pytest.mark.fault("E1")
def test_feed_that_is_away_is_asked_again(stage: Stage, rig: StagedRig) -> None:
    stage.state.bars.unlink()

    def prepare(each: StagedRig) -> None:
        real, failures = each.feed.daily, iter([1, 2])

        def daily(*asked: Any) -> Any:
            if next(failures, None):
                raise FeedError("no answer from the data host; ask again later")
            return real(*asked)

        each.feed.daily = daily

    rig.prepare = prepare
    assert stage.boot(rig)
    assert [step.is_ok for step in stage.said if step.number == 5] == [False, False, True]


def test_heartbeat_is_written_by_the_boot_with_the_epoch(stage: Stage, rig: StagedRig) -> None:
    assert stage.boot(rig)
    beat = json.loads(stage.state.heartbeat.read_text())
    assert (beat["epoch"], beat["what"], beat["pid"]) == (1, "boot", rig.pid)
    assert beat["monotonic_s"] <= SystemClock().monotonic()


def test_risk_tells_mode_latches_and_caps(stage: Stage, rig: StagedRig) -> None:
    assert stage.boot(rig)
    assert stage.said[5].detail == "active, no latch, caps at 8% and 12%"
    assert rig.kernel.state.equity_usd == 250_000
    assert rig.kernel.state.market is not None


# --- the gates ------------------------------------------------------------------------------------


def passing(stage: Stage, name: str, **figures: float) -> None:
    """Leave a card of `qgtm evidence` that passes all gates, but for what is said."""
    card = {
        "name": name,
        "inputs": {"ohlcv": "recorded"},
        "proof": {"sharpe": 0.9, "overfit": 0.1, "deflated": 0.97, **figures},
        "print": print_sha(load_manifest(PACKAGE), name),
    }
    keep_card(stage.folder / "reports", card)


def enforced(tmp_path: Path, bars: Path, warm: Path) -> Stage:
    made = Stage(tmp_path / "enforced", bars, changes=(("enforce = false", "enforce = true"),))
    shutil.copy(warm, made.state.bars)
    return made


def test_strategy_without_a_card_is_written_down_as_a_shadow_and_may_trade_a_little_on_paper(
    stage: Stage, rig: StagedRig
) -> None:
    passing(stage, "tsmom")
    passing(stage, "donchian_breakout", deflated=0.9)
    assert stage.boot(rig)
    (found,) = rig.facts(Booted)
    enabled = [name for name in rig.config.strategies.enabled if name != "tsmom"]
    assert dict(found.shadows) == {
        **dict.fromkeys(enabled, f"shadow: {NO_CARD}"),
        "donchian_breakout": "shadow: deflated Sharpe probability 0.90, below 0.95",
    }
    assert rig.kernel.state.shadows == dict.fromkeys(found.shadows, SMALL)
    assert f"({len(enabled)} in the shadow, at 25% of their size)" in stage.said[1].detail
    (targets,) = rig.facts(TargetsSet)
    asked = len(rig.kernel.state.signals)
    assert f"{asked - 1} of {asked} strategies are in the shadow, at 25% of their size" in targets.notes


@pytest.mark.parametrize("proven", [(), ("tsmom",)])
def test_where_the_gates_are_enforced_only_who_has_passed_them_has_a_weight(
    tmp_path: Path, bars: Path, warm: Path, proven: tuple[str, ...]
) -> None:
    (tmp_path / "enforced").mkdir()
    stage = enforced(tmp_path, bars, warm)
    for name in proven:
        passing(stage, name)
    rig = stage.rig()
    assert stage.boot(rig)
    state = rig.kernel.state
    assert {"tsmom", "donchian_breakout"} <= set(state.signals)
    assert tuple(state.by_strategy) == proven
    assert bool(state.weights) is bool(proven)
    rig.close()
