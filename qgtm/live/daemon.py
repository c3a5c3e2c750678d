"""The live loop: hear, decide, write down, act; and prove by its heartbeat that it does."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from qgtm.core.effects import Cancel, Effect, FetchBars, FetchQuotes, Submit, ValueBook
from qgtm.core.errors import BrokerError, JournalError
from qgtm.core.events import (
    BreakFound,
    BrokerFound,
    BrokerLost,
    Event,
    FeedFailed,
    OrderAccepted,
    OrderRejected,
    PositionsSeen,
    QuotesSeen,
    Stopped,
    TimePassed,
)
from qgtm.core.mode import Latch
from qgtm.core.order import OrderState
from qgtm.engine.request import overdue
from qgtm.live.beside import LookAtFeeds
from qgtm.live.boot import beat
from qgtm.live.dead_man import dead_mans_word, fenced_words
from qgtm.live.hands import Answer
from qgtm.live.perform import OHLCV
from qgtm.live.reconciliation import Books, ReadBooks, adopted, differences, late_news
from qgtm.live.rig import Rig
from qgtm.live.trouble import Troubles
from qgtm.live.wish import facts_of

TICK_S: Final = 0.2
BEAT_S: Final = 1.0
INBOX_S: Final = 0.5
LOST_AFTER_S: Final = 30.0  # of answers that did not come
RECONCILE_S: Final = 900.0  # venue seconds between two comparisons of both books
LEAST_RECONCILE_S: Final = 30.0  # process seconds between them, however fast venue time runs
FEEDS_S: Final = 10.0  # between two looks at the feeds; each decision looks by itself
WIND_DOWN_S: Final = 10.0
LEADS_TO_ORDERS: Final = (QuotesSeen, PositionsSeen)

Suspicion = frozenset[tuple[str, str, str]]


@dataclass
class Loop:
    """Turn until told to stop. One turn takes in what came, asks for what is due, and never waits."""

    rig: Rig
    counter: int = 0
    _beaten_s: float = 0.0
    _inbox_s: float = 0.0
    _snapshot_s: float = 0.0
    _failing_since_s: float | None = None
    _compared_s: float = 0.0
    _compared_at: datetime | None = None
    _suspected: Suspicion = field(default_factory=frozenset)
    _is_fenced: bool = False
    _feeds_s: float = -FEEDS_S
    _troubles: Troubles = field(default_factory=Troubles)

    def run(self) -> None:
        """Turn until `rig.stop` is set, then wind down. Raises JournalError when nothing can be written."""
        clock = self.rig.clock
        self._compared_s = self._snapshot_s = clock.monotonic()
        self._compared_at = clock.now()
        self.rig.is_resync_due = False
        try:
            while not self.rig.stop.is_set():
                self.turn()
                self.rig.wake.wait(TICK_S)
                self.rig.wake.clear()
            self.wind_down()
        except JournalError:
            self.rig.disk.give_up()  # so that the next start can write that it halts
            raise

    def turn(self) -> None:
        """Take one turn."""
        now_s = self.rig.clock.monotonic()
        self._take_answers(now_s)
        self._take_wishes(now_s)
        self._watch_broker(now_s)
        self._compare_when_due(now_s)
        self._look_at_feeds(now_s)
        self._let_time_pass(now_s)
        self._tell_troubles(now_s)
        self._keep(now_s)
        self.counter += 1

    # -- what came -----------------------------------------------------------------------

    def _take_answers(self, now_s: float) -> None:
        for answer in self.rig.hands.answers():
            if answer.problem is not None:
                self._take_problem(answer, now_s)
                continue
            if is_brokers_word(answer):
                self.rig.last_broker_at = self.rig.clock.now()
                self._failing_since_s = None
            if isinstance(answer.books, Books):
                self._compare(answer.books, now_s)
            for event in answer.events:
                is_late = self.rig.stop.is_set() and isinstance(event, LEADS_TO_ORDERS)
                if self._troubles.is_news(event) and not is_late:
                    self._take(event)
            self._tell_blindness(answer.events)

    def _take_problem(self, answer: Answer, now_s: float) -> None:
        if is_held_back(answer.problem):
            return  # our own call limit: the broker is not gone
        if isinstance(answer.problem, BrokerError):
            self._failing_since_s = now_s if self._failing_since_s is None else self._failing_since_s
        else:
            self._take(FeedFailed(feed=OHLCV, reason=str(answer.problem)))

    def _take_wishes(self, now_s: float) -> None:
        if now_s - self._inbox_s < INBOX_S:
            return
        self._inbox_s = now_s
        for wish in self.rig.inbox.wishes(self.rig.kernel.state.command_id):
            facts = facts_of(wish, self.rig.kernel.state, self.rig.on_disk, self.rig.seal())
            self.rig.kernel.take_all(facts, self.rig.clock.now())
            self.rig.keep_releases(facts)
        if self.rig.kernel.state.authority.standing:
            over = overdue(self.rig.kernel.state, self.rig.moment())
            self.rig.kernel.take_all(over, self.rig.clock.now())

    def _take(self, event: Event) -> None:
        self.rig.kernel.take(event, self.rig.clock.now())

    # -- the broker ----------------------------------------------------------------------

    def _watch_broker(self, now_s: float) -> None:
        is_failing = self._failing_since_s is not None and now_s - self._failing_since_s > LOST_AFTER_S
        reason = self.rig.is_stream_lost or ("no call was answered for 30 s" if is_failing else "")
        lost = self.rig.kernel.state.broker_lost
        if reason and not lost:
            self.rig.is_resync_due = True
            self._take(BrokerLost(reason=reason))
        elif lost and not reason and self.rig.stream.is_listening and not self.rig.is_resync_due:
            self._take(BrokerFound())

    def _compare_when_due(self, now_s: float) -> None:
        """Read both books after each reconnect, and every quarter of an hour when nothing is on its way."""
        rested_s = now_s - self._compared_s
        at = self.rig.clock.now()
        passed_s = (at - self._compared_at).total_seconds() if self._compared_at else RECONCILE_S
        # A clock that ran ahead and was put right leaves the last comparison in the future.
        is_due = not 0 <= passed_s < RECONCILE_S or self._is_equity_doubted
        is_regular = is_due and rested_s >= LEAST_RECONCILE_S
        is_quiet = not self.rig.kernel.state.live_orders
        # After a halt that ended flat, and after a lost broker, both books must agree before anybody resumes.
        state = self.rig.kernel.state
        is_waited_for = state.is_flat_confirmed or Latch.DISCONNECTED in state.switch.latches
        is_unchecked = is_waited_for and not state.is_clean and not state.breaks
        if self.rig.is_resync_due or (is_regular and is_quiet) or self._suspected or is_unchecked:
            self.rig.hands.start(ReadBooks(self.rig.kernel.state.live_orders))

    @property
    def _is_equity_doubted(self) -> bool:
        """Return whether the two counts of equity disagree: money may have come or gone."""
        drawdown = self.rig.kernel.state.drawdown
        return drawdown is not None and drawdown.doubt is not None

    def _compare(self, books: Books, now_s: float) -> None:
        """Apply late news of our own; a difference counts when the next look shows it again."""
        kernel = self.rig.kernel
        kernel.take_all([*adopted(kernel.state, books), *late_news(books)], self.rig.clock.now())
        found = differences(kernel.state, books)
        doubtful = frozenset(
            (b.subject, str(b.ours), str(b.brokers)) for b in found if isinstance(b, BreakFound)
        )
        if doubtful and doubtful != self._suspected:
            self._suspected = doubtful
            return
        self._suspected = frozenset()
        self._compared_s, self._compared_at = now_s, self.rig.clock.now()
        self.rig.is_resync_due = False
        kernel.take_all(found, self.rig.clock.now())

    def _look_at_feeds(self, now_s: float) -> None:
        if self.rig.beside.has_feeds and now_s - self._feeds_s >= FEEDS_S:
            self._feeds_s = now_s
            self.rig.hands.start(LookAtFeeds())

    # -- what is due ---------------------------------------------------------------------

    def _let_time_pass(self, now_s: float) -> None:
        now = self.rig.clock.now()
        session = self.rig.calendar.session_on(now.date())
        self._take(
            TimePassed(
                session=session.day if session else None,
                open_at=session.open_at if session else None,
                close_at=session.close_at if session else None,
                is_open=session is not None and session.open_at <= now < session.close_at,
                monotonic_s=now_s,
            )
        )

    def may_start(self, effect: Effect) -> bool:
        """Return whether an effect may go out: new risk only while both ways to the broker are open."""
        if isinstance(effect, Submit):
            is_let_out = effect.order.is_reducing and not self.rig.stop.is_set()
            return is_let_out or self._is_ready
        return not isinstance(effect, FetchQuotes) or self._is_ready

    @property
    def _is_ready(self) -> bool:
        rig = self.rig
        return rig.stream.is_listening and not rig.is_resync_due and not rig.stop.is_set()

    def _tell_blindness(self, events: Sequence[Event]) -> None:
        state, now = self.rig.kernel.state, self.rig.clock.now()
        session = state.session if state.is_open else None
        for alert in self._troubles.blindness(events, now, session):
            self._take(alert)

    def _tell_troubles(self, began_s: float) -> None:
        """Say what the loop notices of itself and the disk, and that the broker has blocked the account."""
        now_s, said = self.rig.clock.monotonic(), self._troubles
        for event in self.rig.disk.look(now_s, self.rig.kernel.state.switch.latches):
            self._take(event)
        for alert in (
            *said.lag(now_s - began_s, now_s),
            *said.blocked(self.rig.kernel.state.is_blocked),
        ):
            self._take(alert)

    # -- what is kept --------------------------------------------------------------------

    def _keep(self, now_s: float) -> None:
        if now_s - self._beaten_s >= BEAT_S:
            beat(self.rig, self.counter, "live")
            self._beaten_s = now_s
            self._hear_watchdog()
            self.rig.tell_watchdog()
        if now_s - self._snapshot_s >= self.rig.config.daemon.snapshot_every_s:
            self.rig.snapshots.write(self.rig.kernel.state, self.rig.journal.head(), self.rig.clock.now())
            self._snapshot_s = now_s

    def _hear_watchdog(self) -> None:
        """Take in what the watchdog did to a daemon that stood still, and say it when this one is fenced."""
        rig, now = self.rig, self.rig.clock.now()
        rig.kernel.take_all(dead_mans_word(rig.kernel.state, rig.watchdog_word(), now), now)
        if not self._is_fenced and not rig.lease.is_mine():
            self._is_fenced = True
            self._take(fenced_words(rig.lease.epoch))

    def wind_down(self) -> None:
        """Cancel what rests, learn what became of it, and write down that we stopped; at most ten seconds."""
        clock, kernel = self.rig.clock, self.rig.kernel
        until_s = clock.monotonic() + WIND_DOWN_S
        while self._is_on_its_way and clock.monotonic() < until_s:
            for order in kernel.state.live_orders:
                if order.broker_order_id:
                    self.rig.hands.start(Cancel(order, "the daemon stops"))
            self.turn()
            self.rig.wake.wait(TICK_S)
            self.rig.wake.clear()
        resting = sum(1 for order in kernel.state.live_orders if order.state is not OrderState.FORMED)
        left = f"; {resting} orders still live" if resting else ""
        self._take(Stopped(reason=f"told to stop{left}"))
        self.rig.snapshots.write(kernel.state, self.rig.journal.head(), clock.now())

    @property
    def _is_on_its_way(self) -> bool:
        """Return whether an order is at the broker, as far as is known; one that was never sent is not."""
        sent = any(order.state is not OrderState.FORMED for order in self.rig.kernel.state.live_orders)
        return sent or self.rig.hands.is_flying(Submit)


def is_brokers_word(answer: Answer) -> bool:
    """Return whether an answer proves that the broker answers: the feed's do not, nor an unknown outcome."""
    if isinstance(answer.effect, FetchBars | FetchQuotes | ValueBook | LookAtFeeds):
        return False
    if isinstance(answer.effect, Submit):
        return any(isinstance(event, OrderAccepted | OrderRejected) for event in answer.events)
    return True


def is_held_back(problem: Exception | None) -> bool:
    """Return whether a call limit, ours or the broker's, is all that kept a call from being made."""
    return isinstance(problem, BrokerError) and bool(getattr(problem.__cause__, "is_held_back", False))
