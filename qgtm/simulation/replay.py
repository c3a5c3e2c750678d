"""Recorded bars through the same step, risk and exchange core as live, in virtual time.

A session is walked as the daemon would live it: open, settle, rounds of orders until the targets are
reached, samples of the account at the close, then the session's bars and the views for the next open.
Nothing looks past the session being walked, so a longer folder gives the same journal up to its last day.
"""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from qgtm import __version__
from qgtm.adapters.clock import ManualClock
from qgtm.core.effects import CompareClocks, Effect, FetchBars, PollOrders, SampleAccount
from qgtm.core.errors import MarketError
from qgtm.core.events import Booted, CashMoved, ClocksCompared, Event, FeedRecovered, TimePassed, WentLive
from qgtm.core.mode import Mode
from qgtm.core.money import exact
from qgtm.engine.desk import PARAMS as LIVE
from qgtm.engine.desk import Desk
from qgtm.exchange.core import Exchange
from qgtm.exchange.event import TradeUpdate
from qgtm.exchange.market.port import Market, Session
from qgtm.exchange.setting import Habits
from qgtm.features.history import History
from qgtm.live.kernel import Kernel
from qgtm.live.perform import OHLCV, World, key_of, perform, update_of
from qgtm.ports import Journal
from qgtm.risk.drawdown import Drawdown
from qgtm.risk.kill_switch import KillSwitch
from qgtm.risk.limits import Limits
from qgtm.simulation.direct import DirectBroker, DirectFeed, broker_order

# A daily bar says what the first and the last trade were and nothing certain of the time between, so orders
# go out in the first seconds, at the recorded open, and the account is sampled in the last, at the close.
AT_THE_OPEN: Final = replace(LIVE, settle_s=5, round_every_s=5)
LAST_LOOK: Final = timedelta(seconds=10)
SAMPLES: Final = 3  # that must agree before a peak or a fall counts
CALM_SHARE: Final = Decimal("0.5")  # of the soft cap; a smaller fall is not looked at thrice
AFTER_CLOSE: Final = timedelta(minutes=5)
FIRST_LOOK: Final = timedelta(seconds=1)
LONGEST_LOOK: Final = timedelta(minutes=5)


@dataclass
class Replay:
    """One fund over one market, session by session.

    `start` is the first session that trades; earlier ones in the market warm the strategies up.
    """

    market: Market
    desk: Desk
    history: History
    journal: Journal
    start: date
    seed: int
    cash_usd: Decimal
    kernel: Kernel = field(init=False)
    exchange: Exchange = field(init=False)
    clock: ManualClock = field(init=False)
    _wanted: list[Effect] = field(init=False, default_factory=list)
    _heard: list[TradeUpdate] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        first = next(iter(self.market.sessions(self.start, self.start + timedelta(days=14))), None)
        if first is None:
            raise MarketError(f"there is no session within two weeks of {self.start}; choose another --from")
        begin = first.open_at - timedelta(hours=1)
        self.desk = replace(self.desk, params=AT_THE_OPEN)
        self.clock = ManualClock(begin, speed=0.0)
        self.exchange = Exchange(
            self.market, start=begin, seed=self.seed, cash=self.cash_usd, habits=_habits(self.desk)
        )
        self._feed = DirectFeed(self.market, self.clock)
        self._broker = DirectBroker(self.exchange, self.market, self.clock)
        self._world = World(self._broker, self._feed, self.clock, lambda: True)
        self.kernel = Kernel(self.desk, self.history, self.journal, self._wanted.append)

    def warm_up(self, sessions: Sequence[Session]) -> None:
        """Let the history hold the bars of sessions before the first that trades."""
        for session in sessions:
            self.clock.set_now(max(self.clock.now(), session.close_at))
            for closed in self._feed.closed(session.day, session.day):
                self.history.append(closed.session, closed.bars)

    def begin(self, manifest_sha: str = "") -> None:
        """Take the lease, the starting cash and the live state, as a first boot does."""
        now = self.clock.now()
        names = tuple(strategy.name for strategy in self.desk.strategies)
        boot = Booted(
            epoch=1,
            version=__version__,
            venue="replay",
            manifest_sha=manifest_sha,
            config_sha="",
            account_number="PAPER",
            strategies=names,
            strategies_total=len(names),
        )
        self.kernel.take(boot, now)
        self.kernel.take(CashMoved(activity_id="start", kind="start", amount_usd=self.cash_usd), now)
        self.kernel.take(WentLive(epoch=1), now)

    def walk_all(self, sessions: Iterable[Session]) -> None:
        """Live through sessions, oldest first, one after the other."""
        with _rare_collection():
            for session in sessions:
                self.walk(session)

    def walk(self, session: Session) -> None:
        """Live through one session, from its open to the views after its close."""
        self._at(session.open_at)
        self.clock.wait(self.desk.params.sample_every_s)  # the night was longer, and that is all that matters
        self._book_flows(session.day)
        self._turn(session)
        self._rest(timedelta(seconds=self.desk.params.settle_s))
        self._trade(session)
        self._at(session.close_at - LAST_LOOK)
        for _ in range(SAMPLES):
            self.clock.wait(self.desk.params.sample_every_s)  # process time passes, venue time is held
            self._turn(session)
            if is_calm(self.kernel.state.drawdown, self.kernel.state.switch, self.desk.limits):
                break
        self._at(session.close_at + AFTER_CLOSE)
        self._turn(session)

    def _trade(self, session: Session) -> None:
        """Turn until the targets are reached or no order may go out; look ever less often at what rests."""
        last_call = session.close_at - timedelta(seconds=self.desk.params.last_call_s)
        pause, tried = FIRST_LOOK, self.kernel.state.numbers
        while self.clock.now() < last_call:
            self._turn(session)
            state = self.kernel.state
            if state.live_orders:
                self._rest(min(pause, last_call - self.clock.now()))
                pause = min(pause * 4, LONGEST_LOOK)
            elif state.is_pending:
                # What was refused may pass by itself: soon asked again at first, ever less often then.
                rest = timedelta(seconds=self.desk.params.round_every_s)
                formed = state.numbers
                pause = FIRST_LOOK if formed != tried else min(pause * 4, LONGEST_LOOK)
                tried = formed
                self._rest(min(max(rest, pause), last_call - self.clock.now()))
            else:
                return

    def _book_flows(self, day: date) -> None:
        for flow in self._world.broker.cash_flows(day):
            self.kernel.take(flow, self.clock.now())

    def _at(self, at: datetime) -> None:
        self.clock.set_now(at)
        self._heard += self.exchange.advance(at)

    def _rest(self, pause: timedelta) -> None:
        """Let both times pass alike, as they do at speed 1."""
        self.clock.wait(pause.total_seconds())
        self._at(self.clock.now() + pause)

    def _turn(self, session: Session) -> None:
        now = self.clock.now()
        is_open = session.open_at <= now < session.close_at
        passed = TimePassed(
            session=session.day,
            open_at=session.open_at,
            close_at=session.close_at,
            is_open=is_open,
            monotonic_s=self.clock.monotonic(),
        )
        state = self.kernel.state
        if is_open != state.is_open or (is_open and state.session != session.day):
            self._turn_over(passed, now)  # the session opens or closes; what that asks for comes next
        self.kernel.take(passed, now)
        self._work()

    def _turn_over(self, passed: TimePassed, now: datetime) -> None:
        """Let a session open or close. There is one clock here, and so it agrees with the broker's."""
        self.kernel.take(passed, now)
        asked = [effect for effect in self._wanted if isinstance(effect, CompareClocks)]
        self._wanted.clear()
        for effect in asked:
            self.kernel.take(ClocksCompared(turn=effect.turn, ahead_s=0.0), now)
        self.kernel.take(passed, now)

    def _work(self) -> None:
        """Perform what is wanted, and what that leads to, until nothing is."""
        while self._wanted:
            effects = {key_of(effect): effect for effect in self._wanted}
            self._wanted.clear()
            for effect in effects.values():
                for event in self._performed(effect):
                    self.kernel.take(event, self.clock.now())

    def _performed(self, effect: Effect) -> Sequence[Event]:
        """Return what `perform` does; what is asked for every session comes by a shorter way."""
        if isinstance(effect, PollOrders):
            return self._news()
        if isinstance(effect, SampleAccount):
            return [self._broker.hours(), self._broker.sample()]
        return (isinstance(effect, FetchBars) and self._bars(effect)) or perform(effect, self._world)

    def _bars(self, effect: FetchBars) -> list[Event]:
        """Return the facts that `perform` would, none where something lacks and a word about it is due."""
        start = effect.session if effect.after is None else effect.after + timedelta(days=1)
        known = [closed for closed in self._feed.closed(start, effect.session) if closed.bars]
        is_whole = bool(known) and known[-1].session == effect.session
        return [*known, FeedRecovered(feed=OHLCV)] if is_whole else []

    def _news(self) -> list[Event]:
        """Return what the exchange said of orders since the last look, the latest word of each."""
        latest = {update.order_seq: update for update in self._heard}
        self._heard.clear()
        return [update_of(broker_order(update.order)) for update in latest.values()]


def is_calm(drawdown: Drawdown | None, switch: KillSwitch, limits: Limits) -> bool:
    """Return whether more samples at the same prices can move nothing that a decision hangs on.

    One sample that both sources bear out, no peak to confirm, no fall that comes near a cap, and no cap
    that has acted: the samples that would confirm it are then left out.
    """
    if drawdown is None or drawdown.doubt is not None:
        return False
    if switch.mode is not Mode.ACTIVE or switch.override_floor_frac is not None:
        return False
    is_peak = drawdown.seen_usd > drawdown.high_water_mark_usd
    return not is_peak and drawdown.seen_frac < CALM_SHARE * limits.soft_cap_frac


def _habits(desk: Desk) -> Habits:
    """Let a resting order take its share of the whole tape, of which the bars hold a part only."""
    usual = Habits()
    return replace(usual, participation_frac=usual.participation_frac / exact(desk.tape_share_frac))


@contextmanager
def _rare_collection() -> Iterator[None]:
    """Let the collector of cycles look a hundred times less often: it would walk the journal each time."""
    before = gc.get_threshold()
    gc.set_threshold(100 * before[0], *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
