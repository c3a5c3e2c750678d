"""The loop, turn by turn, on a clock set by hand: what it hears, what it never does, how it ends."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qgtm.adapters.alpaca_line import NoAnswer
from qgtm.adapters.calendar import xnys
from qgtm.adapters.clock import ManualClock
from qgtm.adapters.files import StateDir
from qgtm.adapters.heartbeat import HeartbeatFile, load_heartbeat
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.journal import MemoryJournal
from qgtm.adapters.snapshot import Snapshots
from qgtm.config import load_config
from qgtm.core.commands import AcceptBreak, Acknowledge, Halt
from qgtm.core.effects import (
    AskOrder,
    Cancel,
    CompareClocks,
    FetchBars,
    FetchQuotes,
    PollOrders,
    SampleAccount,
    Submit,
)
from qgtm.core.errors import BarError, BrokerError, JournalError
from qgtm.core.events import (
    AlertRaised,
    BreakAccepted,
    BreakFound,
    BrokerFound,
    BrokerLost,
    ClocksCompared,
    CommandTaken,
    FeedFailed,
    IntentFormed,
    Latched,
    OrderAccepted,
    OrderRejected,
    OrderUnknown,
    PositionsSeen,
    Reconciled,
    SessionClosed,
    SessionOpened,
    Stopped,
    Unlatched,
)
from qgtm.core.mode import Latch
from qgtm.core.order import OrderState
from qgtm.live.daemon import Loop, is_brokers_word, is_held_back
from qgtm.live.disk import Disk
from qgtm.live.hands import Answer
from qgtm.live.kernel import Kernel
from qgtm.live.reconciliation import Books, ReadBooks
from qgtm.live.rig import Rig
from qgtm.ports import Account, BrokerOrder
from qgtm.risk.drawdown import started
from tests.engine.making import (
    CASH,
    NOON,
    SESSION,
    begun,
    bought,
    dec,
    desk,
    formed,
    order,
    quotes,
    sampled,
    targets,
    updated,
)
from tests.live.rigging import REPO, Hands, position

WHAT = order(100)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Yield a rig that is live at noon with targets pending, whose hands do only what the test says."""
    state = StateDir(tmp_path)
    found = Rig(load_config(REPO / "qgtm_config.toml", {}), state, {})
    found.clock = ManualClock(NOON, monotonic=1_000.0)
    found.calendar, found.journal = xnys(), MemoryJournal()
    found.disk = Disk(tmp_path, free=lambda folder: 10**12, reserve_bytes=1_000)
    found.disk.prepare()
    found.hands = Hands()
    found.stream = SimpleNamespace(is_listening=True, stop=lambda: True)
    found.inbox, found.heartbeat = Inbox(state.inbox), HeartbeatFile(state.heartbeat)
    found.snapshots = Snapshots(state.snapshots, "code")
    found.lease = SimpleNamespace(epoch=1, is_mine=lambda: True, release=lambda: None)
    at = desk()
    begin = replace(begun(targets(GLD=0.05)), sampled_at_s=1_000.0)
    found.kernel = Kernel(at, at.history, found.journal, found.hands.start, begin)
    found.open_kill_file()
    yield found
    found.inbox.close()


@pytest.fixture
def loop(rig: Rig) -> Loop:
    made = Loop(rig)
    made._compared_s, made._compared_at = rig.clock.monotonic(), rig.clock.now()
    rig.kernel.perform = lambda effect: rig.hands.start(effect) if made.may_start(effect) else None
    return made


def facts(loop: Loop, *kinds: type) -> list[Any]:
    return [e.event for e in loop.rig.journal.read() if isinstance(e.event, kinds)]


def wanted(loop: Loop, kind: type) -> list[Any]:
    return [effect for effect in loop.rig.hands.wanted if isinstance(effect, kind)]


def turn(loop: Loop, *answers: Answer, after_s: float = 0.0) -> None:
    loop.rig.clock.wait(after_s)
    loop.rig.hands.wanted.clear()
    loop.rig.hands.waiting += answers
    loop.turn()


def turn_over(loop: Loop, ahead_s: float = 0.0) -> None:
    """Take a turn, and another that hears how far our clock is ahead where the first asked for it."""
    turn(loop)
    asked = wanted(loop, CompareClocks)
    turn(loop, *(Answer(each, [ClocksCompared(turn=each.turn, ahead_s=ahead_s)]) for each in asked))


def books(cash: Any = CASH, *positions: Any, orders: tuple[BrokerOrder, ...] = ()) -> Answer:
    account = Account(
        number="PA1",
        status="ACTIVE",
        equity_usd=dec(cash),
        last_equity_usd=dec(cash),
        cash_usd=dec(cash),
        buying_power_usd=dec(cash),
        is_blocked=False,
        is_shorting_enabled=True,
    )
    return Answer(ReadBooks(()), books=Books(account, positions, orders, ()))


def failed() -> Answer:
    return Answer(SampleAccount(), problem=BrokerError("no answer in 5 s"))


# --- what it asks for ---------------------------------------------------------------------------


def test_turn_asks_for_quotes_and_sends_what_was_written_down(loop: Loop) -> None:
    turn(loop)
    assert wanted(loop, FetchQuotes) == [FetchQuotes(("GLD",))]
    turn(loop, Answer(FetchQuotes(("GLD",)), [quotes(GLD=100)]))
    (sent,), (written,) = wanted(loop, Submit), facts(loop, IntentFormed)
    assert sent.order == written.order


@pytest.mark.fault("B1", "B11", "B12")
@pytest.mark.invariant("V14")
def test_no_new_risk_while_the_stream_is_down_or_a_reconnect_is_not_compared(loop: Loop) -> None:
    closing = replace(WHAT, is_reducing=True)
    for change in ({"is_listening": False}, {}):
        loop.rig.stream.is_listening = change.get("is_listening", True)
        loop.rig.is_resync_due = not change
        assert not loop.may_start(FetchQuotes(("GLD",)))
        assert not loop.may_start(Submit(WHAT))
        assert loop.may_start(Submit(closing))
        assert loop.may_start(PollOrders())
    loop.rig.is_resync_due = False
    assert loop.may_start(Submit(WHAT))


@pytest.mark.fault("F7")
def test_clock_that_is_a_day_ahead_turns_no_session_over_and_is_written_down_once(loop: Loop) -> None:
    loop.rig.clock.set_now(NOON + timedelta(days=1))
    for _ in range(3):
        turn_over(loop, ahead_s=86_400.0)
    assert facts(loop, SessionOpened, SessionClosed) == []
    assert [each.ahead_s for each in facts(loop, ClocksCompared)] == [86_400.0]
    (alert,) = facts(loop, AlertRaised)
    assert (alert.cause, "86400 s ahead" in alert.text) == ("clock", True)
    loop.rig.clock.set_now(NOON)
    turn_over(loop)
    assert wanted(loop, CompareClocks) == []


@pytest.mark.fault("F1", "F2")
def test_time_is_judged_by_the_exchanges_calendar(loop: Loop) -> None:
    after_a_half_day = datetime.fromisoformat("2026-11-27T18:00:01+00:00")  # past 13:00 in New York
    loop.rig.clock.set_now(after_a_half_day)
    turn_over(loop)
    assert not loop.rig.kernel.state.is_open
    loop.rig.clock.set_now(datetime.fromisoformat("2026-11-30T14:30:00+00:00"))
    turn_over(loop)
    assert facts(loop, SessionOpened)[-1].session.isoformat() == "2026-11-30"


# --- the broker ---------------------------------------------------------------------------------


@pytest.mark.fault("A11", "B11")
@pytest.mark.invariant("V14")
def test_broker_is_lost_after_thirty_seconds_without_answer_and_found_once_compared(loop: Loop) -> None:
    turn(loop, failed())
    turn(loop, failed(), after_s=29)
    assert facts(loop, BrokerLost) == []
    turn(loop, failed(), after_s=2)
    assert facts(loop, BrokerLost) == [BrokerLost(reason="no call was answered for 30 s")]
    assert loop.rig.kernel.state.switch.latches == (Latch.DISCONNECTED,)
    assert wanted(loop, ReadBooks)
    turn(loop, books())
    turn(loop)
    assert len(facts(loop, BrokerFound)) == 1
    assert loop.rig.kernel.state.switch.latches == (Latch.DISCONNECTED,)


def test_one_answer_in_between_keeps_the_broker(loop: Loop) -> None:
    turn(loop, failed())
    turn(loop, Answer(PollOrders(), []), after_s=20)
    turn(loop, failed(), after_s=20)
    turn(loop, failed(), after_s=20)
    assert facts(loop, BrokerLost) == []


@pytest.mark.fault("A6")
def test_own_call_limit_is_no_loss_of_the_broker(loop: Loop) -> None:
    held = BrokerError("no answer")
    held.__cause__ = NoAnswer("our own call limit is used up", is_held_back=True)
    assert is_held_back(held)
    for _ in range(5):
        turn(loop, Answer(SampleAccount(), problem=held), after_s=20)
    assert facts(loop, BrokerLost) == []


@pytest.mark.parametrize(
    ("answer", "is_word"),
    [
        (Answer(PollOrders(), []), True),
        (Answer(Submit(WHAT), [OrderAccepted(client_order_id="x", broker_order_id="b")]), True),
        (Answer(Submit(WHAT), [OrderUnknown(client_order_id="x", reason="no reply")]), False),
        (Answer(Submit(WHAT), []), False),
        (Answer(FetchQuotes(()), [FeedFailed(feed="quotes", reason="x")]), False),
        (Answer(FetchBars(SESSION), []), False),
        (Answer(AskOrder("x"), []), True),
    ],
)
def test_only_the_brokers_own_word_proves_that_it_is_there(answer: Answer, is_word: bool) -> None:
    assert is_brokers_word(answer) is is_word


@pytest.mark.fault("A10")
def test_keys_that_are_revoked_stop_trading_in_red_and_leave_what_is_held(loop: Loop) -> None:
    loop.rig.kernel.state = begun(*bought(100, "SLV"), targets(GLD=0.05), formed(WHAT))
    held = loop.rig.kernel.state.positions
    why = "request is not authorized"
    refused = OrderRejected(client_order_id=WHAT.client_order_id, code=40110000, reason=why)
    turn(loop, Answer(Submit(WHAT), [refused]))
    for _ in range(4):
        turn(
            loop, Answer(SampleAccount(), problem=BrokerError(f"the account was refused: {why}")), after_s=20
        )
    assert loop.rig.kernel.state.switch.latches == (Latch.DISCONNECTED,)
    assert [(each.level, each.cause) for each in facts(loop, AlertRaised)] == [
        ("yellow", "order rejected"),
        ("red", "broker"),
    ]
    turn(loop, Answer(FetchQuotes(("GLD",)), [quotes(GLD=100)]), after_s=20)
    assert not wanted(loop, Submit)
    assert loop.rig.kernel.state.positions == held
    assert loop.counter == 6


@pytest.mark.fault("A11")
def test_half_an_hour_of_failures_is_told_once_and_the_loop_goes_on(loop: Loop, tmp_path: Path) -> None:
    for number in range(60):
        turn(loop, failed(), after_s=30)
        assert number < 2 or not wanted(loop, FetchQuotes)  # no quotes, no orders
    assert len(facts(loop, BrokerLost)) == 1
    assert [each.cause for each in facts(loop, AlertRaised)] == ["broker"]
    beat = load_heartbeat(tmp_path / "heartbeat.json")
    assert beat is not None
    assert beat.counter == 59  # the loop is alive, so that no dead man closes what is held
    assert loop.rig.last_broker_at is None


@pytest.mark.fault("B1")
def test_stream_that_is_back_at_once_is_compared_before_the_next_order_and_alarms_nobody(loop: Loop) -> None:
    loop.rig.stream.is_listening = False
    turn(loop)
    assert not loop.may_start(Submit(WHAT))
    loop.rig.stream.is_listening, loop.rig.is_resync_due = True, True
    turn(loop, after_s=2)
    assert wanted(loop, ReadBooks)
    assert not loop.may_start(Submit(WHAT))
    turn(loop, books())
    assert loop.may_start(Submit(WHAT))
    assert facts(loop, AlertRaised, BrokerLost, Latched) == []


@pytest.mark.fault("B2")
@pytest.mark.invariant("V14")
def test_lost_stream_cancels_what_rests_once_it_is_told(loop: Loop) -> None:
    resting = replace(WHAT, is_reducing=True)
    loop.rig.kernel.state = begun(*bought(-100, "SLV"), formed(resting), updated(resting, 0, 0))
    loop.rig.is_stream_lost = "3 tries failed"
    turn(loop)
    assert facts(loop, BrokerLost) == [BrokerLost(reason="3 tries failed")]
    assert [each.order.client_order_id for each in wanted(loop, Cancel)][:1] == [WHAT.client_order_id]


def test_problem_that_is_not_the_brokers_is_the_feeds(loop: Loop) -> None:
    turn(loop, Answer(FetchBars(SESSION), problem=BarError("known only tomorrow")))
    assert facts(loop, FeedFailed) == [FeedFailed(feed="ohlcv", reason="known only tomorrow")]


# --- comparing both books -----------------------------------------------------------------------


@pytest.mark.fault("A14", "C9", "C15")
@pytest.mark.invariant("V13")
def test_difference_counts_when_the_next_look_shows_the_same(loop: Loop) -> None:
    turn(loop, books(CASH, position("GLD", 7)))
    assert facts(loop, BreakFound, Reconciled) == []
    turn(loop, books(CASH, position("GLD", 9)))
    assert facts(loop, BreakFound, Reconciled) == []
    assert wanted(loop, ReadBooks)
    turn(loop, books(CASH, position("GLD", 9)))
    (found,) = facts(loop, BreakFound)
    assert (found.subject, found.ours, found.brokers) == ("GLD", 0, 9)
    assert loop.rig.kernel.state.quantity("GLD") == 0
    assert facts(loop, Reconciled)[0].breaks == ("GLD",)


@pytest.mark.fault("A14")
def test_difference_that_is_gone_at_the_next_look_was_none(loop: Loop) -> None:
    turn(loop, books(CASH, position("GLD", 7)))
    turn(loop, books())
    assert facts(loop, BreakFound) == []
    assert len(facts(loop, Reconciled)) == 1


def test_known_break_is_not_told_again(loop: Loop) -> None:
    for _ in range(4):
        turn(loop, books(CASH, position("GLD", 7)))
    assert len(facts(loop, BreakFound)) == 1
    assert len(facts(loop, Reconciled)) >= 2


@pytest.mark.fault("C9")
@pytest.mark.invariant("V13")
def test_break_that_went_away_by_itself_stays_latched_and_is_accepted_as_it_is_now(loop: Loop) -> None:
    for answer in (
        books(CASH, position("GLD", 7)),
        books(CASH, position("GLD", 7)),
        books(),
        books(),
        books(),
    ):
        turn(loop, answer)
    first, second = facts(loop, BreakFound)
    assert ((first.ours, first.brokers), (second.ours, second.brokers)) == ((0, 7), (0, 0))
    assert loop.rig.kernel.state.switch.latches == (Latch.BREAK,)
    loop.rig.inbox.put(AcceptBreak(subject="GLD", reason="sold again", by="OpA"), "OpA", NOON)
    turn(loop, after_s=1)
    assert loop.rig.kernel.state.quantity("GLD") == 0
    assert loop.rig.kernel.state.switch.latches == ()


@pytest.mark.fault("C3", "C18")
def test_fill_that_was_missed_is_a_fact_and_no_break(loop: Loop) -> None:
    loop.rig.kernel.state = begun(formed(WHAT))
    theirs = BrokerOrder(
        broker_order_id="b",
        client_order_id=WHAT.client_order_id,
        symbol="GLD",
        quantity=dec(100),
        status="filled",
        state=OrderState.FILLED,
        filled_quantity=dec(100),
        filled_price=dec(101),
        updated_at=NOON,
    )
    turn(loop, books(CASH - 10_100, position("GLD", 100), orders=(theirs,)))
    assert facts(loop, BreakFound) == []
    assert loop.rig.kernel.state.quantity("GLD") == 100


def theirs(filled: int, state: OrderState = OrderState.FILLED) -> BrokerOrder:
    """Return the broker's word on the order for a hundred shares."""
    return BrokerOrder(
        broker_order_id="b-GLD",
        client_order_id=WHAT.client_order_id,
        symbol="GLD",
        quantity=dec(100),
        status=state.value,
        state=state,
        filled_quantity=dec(filled),
        filled_price=dec(100),
        updated_at=NOON,
    )


@pytest.mark.fault("C8")
def test_trade_that_is_taken_back_is_a_break_and_changes_nothing_of_ours(loop: Loop) -> None:
    loop.rig.kernel.state = begun(formed(WHAT), updated(WHAT, 100, 100, OrderState.FILLED))
    for _ in range(2):
        turn(loop, books(CASH - 6_000, position("GLD", 60), orders=(theirs(60),)))
    found = {each.subject: (each.ours, each.brokers) for each in facts(loop, BreakFound)}
    assert found == {"GLD": (100, 60), "cash": (CASH - 10_000, CASH - 6_000)}
    assert loop.rig.kernel.state.quantity("GLD") == 100
    assert loop.rig.kernel.state.switch.latches == (Latch.BREAK,)


@pytest.mark.fault("C10")
def test_split_over_the_weekend_is_a_break_until_a_person_has_looked(loop: Loop) -> None:
    loop.rig.kernel.state = begun(*bought(100), targets(GLD=0.05))
    for _ in range(2):
        turn(loop, books(CASH - 10_000, position("GLD", 200)))
    (found,) = facts(loop, BreakFound)
    assert (found.subject, found.ours, found.brokers) == ("GLD", 100, 200)
    turn(loop, Answer(FetchQuotes(("GLD",)), [quotes(GLD=50)]))
    assert not wanted(loop, Submit)
    loop.rig.inbox.put(AcceptBreak(subject="GLD", reason="two for one", by="OpA"), "OpA", NOON)
    turn(loop, after_s=1)
    assert loop.rig.kernel.state.quantity("GLD") == 200


@pytest.mark.fault("A14")
def test_both_books_are_compared_every_quarter_of_an_hour_when_nothing_is_on_its_way(loop: Loop) -> None:
    loop.rig.kernel.state = replace(begun(), sampled_at_s=1e9)
    turn(loop, after_s=899)
    assert not wanted(loop, ReadBooks)
    turn(loop, after_s=1)
    assert wanted(loop, ReadBooks)
    loop.rig.kernel.state = begun(formed(WHAT))
    turn(loop)
    assert not wanted(loop, ReadBooks)


def test_fast_venue_is_not_compared_more_often_than_every_thirty_seconds(loop: Loop) -> None:
    loop.rig.clock.set_now(NOON + timedelta(hours=3))
    turn(loop, after_s=29)
    assert not wanted(loop, ReadBooks)
    turn(loop, after_s=1)
    assert wanted(loop, ReadBooks)


@pytest.mark.fault("C9", "F3")
def test_clock_that_is_put_back_does_not_keep_both_books_from_being_compared(loop: Loop) -> None:
    loop.rig.clock.set_now(NOON - timedelta(hours=24))
    turn(loop, after_s=29)
    assert not wanted(loop, ReadBooks)
    turn(loop, after_s=1)
    assert wanted(loop, ReadBooks)


@pytest.mark.fault("A17", "C11")
def test_two_counts_of_equity_that_differ_let_both_books_be_compared_soon(loop: Loop) -> None:
    state = loop.rig.kernel.state
    loop.rig.kernel.state = replace(state, drawdown=replace(started(dec(CASH)), doubt="they differ"))
    turn(loop, after_s=29)
    assert not wanted(loop, ReadBooks)
    turn(loop, after_s=1)
    assert wanted(loop, ReadBooks)


# --- commands -----------------------------------------------------------------------------------


def test_command_is_taken_once_with_all_that_it_led_to(loop: Loop) -> None:
    loop.rig.inbox.put(Halt(reason="x", by="OpB"), "OpB", NOON)
    turn(loop, after_s=1)
    turn(loop, after_s=1)
    assert [type(fact) for fact in facts(loop, CommandTaken, Latched)] == [CommandTaken, Latched]
    loop.rig.inbox.put(Acknowledge(latch="operator_halt", reason="seen", by="OpA"), "OpA", NOON)
    turn(loop, after_s=1)
    assert facts(loop, Unlatched)
    assert loop.rig.kernel.state.command_id == 2


def test_break_is_cleared_by_its_acceptance_and_trading_goes_on(loop: Loop) -> None:
    turn(loop, books(CASH, position("GLD", 7)))
    turn(loop, books(CASH, position("GLD", 7)))
    turn(loop)
    assert not wanted(loop, FetchQuotes)
    loop.rig.inbox.put(AcceptBreak(subject="GLD", reason="by hand", by="OpA"), "OpA", NOON)
    turn(loop, after_s=1)
    assert facts(loop, BreakAccepted)
    assert loop.rig.kernel.state.quantity("GLD") == 7
    assert wanted(loop, FetchQuotes)


# --- what is kept -------------------------------------------------------------------------------


@pytest.mark.fault("D16")
@pytest.mark.mistake(7)
def test_heartbeat_tells_of_turns_and_only_of_turns(loop: Loop, tmp_path: Path) -> None:
    turn(loop)
    for _ in range(3):
        turn(loop, after_s=1)
    beat = load_heartbeat(tmp_path / "heartbeat.json")
    assert beat is not None
    assert (beat.counter, beat.what) == (3, "live")
    loop.rig.clock.wait(60)  # the loop hangs: time passes and nobody turns it
    assert load_heartbeat(tmp_path / "heartbeat.json") == beat


def test_snapshot_is_written_every_minute_and_gives_the_state_back(loop: Loop) -> None:
    turn(loop, after_s=61)
    kept = loop.rig.snapshots.load(type(loop.rig.kernel.state), loop.rig.journal.hash_at)
    assert kept.state == loop.rig.kernel.state
    assert kept.head == loop.rig.journal.head()


@pytest.mark.fault("H1", "H5")
@pytest.mark.invariant("V3")
def test_journal_that_refuses_ends_the_loop_and_nothing_is_sent(loop: Loop) -> None:
    def refuse(*_: Any) -> None:
        raise JournalError("the disk is full")

    loop.rig.journal.append = refuse
    with pytest.raises(JournalError):
        turn(loop, Answer(FetchQuotes(("GLD",)), [quotes(GLD=100)]))
    assert not wanted(loop, Submit)


@pytest.mark.fault("H1", "H11")
def test_loop_whose_record_refuses_gives_the_room_back_that_it_held(loop: Loop, tmp_path: Path) -> None:
    def refuse(*_: Any) -> None:
        raise JournalError("the disk is full")

    assert (tmp_path / "reserve").stat().st_size == 1_000
    loop.rig.journal.append = refuse
    loop.rig.hands.waiting.append(Answer(FetchQuotes(("GLD",)), [quotes(GLD=100)]))
    with pytest.raises(JournalError):
        loop.run()
    assert not (tmp_path / "reserve").exists()


@pytest.mark.fault("H1", "H2", "H11")
def test_disk_that_fills_is_told_and_stops_new_orders_before_it_is_full(loop: Loop) -> None:
    room = [2_000_000_000]
    loop.rig.disk.free = lambda folder: room[0]
    turn(loop, after_s=11)
    assert facts(loop, AlertRaised) == []
    room[0] = 900_000_000
    for _ in range(3):
        turn(loop, after_s=11)
    (alert,) = facts(loop, AlertRaised)
    assert (alert.level, alert.cause) == ("orange", "disk")
    assert "0.9 GB left" in alert.text
    room[0] = 63_000_000
    for _ in range(3):
        turn(loop, after_s=11)
    assert loop.rig.kernel.state.switch.latches == (Latch.OPERATOR_HALT,)
    assert not wanted(loop, FetchQuotes)
    assert [each.level for each in facts(loop, AlertRaised)] == ["orange", "red"]


@pytest.mark.fault("G5")
@pytest.mark.parametrize("problem", [MemoryError(), RuntimeError("can't start new thread")])
def test_process_that_is_out_of_means_ends_and_does_not_limp(
    loop: Loop, problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_means(*_: Any) -> Any:
        raise problem

    monkeypatch.setattr(loop.rig.hands, "answers", out_of_means)
    loop.rig.wake = SimpleNamespace(wait=loop.rig.clock.wait, clear=lambda: None, set=lambda: None)
    with pytest.raises(type(problem)):
        loop.run()
    assert facts(loop, Stopped) == []  # so that whoever looks knows that it fell


@pytest.mark.fault("A13")
def test_alert_that_the_hands_bring_again_and_again_is_written_down_once(loop: Loop) -> None:
    alert = AlertRaised(level="yellow", cause="order status", text="The broker calls order x 'novel'.")
    for _ in range(3):
        turn(loop, Answer(PollOrders(), [alert]), after_s=2)
    assert facts(loop, AlertRaised) == [alert]


@pytest.mark.fault("A16")
def test_account_that_is_blocked_in_the_middle_of_the_day_is_told_in_red(loop: Loop) -> None:
    turn(loop, Answer(SampleAccount(), [replace(sampled(), is_blocked=True)]))
    turn(loop, after_s=60)
    assert [(each.level, each.cause) for each in facts(loop, AlertRaised)] == [("red", "account blocked")]
    assert not wanted(loop, FetchQuotes)


@pytest.mark.fault("E8")
def test_feed_that_fails_for_four_hours_of_the_session_is_told(loop: Loop) -> None:
    loop.rig.clock.set_now(NOON - timedelta(hours=2))
    fails = FeedFailed(feed="quotes", reason="no answer")
    for minutes in (0, 120, 239, 240, 241):
        loop.rig.clock.set_now(NOON + timedelta(minutes=minutes - 120))
        turn(loop, Answer(FetchQuotes(("GLD",)), [fails]))
    (told,) = facts(loop, AlertRaised)
    assert told.cause == "feed quotes"
    assert loop.rig.kernel.state.feeds_failed == {"quotes": "no answer"}
    assert not wanted(loop, Submit)


@pytest.mark.fault("G8")
def test_turn_that_computes_for_long_is_told(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop.rig.inbox, "wishes", lambda _: loop.rig.clock.wait(60) or ())
    turn(loop, after_s=1)
    (told,) = facts(loop, AlertRaised)
    assert (told.level, told.cause) == ("yellow", "loop lag")


# --- the end ------------------------------------------------------------------------------------


@pytest.mark.fault("G9")
@pytest.mark.mistake(8)
def test_end_takes_no_new_intent_and_cancels_what_rests(loop: Loop) -> None:
    loop.rig.kernel.state = begun(targets(GLD=0.05), formed(WHAT), updated(WHAT, 40, 100))
    loop.rig.stop.set()
    loop.rig.hands = Ending(loop)
    loop.wind_down()
    assert facts(loop, IntentFormed) == []
    assert facts(loop, Stopped) == [Stopped(reason="told to stop")]
    state = loop.rig.kernel.state
    assert state.orders[WHAT.client_order_id].state is OrderState.CANCELED
    assert state.quantity("GLD") == 40
    kept = loop.rig.snapshots.load(type(state), loop.rig.journal.hash_at)
    assert kept.state == state


class Ending(Hands):
    """Hands that bring quotes at the last moment and let the broker cancel what is asked."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self.loop = loop
        late = PositionsSeen(quantities={"GLD": dec(40)}, available={"GLD": dec(40)})
        self.waiting = [Answer(FetchQuotes(("GLD",)), [quotes(GLD=100), late])]

    def start(self, effect: Any) -> None:
        super().start(effect)
        if isinstance(effect, Cancel):
            ended = updated(effect.order, 40, 100, OrderState.CANCELED)
            self.waiting.append(Answer(effect, [ended]))


def test_end_does_not_wait_for_an_order_that_was_never_sent(loop: Loop) -> None:
    loop.rig.kernel.state = begun(formed(WHAT))
    loop.rig.stop.set()
    began_s = loop.rig.clock.monotonic()
    loop.wind_down()
    assert loop.rig.clock.monotonic() == began_s
    assert not loop.may_start(Submit(replace(WHAT, is_reducing=True)))
    assert facts(loop, Stopped) == [Stopped(reason="told to stop")]


@pytest.mark.fault("G9")
@pytest.mark.mistake(8, 9)
def test_end_that_the_broker_does_not_answer_says_what_is_left(loop: Loop) -> None:
    loop.rig.kernel.state = begun(formed(WHAT), updated(WHAT, 0, 0))
    loop.rig.stop.set()
    loop.rig.wake = SimpleNamespace(wait=loop.rig.clock.wait, clear=lambda: None, set=lambda: None)
    began_s = loop.rig.clock.monotonic()
    loop.wind_down()
    assert 10 <= loop.rig.clock.monotonic() - began_s < 11
    assert facts(loop, Stopped) == [Stopped(reason="told to stop; 1 orders still live")]
