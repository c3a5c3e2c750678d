"""Decide, write down, then act: in this order, or not at all."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from qgtm.adapters.journal import MemoryJournal
from qgtm.core.effects import SampleAccount, Submit
from qgtm.core.errors import JournalError
from qgtm.core.events import (
    AlertRaised,
    CashMoved,
    Event,
    FeedFailed,
    FeedRecovered,
    MarketHoursSeen,
    OrderNotFound,
    SessionClosed,
)
from qgtm.core.order import OrderState
from qgtm.engine.state import folded
from qgtm.live.kernel import Kernel, teaches_nothing
from tests.engine.making import (
    BEGIN,
    CLOSES,
    NOON,
    begun,
    dec,
    desk,
    formed,
    kinds,
    order,
    quotes,
    targets,
    turned,
    updated,
)
from tests.engine.test_live_loop import BARS

WHAT = order(100)
HOURS = MarketHoursSeen(is_open=True, next_open_at=CLOSES + timedelta(hours=17), next_close_at=CLOSES)


class Refusing(MemoryJournal):
    """A journal whose disk is full when it is told so."""

    is_full = False

    def append(self, events: Sequence[Event], at: datetime) -> None:
        if self.is_full:
            raise JournalError("the disk is full")
        super().append(events, at)


def kernel(journal: MemoryJournal | None = None) -> tuple[Kernel, list[Any]]:
    done: list[Any] = []
    at, kept = desk(), MemoryJournal() if journal is None else journal
    return Kernel(at, at.history, kept, done.append, begun(targets(GLD=0.05))), done


@pytest.mark.invariant("V3")
def test_effects_are_started_only_after_their_facts_are_written() -> None:
    heads: list[int] = []
    one, _ = kernel()
    one.perform = lambda effect: heads.append(one.journal.head().seq)
    one.take(quotes(GLD=100), NOON)
    assert heads == [2]  # the quotes and the intent


@pytest.mark.fault("H1")
@pytest.mark.invariant("V3")
def test_journal_that_cannot_be_written_stops_every_act_and_leaves_the_state() -> None:
    journal = Refusing()
    one, done = kernel(journal)
    before, journal.is_full = one.state, True
    with pytest.raises(JournalError):
        one.take(quotes(GLD=100), NOON)
    assert (done, one.state, journal.head().seq) == ([], before, 0)
    journal.is_full = False
    one.take(quotes(GLD=100), NOON)
    assert [type(effect) for effect in done] == [Submit]


def test_facts_that_belong_together_are_kept_together_or_not_at_all() -> None:
    journal = Refusing()
    one, _ = kernel(journal)
    alert = AlertRaised(level="info", cause="x", text="y")
    flow = CashMoved(activity_id="1", kind="CSD", amount_usd=dec(5))
    journal.is_full = True
    with pytest.raises(JournalError):
        one.take_all([alert, flow], NOON)
    assert one.state.flow_ids == ("start",)
    journal.is_full = False
    one.take_all([alert, flow], NOON)
    assert kinds(entry.event for entry in journal.read()) == ["AlertRaised", "CashMoved"]


def test_turn_of_the_loop_is_never_written_and_may_still_ask_for_something() -> None:
    one, done = kernel()
    one.take(turned(monotonic_s=99.0), NOON)
    assert one.journal.head().seq == 0
    assert SampleAccount() in done


@pytest.mark.invariant("V11")
def test_state_is_the_fold_of_the_journal_after_anything_that_was_taken() -> None:
    one, _ = kernel()
    for event in (quotes(GLD=100), HOURS, updated(WHAT, 1, 1), SessionClosed(session=BARS.session), BARS):
        one.take(event, NOON)
    again = folded([entry.event for entry in one.journal.read()], begun(targets(GLD=0.05)))
    assert again == one.state


def test_order_still_not_found_is_written_only_when_something_follows_from_it() -> None:
    subject, done = kernel()
    subject.take(formed(WHAT), NOON)
    not_found = OrderNotFound(client_order_id=WHAT.client_order_id)
    subject.take(not_found, NOON + timedelta(seconds=2))
    assert "OrderNotFound" not in kinds(e.event for e in subject.journal.read())
    subject.take(not_found, NOON + timedelta(seconds=60))  # long enough to send it again
    assert "OrderNotFound" in kinds(e.event for e in subject.journal.read())
    assert done[-1] == Submit(WHAT)


@pytest.mark.fault("E2", "E6")
def test_bars_are_remembered_once() -> None:
    one, _ = kernel()
    late = replace(BARS, session=NOON.date())
    one.take(late, NOON)
    one.take(late, NOON)
    assert len(one.history) == 201
    assert kinds(entry.event for entry in one.journal.read()).count("BarsClosed") == 1


KNOWN = begun(formed(WHAT), updated(WHAT, 10, 100), HOURS, BARS, FeedFailed(feed="ohlcv", reason="x"))


@pytest.mark.fault("C1")
@pytest.mark.parametrize(
    ("event", "is_old"),
    [
        (updated(WHAT, 10, 100), True),
        (updated(WHAT, 9, 100), True),
        (updated(WHAT, 11, 100), False),
        (updated(WHAT, 10, "100.5"), False),
        (updated(WHAT, 10, 100, OrderState.CANCELED), False),
        (updated(order(5, number=7), 5, 100), True),  # not ours
        (HOURS, True),
        (replace(HOURS, is_open=False), False),
        (BEGIN[1], True),
        (CashMoved(activity_id="2", kind="DIV", amount_usd=dec(1)), False),
        (BARS, True),
        (replace(BARS, session=NOON.date()), False),
        (FeedFailed(feed="ohlcv", reason="y"), True),
        (FeedFailed(feed="quotes", reason="y"), False),
        (FeedRecovered(feed="quotes"), True),
        (FeedRecovered(feed="ohlcv"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Event) else "",
)
def test_what_repeats_is_not_written_again(event, is_old) -> None:
    assert teaches_nothing(KNOWN, event) is is_old
