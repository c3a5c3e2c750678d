"""A broker that does not say what the account is worth, and the history that it keeps of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from qgtm.core.effects import FetchEquityHistory, SampleAccount, ValueBook
from qgtm.core.events import (
    AlertRaised,
    BarsClosed,
    BookUnjudged,
    BookValued,
    BreakAccepted,
    BreakFound,
    EquityHistorySeen,
    Latched,
    SessionClosed,
)
from qgtm.core.mode import Latch, Mode
from qgtm.engine.reconcile import find_history_breaks
from qgtm.engine.state import State, changed, folded
from qgtm.live.kernel import teaches_nothing
from tests.engine.making import (
    CLOSES,
    NOON,
    SESSION,
    begun,
    booted,
    bought,
    dec,
    opened,
    sampled,
    taken,
    turned,
)

HELD = begun(*bought(5_000), sampled(monotonic_s=0.0, GLD=100))  # half of a million in GLD


def wanted(state: State, monotonic_s: float, **what: Any) -> list[Any]:
    return list(taken(state, turned(monotonic_s=monotonic_s, **what), now=what.get("at", NOON)).effects)


def valued(mid: float, at_s: float, last: float | None = None) -> BookValued:
    lasts = {"GLD": dec(mid if last is None else last)}
    return BookValued(mids={"GLD": dec(mid)}, lasts=lasts, monotonic_s=at_s)


def mode_after(*values: BookValued) -> Mode:
    state = HELD
    for value in values:
        state = taken(state, value).state
    return state.switch.mode


@pytest.mark.fault("A11")
def test_book_is_valued_without_the_broker_once_it_has_been_mute_for_half_a_minute() -> None:
    assert ValueBook(("GLD",)) not in wanted(HELD, 29.9)
    assert ValueBook(("GLD",)) in wanted(HELD, 30.0)
    assert SampleAccount() in wanted(HELD, 30.0)  # the broker is asked on
    still_mute = taken(HELD, valued(100, 31)).state
    assert ValueBook(("GLD",)) in wanted(still_mute, 60.0)
    spoken = taken(HELD, sampled(monotonic_s=60.0, GLD=100)).state
    assert ValueBook(("GLD",)) not in wanted(spoken, 61.0)
    assert not [each for each in wanted(begun(), 60.0) if isinstance(each, ValueBook)]  # nothing is held
    closed = taken(HELD, SessionClosed(session=SESSION)).state
    late = wanted(closed, 60.0, at=CLOSES, is_open=False)
    assert not [each for each in late if isinstance(each, ValueBook)]


@pytest.mark.fault("A11", "D10")
@pytest.mark.parametrize(
    ("values", "mode"),
    [
        # 5,000 shares and half a million of cash: at 83.9 the fund is 8.05% down, at 75.9 12.05%
        ([valued(83.9, at_s) for at_s in (40, 50, 60)], Mode.REDUCING),
        ([valued(75.9, at_s) for at_s in (40, 50, 60)], Mode.HALTED_HARD),
        ([valued(75.9, at_s) for at_s in (40, 50)], Mode.ACTIVE),  # three must agree
        ([valued(75.9, at_s) for at_s in (40, 45, 49)], Mode.ACTIVE),  # ten seconds apart
        ([valued(75.9, at_s, last=100) for at_s in (40, 50, 60)], Mode.ACTIVE),  # and both prices
        ([valued(84.1, at_s) for at_s in (40, 50, 60)], Mode.ACTIVE),
    ],
)
def test_caps_act_on_fresh_prices_while_the_account_is_mute(values: list[BookValued], mode: Mode) -> None:
    assert mode_after(*values) is mode


@pytest.mark.fault("A11")
def test_what_cannot_be_judged_is_said_once_until_it_can_be_again() -> None:
    blind = BookUnjudged(reason="no fresh prices come for GLD")
    after = taken(HELD, blind)
    (alert,) = [each for each in after.events if isinstance(each, AlertRaised)]
    assert alert.level == "red"
    assert "no fresh prices come for GLD" in alert.text
    assert after.state.drawdown == HELD.drawdown
    assert teaches_nothing(after.state, blind)
    for again in (valued(100, 50), sampled(monotonic_s=50.0, GLD=100)):
        assert not teaches_nothing(changed(after.state, again), blind)


# --- the past -----------------------------------------------------------------------------------

NOTED = (SessionClosed(session=SESSION), sampled(1_000_500, 400.0))
BARS = BarsClosed(session=SESSION, known_at=CLOSES, bars={})


def seen(**equity: object) -> EquityHistorySeen:
    told = {day.strip("_").replace("_", "-"): dec(usd) for day, usd in equity.items()}
    return EquityHistorySeen(session=SESSION, equity_usd=told)


def test_equity_after_a_close_is_kept_once_and_only_by_who_was_there() -> None:
    state = begun(*NOTED, sampled(1_200_000, 900.0))
    assert state.closes_usd == {"2026-01-06": dec(1_000_500)}
    away = begun(SessionClosed(session=SESSION), booted(2), sampled(1_200_000, 0.0))
    assert away.closes_usd == {}


def test_thirty_closes_are_kept() -> None:
    facts: list[Any] = []
    for n in range(31):
        day = SESSION + timedelta(days=n)
        facts += [opened(day), SessionClosed(session=day), sampled(monotonic_s=float(n))]
    closes = folded(facts, begun()).closes_usd
    assert (len(closes), min(closes)) == (30, "2026-01-07")


@pytest.mark.fault("D12")
def test_brokers_history_is_asked_for_once_after_each_session_that_was_kept() -> None:
    ask = FetchEquityHistory(SESSION, SESSION)
    assert ask not in wanted(begun(*NOTED), 401.0, at=CLOSES, is_open=False)  # its bars are not there yet
    due = begun(*NOTED, BARS)
    assert ask in wanted(due, 401.0, at=CLOSES, is_open=False)
    asked = taken(due, seen(_2026_01_06=1_000_500)).state
    assert ask not in wanted(asked, 401.0, at=CLOSES, is_open=False)


@pytest.mark.fault("D12")
def test_close_that_the_broker_remembers_otherwise_is_a_break_until_it_is_accepted() -> None:
    state = begun(*NOTED, BARS)
    assert taken(state, seen(_2026_01_06=1_010_000)).events == ()  # within one percent
    after = taken(state, seen(_2026_01_06=1_020_000))
    (found,) = [each for each in after.events if isinstance(each, BreakFound)]
    assert (found.subject, found.ours, found.brokers) == ("equity-2026-01-06", dec(1_000_500), dec(1_020_000))
    assert [each.latch for each in after.events if isinstance(each, Latched)] == [Latch.BREAK]
    taken_in = BreakAccepted(subject=found.subject, brokers=found.brokers, reason="a correction", by="OpA")
    accepted = taken(after.state, taken_in).state
    assert accepted.switch.latches == ()
    assert taken(accepted, seen(_2026_01_06=1_020_000)).events == ()


@pytest.mark.fault("D12")
def test_session_that_our_record_lacks_and_that_stood_above_our_peak_is_a_break() -> None:
    ours = {"2026-01-05": dec(100), "2026-01-07": dec(100)}
    brokers = {"2026-01-02": 200, "2026-01-05": 100, "2026-01-06": 121, "2026-01-07": 100, "2026-01-08": 111}
    told = {day: dec(usd) for day, usd in brokers.items()}
    found = find_history_breaks(ours, told, dec(110))  # 2 January was before our record; 8 January is near
    assert [(each.subject, each.ours, each.brokers) for each in found] == [("equity-2026-01-06", 110, 121)]
    assert find_history_breaks({}, told, dec(110)) == ()
    assert find_history_breaks(ours, told, None) == ()


def test_mark_of_a_valued_book_is_kept_for_all_that_ask() -> None:
    after = taken(replace(HELD, unjudged="x"), valued(90, 40)).state
    assert (after.marks["GLD"], after.unjudged) == (dec(90), None)
