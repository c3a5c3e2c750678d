"""What stands beside the dot: words about requests, halts and their way back, the watchdog and the alerts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from qgtm.core.events import (
    BreakFound,
    CoolOffCounted,
    Deployed,
    Event,
    FlatConfirmed,
    Latched,
    ModeChanged,
    PositionsSeen,
    Reconciled,
    RequestEnded,
    RequestMade,
    Stopped,
)
from qgtm.core.mode import Dot, Latch, Mode, Trigger
from qgtm.core.request import Act, Outcome, Person, Request
from qgtm.risk.kill_switch import FULL, RAMP
from qgtm.views.chronicle import Chronicle
from qgtm.views.matter import (
    ASKED,
    HALTED_BY,
    Kind,
    Matter,
    Undelivered,
    Watchdog,
    dead_man_said,
    undelivered_said,
    watchdog_said,
)
from qgtm.views.summary import Summary, summary
from tests.views.told import LIMITS, MORNING, WATCHDOG, boot, live, opened, outside, sample, told, traded

WALL = datetime(2026, 3, 2, 19, 30, tzinfo=UTC)
REQUEST = Request(
    request_id="r1",
    act=Act.RESET,
    by=Person.OPA,
    text="Trade again at half size.",
    epoch=1,
    detail={},
    limits_sha="l",
    head="1:a",
    nonce="n",
    made_at=WALL,
    expires_at=WALL + timedelta(minutes=10),
)
ASKS = RequestMade(request=REQUEST, monotonic_s=1.0, epoch=1)
BOUGHT = [*traded("GLD", 100, "180", 1), *traded("SLV", 50, "20", 2)]


def halt(trigger: Trigger = Trigger.HARD_CAP, by: str = "", **more: Any) -> ModeChanged:
    after = Mode.HALTED_DEAD_MAN if trigger is Trigger.HEARTBEAT_LOST else Mode.HALTED_HARD
    fields: dict[str, Any] = {
        "before": Mode.ACTIVE,
        "reason": "the fall is 12.1%",
        "at": MORNING,
        "drawdown_frac": D("0.121"),
        **more,
    }
    return ModeChanged(trigger=trigger, after=after, by=by, **fields)


def seen(*events: Event | list[Event], **more: object) -> Summary:
    return summary(told(live(), *events), outside(wall_at=WALL, **more), LIMITS)


def matter(kind: Kind, found: Summary) -> Matter:
    (only,) = [each for each in found.matters if each.kind is kind]
    return only


def said(kind: Kind, found: Summary) -> str:
    return " ".join(matter(kind, found).lines)


def test_quiet_fund_has_no_matter() -> None:
    assert (seen().matters, seen().notes, seen().dot) == ((), (), Dot.GREEN)


# --- requests -----------------------------------------------------------------------------------


def test_request_says_what_is_asked_until_when_and_where_to_go() -> None:
    found = matter(Kind.ASK, seen(ASKS))
    assert found.title == "OpA asks to trade again"
    assert found.lines == ("Trade again at half size.", "It waits until 14:40:00 New York.")
    assert found.link


@pytest.mark.parametrize("act", list(Act))
def test_every_act_that_takes_both_has_a_title(act: Act) -> None:
    assert ASKED[act]


@pytest.mark.parametrize(("late_s", "number"), [(599, 1), (600, 0)])
def test_request_whose_time_is_over_is_shown_no_more(late_s: int, number: int) -> None:
    chronicle = told(live(), ASKS)
    now = WALL + timedelta(seconds=late_s)
    assert len(summary(chronicle, outside(wall_at=now), LIMITS).matters) == number


def test_request_that_ended_is_shown_no_more() -> None:
    ended = RequestEnded(request_id="r1", outcome=Outcome.REJECTED, by="OpB", reason="no")
    assert seen(ASKS, ended).matters == ()


def test_request_stands_before_the_halt_that_it_answers() -> None:
    assert [each.kind for each in seen(halt(), ASKS).matters] == [Kind.ASK, Kind.HALT]


# --- an override --------------------------------------------------------------------------------


def test_override_is_told_with_the_way_to_end_it() -> None:
    soft = halt(Trigger.SOFT_CAP)
    soft = replace(soft, after=Mode.REDUCING)
    override = replace(soft, trigger=Trigger.OVERRIDDEN, before=Mode.REDUCING, after=Mode.ACTIVE)
    found = matter(Kind.OVERRIDE, seen(soft, replace(override, drawdown_frac=D("0.085"))))
    assert "9.5%" in found.lines[0]
    assert found.link == "End the override"


# --- a halt -------------------------------------------------------------------------------------


@pytest.mark.parametrize("trigger", list(HALTED_BY))
def test_halt_says_its_cause_since_when_and_why(trigger: Trigger) -> None:
    found = matter(Kind.HALT, seen(halt(trigger)))
    assert found.title == HALTED_BY[trigger]
    assert found.lines[0] == "Since Mon 02 Mar, 09:30 New York: the fall is 12.1%."


def test_halt_by_hand_names_who() -> None:
    assert matter(Kind.HALT, seen(halt(Trigger.OPERATOR, by="OpB"))).title == "Stopped by hand (OpB)"


def test_halt_counts_what_is_closed_and_names_what_is_open() -> None:
    sold = traded("SLV", -50, "20", 3)
    found = said(Kind.HALT, seen(opened(), BOUGHT, halt(), sold))
    assert "1 of 2 positions closed; still open: +100 GLD." in found
    assert "market is closed" not in found


def test_halt_with_the_market_closed_says_when_the_rest_goes() -> None:
    assert "goes when it opens" in said(Kind.HALT, seen(BOUGHT, halt()))


def test_flat_book_is_not_called_closed_before_the_broker_has_said_so() -> None:
    sold = [*traded("SLV", -50, "20", 3), *traded("GLD", -100, "180", 4)]
    events = (opened(), BOUGHT, halt(), sold)
    before = seen(*events)
    assert "the broker has not confirmed it yet" in said(Kind.HALT, before)
    assert "has not confirmed" in before.sentence
    assert "No position is open" not in before.sentence
    after = seen(*events, FlatConfirmed(epoch=1, took_s=12.0))
    assert "Everything is closed, by the broker's word since" in said(Kind.HALT, after)
    assert "No position is open." in after.sentence


def test_what_the_broker_alone_holds_is_open_during_a_halt() -> None:
    there = PositionsSeen(
        quantities={"GDX": D(-7)}, available={"GDX": D(-7)}, at=MORNING + timedelta(minutes=30)
    )
    found = seen(opened(), halt(), there)
    assert "still open: −7 GDX." in said(Kind.HALT, found)
    assert found.positions == 1
    assert "1 position" in found.sentence


@pytest.mark.mistake(20)
def test_positions_and_their_worth_count_the_larger_of_two_books_that_differ() -> None:
    found = seen(
        traded("GLD", 100, "180"),
        sample("100000", "100000", GLD="180"),
        BreakFound(subject="GLD", ours=D(100), brokers=D(130), detail=""),
        BreakFound(subject="SLV", ours=D(0), brokers=D(10), detail=""),
    )
    assert found.positions == 2
    assert found.notional_usd is None  # nobody has said what SLV is worth
    fewer = seen(
        traded("GLD", 100, "180"),
        sample("100000", "100000", GLD="180"),
        BreakFound(subject="GLD", ours=D(100), brokers=D(90), detail=""),
    )
    assert (fewer.positions, fewer.notional_usd) == (1, D("18000.00"))


@pytest.mark.parametrize(
    ("report", "words"), [("incident-1.html", "incident-1.html."), (None, "five minutes")]
)
def test_halt_names_its_report_or_says_when_it_comes(report: str | None, words: str) -> None:
    assert words in said(Kind.HALT, seen(halt(), report=report))


def test_report_that_is_late_names_the_command_that_makes_it() -> None:
    later = sample("88000", "88000")
    for minutes, words in ((14, "five minutes"), (16, "`qgtm incident` makes it")):
        struck = halt(at=MORNING + timedelta(minutes=5))
        chronicle = told(live(), struck)
        chronicle.take(later, struck.at + timedelta(minutes=minutes))
        assert words in said(Kind.HALT, summary(chronicle, outside(), LIMITS))


def counted(hours: float) -> list[Event]:
    """Three clocks that all count `hours` since the halt."""
    begun, after = MORNING, MORNING + timedelta(hours=hours)
    return [
        CoolOffCounted(monotonic_s=0.0, wall_at=begun, broker_at=begun),
        CoolOffCounted(monotonic_s=hours * 3600, wall_at=after, broker_at=after),
    ]


def test_halt_says_how_long_the_cool_off_has_to_go() -> None:
    found = said(Kind.HALT, seen(halt(), FlatConfirmed(epoch=1, took_s=1.0), counted(10.5)))
    assert "13h 30m to go" in found


def test_halt_that_has_cooled_off_says_what_is_still_missing_and_then_whose_turn_it_is() -> None:
    cooled = (halt(), counted(24.5))
    assert "Not yet: the broker has not confirmed" in said(Kind.HALT, seen(*cooled))
    settled = (FlatConfirmed(epoch=1, took_s=1.0), Reconciled(breaks=(), positions={}, cash_usd=D(0)))
    assert "OpA may ask to trade again now" in said(Kind.HALT, seen(*cooled, *settled))
    assert "OpA may ask" not in said(Kind.HALT, seen(*cooled, *settled, ASKS))


def test_dead_mans_halt_first_wants_a_restart() -> None:
    found = said(Kind.HALT, seen(halt(Trigger.HEARTBEAT_LOST, lease_epoch=2)))
    assert "OpA must stop the daemon and start it again." in found


@pytest.mark.parametrize("latch", list(Latch))
def test_latch_says_since_when_and_why(latch: Latch) -> None:
    found = matter(Kind.HALT, seen(Latched(latch=latch, reason="for this reason")))
    assert found.title.startswith("No new orders")
    assert found.lines[0].endswith("New York: for this reason.")


@pytest.mark.parametrize("step", range(FULL))
def test_ramp_names_its_size_and_the_next(step: int) -> None:
    chronicle = told(live())
    switch = replace(chronicle.state.switch, ramp_step=step)
    chronicle.state = replace(chronicle.state, switch=switch)
    found = said(Kind.RAMP, summary(chronicle, outside(), LIMITS))
    assert found.startswith(f"Size {RAMP[step] * 100:.0f}% of normal, step {step + 1} of 5.")
    assert f"{RAMP[step + 1] * 100:.0f}%" in found.split("makes it")[1]


def test_full_size_is_no_matter() -> None:
    assert seen().matters == ()


# --- the watchdog and the alerts ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("dog", "dot", "words"),
    [
        (None, Dot.ORANGE, "No watchdog guards"),
        (replace(WATCHDOG, age_s=91.0), Dot.ORANGE, "no sign of life"),
        (replace(WATCHDOG, age_s=None), Dot.ORANGE, "no sign of life"),
        (replace(WATCHDOG, state="failed"), Dot.ORANGE, "cannot act"),
        (replace(WATCHDOG, state="unarmed"), Dot.YELLOW, "not armed"),
        (replace(WATCHDOG, age_s=90.0), Dot.GREEN, "All is well"),
    ],
)
def test_watchdog_that_does_not_watch_colours_the_dot(dog: Watchdog | None, dot: Dot, words: str) -> None:
    found = seen(watchdog=dog)
    assert found.dot is dot
    assert words in found.sentence


def test_watchdog_at_work_tells_what_its_broker_still_shows() -> None:
    dog = replace(
        WATCHDOG, state="firing", reason="no progress", since=MORNING, left={"GLD": D(100), "SLV": D(0)}
    )
    found = matter(Kind.WATCHDOG, seen(watchdog=dog))
    assert found.lines == (
        "Since Mon 02 Mar, 09:30 New York: no progress.", "Left by the broker's count: +100 GLD.",
    )  # fmt: skip


def test_watchdogs_state_and_limits_are_said_in_words() -> None:
    assert watchdog_said(WATCHDOG) == "watching, 1s ago"
    assert watchdog_said(None).startswith("none")
    assert dead_man_said(WATCHDOG).endswith(
        "after 5m 0s and 10m 0s of silence and closes everything after 15m 0s."
    )


def test_dead_man_that_counts_seconds_is_said_beside_the_dot() -> None:
    short = replace(WATCHDOG, alerts_s=(7.0, 13.0), flatten_s=20.0)
    (note,) = seen(watchdog=short, speed=390.0).notes
    assert note.endswith("silence of 20s closes everything.")
    assert seen(watchdog=short, speed=1.0).notes == ()


def deployed(code: str, by: str = "OpA") -> Deployed:
    return Deployed(manifest_sha="m", modules={}, by=by, code_sha=code)


@pytest.mark.fault("J15")
def test_code_that_was_changed_is_said_for_a_week_in_words() -> None:
    first = [deployed("a" * 64, "first start")]
    assert (seen(first).notes, seen(first).code[:8]) == ((), "aaaaaaaa")
    (note,) = seen(first, deployed("b" * 64)).notes
    assert note == (
        "The code that connects the fund was changed on Mon 02 Mar, 09:35 New York by OpA; it is now "
        "bbbbbbbb. If nobody told you why, ask."
    )
    changed = told(live(), first, deployed("b" * 64))
    changed.at = MORNING + timedelta(days=8)
    after = summary(changed, outside(wall_at=WALL), LIMITS)
    assert (after.notes, after.code) == ((), "bbbbbbbb, since Mon 02 Mar, 09:35 New York (OpA)")


def test_code_that_is_deployed_while_another_runs_waits_for_a_restart() -> None:
    running = replace(boot(), code_sha="a" * 64)
    events = (deployed("a" * 64), running, deployed("b" * 64))
    assert "New code is deployed and waits for a restart." in seen(*events).sentence
    assert "restart" not in seen(*events, replace(running, code_sha="b" * 64)).sentence


def test_alerts_without_a_channel_are_a_plain_line() -> None:
    found = seen(undelivered=Undelivered(number=3, failing=0, since=MORNING, problem="no channel is set"))
    assert found.dot is Dot.GREEN
    assert found.notes == (
        "3 alerts have reached nobody since Mon 02 Mar, 09:30 New York (no channel is set).",
    )


def test_alerts_that_a_channel_fails_with_are_yellow() -> None:
    found = seen(undelivered=Undelivered(number=1, failing=1, since=None, problem="mail-1: it was not taken"))
    assert found.dot is Dot.YELLOW
    assert "1 alert has reached nobody (mail-1: it was not taken)." in found.sentence
    assert found.notes == ()


def test_no_alert_that_waits_says_nothing() -> None:
    assert (
        undelivered_said(None)
        == undelivered_said(Undelivered(number=0, failing=0, since=None, problem=""))
        == ""
    )


# --- a fold that went wrong ---------------------------------------------------------------------


def test_halt_of_which_the_journal_tells_little_is_told_all_the_same() -> None:
    chronicle = Chronicle()
    switch = replace(chronicle.state.switch, mode=Mode.HALTED_HARD)
    chronicle.state = replace(chronicle.state, switch=switch)
    found = said(Kind.HALT, summary(chronicle, outside(), LIMITS))
    assert "cool-off begins" in found


def test_stop_of_the_daemon_takes_no_matter_away() -> None:
    assert [each.kind for each in seen(halt(), Stopped(reason="told to")).matters] == [Kind.HALT]
