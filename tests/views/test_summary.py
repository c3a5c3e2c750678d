"""The summary: what is known of the daemon and the broker, the dot over states, and the JSON."""

import json
from dataclasses import replace
from decimal import Decimal as D

import pytest

from qgtm.core.events import (
    BreakFound,
    BrokerFound,
    BrokerLost,
    ClosureSeen,
    Deployed,
    Event,
    FeedFailed,
    FeedRecovered,
    IntentFormed,
    Latched,
    LimitsChanged,
    ModeChanged,
    OrderRejected,
    OrderUnknown,
    Reconciled,
    Stopped,
    StrategyDisabled,
    Unlatched,
)
from qgtm.core.mode import Dot, Latch, Mode, Trigger
from qgtm.core.order import OrderState
from qgtm.risk.kill_switch import KillSwitch
from qgtm.risk.limits import texts
from qgtm.views.chronicle import Chronicle
from qgtm.views.summary import Daemon, Line, Summary, risk_words, status_fields, summary
from tests.views.told import (
    LIMITS,
    MONDAY,
    MORNING,
    boot,
    live,
    opened,
    outside,
    sample,
    targets,
    told,
    traded,
)

KEYS = (
    "daemon heartbeat_age_s strategies_loaded strategies_total broker positions notional_usd pnl_day_usd "
    "pnl_day_frac drawdown_frac signals_pending risk dot sentence"
).split()


def seen(*events: object, age_s: float | None = 2.0, **more: object) -> Summary:
    return summary(told(live(), *events), outside(age_s, **more), LIMITS)  # type: ignore[arg-type]


def moved(trigger: Trigger, before: Mode, after: Mode) -> ModeChanged:
    return ModeChanged(
        trigger=trigger, before=before, after=after, reason="r", at=MORNING, drawdown_frac=D("0.1")
    )


LOST, FOUND = BrokerLost(reason="no answer"), BrokerFound()
GLD_BREAK = BreakFound(subject="GLD", ours=D(400), brokers=D(500), detail="")
ORDER = traded("GLD", 1, "180")[0]
assert isinstance(ORDER, IntentFormed)
ID = ORDER.order.client_order_id

DOTS = [
    ((), Dot.GREEN),
    ((FeedFailed(feed="ohlcv", reason="late"),), Dot.YELLOW),
    ((FeedFailed(feed="ohlcv", reason="late"), FeedRecovered(feed="ohlcv")), Dot.GREEN),
    ((FeedFailed(feed="a", reason=""), FeedFailed(feed="b", reason="")), Dot.ORANGE),
    ((StrategyDisabled(strategy="tsmom", reason="it raised"),), Dot.ORANGE),
    ((ORDER, OrderUnknown(client_order_id=ID, reason="")), Dot.YELLOW),
    ((ORDER, OrderRejected(client_order_id=ID, code=1, reason="")), Dot.YELLOW),
    ((LOST,), Dot.RED),
    ((LOST, Latched(latch=Latch.DISCONNECTED, reason=""), FOUND), Dot.RED),
    ((LOST, FOUND), Dot.GREEN),
    ((GLD_BREAK,), Dot.RED),
    ((Latched(latch=Latch.OPERATOR_HALT, reason=""),), Dot.RED),
    (
        (
            Latched(latch=Latch.OPERATOR_HALT, reason=""),
            Unlatched(latch=Latch.OPERATOR_HALT, reason="", by="A"),
        ),
        Dot.GREEN,
    ),
    ((ClosureSeen(session=MONDAY, opens_at=MORNING),), Dot.YELLOW),
    ((ClosureSeen(session=MONDAY, opens_at=MORNING), opened()), Dot.GREEN),
    ((moved(Trigger.SOFT_CAP, Mode.ACTIVE, Mode.REDUCING),), Dot.ORANGE),
    ((moved(Trigger.HARD_CAP, Mode.ACTIVE, Mode.HALTED_HARD),), Dot.RED),
    ((moved(Trigger.HEARTBEAT_LOST, Mode.ACTIVE, Mode.HALTED_DEAD_MAN),), Dot.RED),
    (
        (Deployed(manifest_sha="new", modules={}, by="A"),),
        Dot.GREEN,
    ),  # the first boot had no prints to differ from
]


@pytest.mark.fault("K8")
@pytest.mark.parametrize(("events", "dot"), DOTS)
def test_dot_over_what_happened(events: tuple[Event, ...], dot: Dot) -> None:
    assert seen(*events).dot is dot


@pytest.mark.fault("K8")
@pytest.mark.invariant("V24")
@pytest.mark.parametrize(
    ("age_s", "dot"), [(0.0, Dot.GREEN), (90.0, Dot.GREEN), (90.1, Dot.RED), (None, Dot.RED)]
)
def test_dot_over_the_heartbeats_age(age_s: float | None, dot: Dot) -> None:
    assert seen(age_s=age_s).dot is dot


def test_unread_journal_is_red_and_says_the_next_step() -> None:
    seen_ = seen(journal_problem="row 7 does not hold.")
    assert (seen_.dot, seen_.positions) == (Dot.RED, None)
    assert "audit verify" in (seen_.next_step or "")


CLEAN = Reconciled(breaks=(), positions={}, cash_usd=D(0))
BROKER_LATCH = Latched(latch=Latch.DISCONNECTED, reason="no answer")


@pytest.mark.parametrize(
    ("events", "typed"),
    [
        ((), None),
        ((LOST, BROKER_LATCH), None),  # as long as it is away there is nothing to clear
        ((LOST, BROKER_LATCH, FOUND), "being compared"),
        ((LOST, BROKER_LATCH, CLEAN, FOUND), "qgtm ack disconnected --reason"),
        ((Latched(latch=Latch.OPERATOR_HALT, reason="r"),), "qgtm ack operator_halt --reason"),
        ((GLD_BREAK, Latched(latch=Latch.BREAK, reason="r")), "qgtm reconcile --accept GLD --reason"),
        ((Stopped(reason="told to stop"),), "qgtm up"),
    ],
)
def test_next_step_is_what_the_operator_types(events: tuple[Event, ...], typed: str | None) -> None:
    next_step = seen(*events).next_step
    assert next_step is None if typed is None else typed in (next_step or "")


def test_red_with_positions_says_what_is_still_open() -> None:
    seen_ = seen(opened(), traded("GLD", 100, "180"), LOST)
    assert "1 position" in seen_.sentence
    assert "$18,000" in seen_.sentence


@pytest.mark.parametrize(
    ("events", "age_s", "epoch", "daemon"),
    [
        ((), 2.0, 1, Daemon.RUNNING),
        ((), 91.0, 1, Daemon.UNKNOWN),
        ((), None, 1, Daemon.UNKNOWN),
        ((Stopped(reason="told to"),), 2.0, 1, Daemon.STOPPED),
        ((Stopped(reason="told to"),), None, 1, Daemon.STOPPED),
        ((Stopped(reason="told to"),), 2.0, 2, Daemon.RUNNING),  # the next one beats already
    ],
)
def test_daemon_is_running_stopped_or_unknown(
    events: tuple[Event, ...], age_s: float | None, epoch: int, daemon: Daemon
) -> None:
    chronicle = told(live(), *events)
    assert summary(chronicle, replace(outside(age_s), epoch=epoch), LIMITS).daemon is daemon


@pytest.mark.fault("K8")
@pytest.mark.invariant("V24")
def test_stopped_daemon_is_red_however_fresh_its_last_beat() -> None:
    assert seen(Stopped(reason="told to"), age_s=1.0).dot is Dot.RED


def test_nothing_ever_run_says_so_and_guesses_nothing() -> None:
    fresh = summary(Chronicle(), outside(None, is_journal_there=False), LIMITS)
    fields = status_fields(fresh)
    unknown = [key for key in KEYS if fields[key] is None]
    assert (fields["daemon"], fields["broker"], fields["risk"]) == ("stopped", "unknown", "unknown")
    assert unknown == [k for k in KEYS if k not in ("daemon", "broker", "risk", "dot", "sentence")]
    assert "qgtm up" in (fresh.next_step or "")


@pytest.mark.parametrize(
    ("events", "age_s", "line"),
    [((), 2.0, Line.CONNECTED), ((LOST,), 2.0, Line.DISCONNECTED), ((), None, Line.UNKNOWN)],
)
def test_broker_is_known_only_through_a_running_daemon(
    events: tuple[Event, ...], age_s: float | None, line: Line
) -> None:
    assert seen(*events, age_s=age_s).broker is line


def test_uptime_counts_process_time_since_the_boots_first_sample() -> None:
    assert seen().uptime_s == 4000.0  # 5000 now, 1000 then
    assert seen(age_s=None).uptime_s is None


def test_uptime_of_another_epoch_is_not_known() -> None:
    assert summary(told(live()), replace(outside(), epoch=2), LIMITS).uptime_s is None


def test_status_fields_are_the_agreed_ones_as_plain_json() -> None:
    fields = status_fields(
        seen(
            opened(),
            traded("GLD", 100, "180"),
            sample("100200", "100000", GLD="182"),
            targets(GLD=0.25, SLV=0.1),
        )
    )
    assert list(fields) == KEYS
    assert json.loads(json.dumps(fields)) == fields
    expected = {
        "daemon": "running",
        "heartbeat_age_s": 2.0,
        "strategies_loaded": 2,
        "strategies_total": 4,
        "broker": "connected",
        "positions": 1,
        "notional_usd": 18200.0,
        "pnl_day_usd": 200.0,
        "pnl_day_frac": 0.002,
        "drawdown_frac": 0.0,
        "signals_pending": 2,
        "risk": "all clear",
        "dot": "green",
    }
    assert {key: fields[key] for key in expected} == expected


def test_fall_between_three_quarters_of_the_cap_and_the_cap_is_yellow() -> None:
    state = told(live()).state
    assert state.drawdown is not None
    chronicle = told(live())
    chronicle.state = replace(state, drawdown=replace(state.drawdown, unit_value_usd=D("0.93")))
    found = summary(chronicle, outside(), LIMITS)
    assert (found.dot, found.drawdown_frac, found.near_frac) == (Dot.YELLOW, D("0.07"), D("0.06"))


@pytest.mark.parametrize(
    ("switch", "words"),
    [
        (KillSwitch(), "all clear"),
        (KillSwitch(mode=Mode.REDUCING), "past the soft cap: half size, nothing new"),
        (KillSwitch(ramp_step=1), "coming back at 60% of full size"),
        (KillSwitch(override_floor_frac=D("0.096")), "the soft cap is overridden"),
        (KillSwitch(override_floor_frac=D(0)), "all clear"),
        (
            KillSwitch(mode=Mode.HALTED_HARD, cause=Trigger.OPERATOR),
            "halted by hand: everything must go",
        ),
        (
            KillSwitch(mode=Mode.HALTED_HARD, cause=Trigger.HARD_CAP),
            "halted at the hard cap: everything must go",
        ),
        (
            KillSwitch(latches=(Latch.BREAK,), ramp_step=1),
            "no new orders: the books differ; coming back at 60% of full size",
        ),
    ],
)
def test_risk_is_said_in_words(switch: KillSwitch, words: str) -> None:
    assert risk_words(switch) == words


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("latch", list(Latch))
def test_every_mode_and_latch_has_words(mode: Mode, latch: Latch) -> None:
    assert risk_words(KillSwitch(mode=mode, latches=(latch,))) != "all clear"


def test_pending_counts_are_the_symbols_that_are_named() -> None:
    found = seen(targets(GLD=0.25, SLV=0.1))
    assert found.pending == ("GLD", "SLV")


def test_orders_of_the_session_are_counted_by_their_state() -> None:
    found = seen(ORDER, OrderUnknown(client_order_id=ID, reason=""))
    assert "1 order" in found.sentence
    assert OrderState.UNKNOWN.value not in found.risk


def test_boot_that_is_on_its_way_is_called_starting() -> None:
    assert summary(told(boot()), outside(), LIMITS).daemon_note == "it is starting"


def test_caps_are_those_in_force_and_not_a_looser_files() -> None:
    tighter = LimitsChanged(limits={**texts(LIMITS), "soft_cap_frac": "0.05"}, reason="r", by="OpA")
    found = seen(tighter)
    assert (found.soft_cap_frac, found.near_frac) == (D("0.05"), D("0.0375"))
