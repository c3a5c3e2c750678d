"""Recorded bars through the same step, risk and exchange core as live, in virtual time.

A session is walked as the daemon would live it: open, settle, rounds of orders until the targets are
reached, a sample of the account at the close, then the session's bars and the views for the next open.
Nothing looks past the session being walked, so a longer folder gives the same journal up to its last day.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from qgtm import __version__
from qgtm.adapters.clock import ManualClock
from qgtm.core.effects import Effect, Submit
from qgtm.core.errors import MarketError
from qgtm.core.events import Booted, CashMoved, TimePassed, WentLive
from qgtm.core.universe import SYMBOLS
from qgtm.engine.live_loop import Desk
from qgtm.exchange.core import Exchange
from qgtm.exchange.market.port import Market, Session
from qgtm.features.history import History
from qgtm.live.kernel import Kernel
from qgtm.live.perform import World, key_of, perform
from qgtm.ports import Journal
from qgtm.simulation.direct import DirectBroker, DirectFeed

MOST_TURNS: Final = (
    600  # of one session; a session that needs more is cut, and says so by its unfilled orders
)
REST: Final = timedelta(seconds=30)  # between two looks at orders that rest
AFTER_CLOSE: Final = timedelta(minutes=5)

Progress = Callable[[date], None]


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

    def __post_init__(self) -> None:
        first = next(iter(self.market.sessions(self.start, self.start + timedelta(days=14))), None)
        if first is None:
            raise MarketError(f"there is no session within two weeks of {self.start}; choose another --from")
        begin = first.open_at - timedelta(hours=1)
        self.clock = ManualClock(begin)
        self.exchange = Exchange(self.market, start=begin, seed=self.seed, cash=self.cash_usd)
        feed = DirectFeed(self.market, self.clock)
        broker = DirectBroker(self.exchange, self.market, self.clock)
        self._world = World(broker, feed, self.clock, lambda: True)
        self.kernel = Kernel(self.desk, self.history, self.journal, self._wanted.append)

    def warm_up(self, sessions: Sequence[Session]) -> None:
        """Let the history hold the bars of sessions before the first that trades."""
        feed = self._world.feed
        for session in sessions:
            self.clock.set_now(max(self.clock.now(), session.close_at))
            for bars in feed.daily(SYMBOLS, session.day, session.day):
                rows = {s: (b.open, b.high, b.low, b.close, b.volume) for s, b in bars.bars.items()}
                self.history.append(session.day, rows)

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

    def walk(self, session: Session) -> None:
        """Live through one session, from its open to the views after its close."""
        self._move_to(session.open_at)
        self._turn(session)
        self._move_to(session.open_at + timedelta(seconds=self.desk.params.settle_s))
        for _ in range(MOST_TURNS):
            self._turn(session)
            pause = self._pause(session)
            if pause is None:
                break
            self._move_to(self.clock.now() + pause)
        self._move_to(session.close_at)
        self._turn(session)
        self._move_to(session.close_at + AFTER_CLOSE)
        self._turn(session)

    def _pause(self, session: Session) -> timedelta | None:
        """Return how long to wait before the next turn, None when the session holds no more work."""
        state, now = self.kernel.state, self.clock.now()
        if now >= session.close_at - REST:
            return None
        if state.live_orders:
            soon = max(self.exchange.next_at - now, timedelta(seconds=1))
            return min(soon, REST)
        is_over = now > session.close_at - timedelta(seconds=self.desk.params.last_call_s)
        return None if not state.is_pending or is_over else timedelta(seconds=self.desk.params.round_every_s)

    def _move_to(self, at: datetime) -> None:
        self.clock.wait((at - self.clock.now()).total_seconds())
        self.exchange.advance(self.clock.now())

    def _turn(self, session: Session) -> None:
        now = self.clock.now()
        passed = TimePassed(
            session=session.day,
            open_at=session.open_at,
            close_at=session.close_at,
            is_open=session.open_at <= now < session.close_at,
            monotonic_s=self.clock.monotonic(),
        )
        before = self.kernel.state
        self.kernel.take(passed, now)
        if self.kernel.state is not before:  # the session opened or closed: look again at what that asks for
            self.kernel.take(passed, now)
        self._work()

    def _work(self) -> None:
        """Perform what is wanted, and what that leads to, until nothing is."""
        while self._wanted:
            effects = list({key_of(effect): effect for effect in self._wanted}.values())
            self._wanted.clear()
            for effect in effects:
                for event in perform(effect, self._world):
                    self.kernel.take(event, self.clock.now())
            if any(isinstance(effect, Submit) for effect in effects):
                self.exchange.advance(self.clock.now())
