"""One world: a machine with the daemon on it, the exchange, the operators, and what befalls them, day by day.

Everything is in one process and one thread, on virtual time. The daemon's own code runs from its boot to its
loop; where it would wait, the world goes on.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from requests.adapters import BaseAdapter

from qgtm.adapters.calendar import Session, xnys
from qgtm.adapters.files import StateDir
from qgtm.config import Config
from qgtm.core.errors import QgtmError
from qgtm.core.events import BootStepFinished
from qgtm.engine.state import State
from qgtm.exchange.core import Exchange
from qgtm.exchange.setting import Habits
from qgtm.live.reconciliation import ReadBooks
from qgtm.live.run import live
from qgtm.live.supervisor import FALLS_WITHIN_S, MOST_FALLS
from qgtm.risk.kill_switch import must_flatten
from qgtm.simulation.disk import Disk
from qgtm.simulation.process import Crashed, Life
from qgtm.simulation.rig import VirtualRig, rig_on
from qgtm.simulation.season import season_of, start_of
from qgtm.simulation.tape import FIRST, MARKETS, Tape, market_of
from qgtm.simulation.timeline import Timeline
from qgtm.simulation.trace import Mark, Trace
from qgtm.simulation.weather import Weather

CASH_USD: Final = Decimal(250_000)
EARLIEST, STARTS = (
    320,
    180,
)  # sessions before the first that may be lived through, and how many to choose from
HEALING: Final = timedelta(hours=2)
BEFORE, AFTER_OPEN = timedelta(minutes=6), timedelta(minutes=12)
BEFORE_CLOSE, AFTER_CLOSE = timedelta(minutes=12), timedelta(minutes=6)
HEALING_SPEED: Final = 20.0
FAST_OPEN, FAST_CLOSED = 240.0, 3_600.0  # venue seconds a process second while nothing is the matter
LIVE: Final = 8  # the boot's last step
RESTART_S: Final = 2.0
PERSON_S: Final = 240.0  # until a person has looked after a process that stays down


class Over(BaseException):
    """The world has come to its end."""


class Violated(BaseException):
    """Something happened that must never happen."""


Listener = Callable[[Mark], None]


@dataclass
class World:
    """Everything that lives through the days of one seed.

    `config` is the fund's, `folder` an empty one for the small files of the machine. `listener` hears each
    mark of the trace and may raise Violated.
    """

    seed: int
    days: int
    config: Config
    folder: Path
    listener: Listener = lambda mark: None
    adapter: Callable[..., BaseAdapter] | None = None
    line: Timeline = field(init=False)
    exchange: Exchange = field(init=False)
    disk: Disk = field(init=False, default_factory=Disk)
    weather: Weather = field(init=False, default_factory=Weather)
    trace: Trace = field(init=False, default_factory=Trace)
    sessions: tuple[Session, ...] = field(init=False)
    life: Life = field(init=False)
    rig: VirtualRig | None = field(init=False, default=None)
    lives: int = 0
    effects: int = 0
    tampered: str = ""  # what of the disk is not as it was deployed
    is_flipped: bool = False  # a bit of the journal
    clock_error_s: float = 0.0
    is_down: bool = False  # stopped on purpose: nobody starts it again
    is_calm: bool = False
    is_healing: bool = False
    on_effect: Callable[[int, str], None] | None = None
    edges: Counter[str] = field(init=False, default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = Random(f"{self.seed} faults")
        ways = Random(f"{self.seed} market")
        number = ways.randrange(MARKETS)
        market = market_of(number)
        calendar = xnys()
        known = [each.day for each in calendar.sessions(FIRST, FIRST + timedelta(days=900))]
        start = start_of(ways, known, known[EARLIEST : EARLIEST + STARTS], self.days)
        last = start + timedelta(days=2 * self.days + 10)
        self.sessions = tuple(calendar.sessions(start, last)[: self.days])
        self.begins_at = self.sessions[0].open_at - timedelta(minutes=20)
        self.ends_at = self.sessions[-1].close_at + HEALING
        self.exchange = Exchange(market, start=self.begins_at, seed=self.seed, cash=CASH_USD, habits=Habits())
        self.tape = Tape(number, self.exchange)
        self.line = Timeline(self.begins_at, self.exchange, self._pump)
        self.state_dir = _state_dir(self.folder)
        self._day: date | None = None
        self._session: Session | None = None
        self.falls_s: deque[float] = deque(maxlen=MOST_FALLS)
        for session in self.sessions:
            for at in (session.open_at - BEFORE, session.close_at - BEFORE_CLOSE):
                self.line.at(at, self._slow_down)
            self.line.at(session.open_at, partial(self._opens, session.day))
            for name in season_of(session.day):
                self.line.at(session.open_at, partial(self._season, name))
        self.line.at(self.ends_at, self._end)

    # -- the whole of it -------------------------------------------------------------------

    def run(self) -> None:
        """Live through all days. Raises Violated where the listener does."""
        try:
            while True:
                self._one_life()
                self._until_started_again()
        except Over:
            self.note("over")
        except Violated:
            return

    def _one_life(self) -> None:
        """Let one process boot and run to its end, however it comes."""
        self.lives += 1
        self.life = life = Life(self.lives)
        self.rig = rig = rig_on(self, life, {})
        self.note("tampered", bool(self.tampered))
        self.note("start", life.number)
        machine: Any = rig.machine
        machine.error_s = self.clock_error_s
        try:
            try:
                live(rig, self._hear_step)
                self.note("stopped", life.number)
                rig.close()
            except Crashed:
                self.note("crash", life.number)
            except MemoryError:
                self.note("no memory", life.number)
            except QgtmError as problem:
                self.note("fell", life.number, type(problem).__name__, self._placeless(str(problem)))
                if hasattr(rig, "lease"):
                    rig.lease.release()
            self._tell_switch(
                "left"
            )  # not of a run that is told to stop here: its last mark is what was asked for
        finally:
            rig.vanish()

    def _hear_step(self, step: BootStepFinished) -> None:
        self.note("step", step.number, step.is_ok, "" if step.is_ok else self._placeless(step.detail))
        if step.number == LIVE and step.is_ok:
            self._tell_switch("back")

    def _tell_switch(self, what: str) -> None:
        """Write down what a process that comes or goes knows of the switch and the peak."""
        state = self.state
        if state is not None and state.drawdown is not None and self.life.is_alive:
            switch = state.switch
            peak_usd = state.drawdown.high_water_mark_usd
            latches = tuple(latch.value for latch in switch.latches)
            self.note(what, switch.mode.value, latches, switch.ramp_step, peak_usd, switch.kill_epoch)

    def _placeless(self, text: str) -> str:
        """Return a text without the folder, which is another one each time while the trace is the same."""
        return text.replace(str(self.folder), "STATE")

    def _until_started_again(self) -> None:
        """Wait as the supervisor does: at once, or for a person after three falls in ten minutes."""
        self.look_around()
        self.line.speed = 1.0
        now_s = self.line.process_s
        self.falls_s.append(now_s)
        is_given_up = len(self.falls_s) == MOST_FALLS and now_s - self.falls_s[0] < FALLS_WITHIN_S
        if is_given_up:
            self.note("given up")
            self.falls_s.clear()
        self.line.advance(PERSON_S if is_given_up else RESTART_S)
        while self.is_down:
            self.line.advance(1.0)

    # -- the ground that a rig stands on ---------------------------------------------------

    def note(self, what: str, *about: object) -> Mark:
        """Write down that something happened, and let the checker hear it."""
        mark = self.trace.note(self.line.process_s, self.line.venue_at, what, *about)
        self.listener(mark)
        return mark

    def effect(self, what: str, life: Life) -> None:
        """Count an effect of a process; a crash may fall here."""
        if not life.is_alive:
            raise Crashed
        self.effects += 1
        if what == "committed":
            self.note("head", self.disk.head.seq, self.disk.head.hash)
        if self.on_effect is not None:
            self.on_effect(self.effects, what)

    def request(self, stage: str, method: str, order_id: str, outcome: str, life: Life) -> None:
        """Note a request; writes are effects, reads are not."""
        if not method.startswith("GET"):
            self.note(stage, method, life.number, order_id, outcome)
            self.effect(f"{stage} {method}", life)
        elif stage == "send":
            self.note("read", method, life.number)

    def doing(self, effect: object, is_over: bool) -> None:
        """Note when both books are being read: nothing may be changed meanwhile."""
        if isinstance(effect, ReadBooks):
            self.note("comparing", not is_over)

    def rest(self, seconds: float, is_enough: Callable[[], bool], life: Life) -> None:
        """Let time pass for the daemon's loop: until it rings, or its next turn has something to do."""
        if not life.is_alive:
            raise Crashed
        line = self.line
        self.look_around()
        if not is_enough():
            line.speed = self._pace()
            line.advance(self._idle_s(seconds), is_enough)
        self._sit_out_pause(life)

    def _sit_out_pause(self, life: Life) -> None:
        line = self.line
        while life.is_alive and life.paused_until_s > line.process_s:
            line.speed = 1.0
            line.advance(life.paused_until_s - line.process_s)
        if not life.is_alive:
            raise Crashed

    # -- how fast --------------------------------------------------------------------------

    @property
    def state(self) -> State | None:
        """Return the daemon's state, None before it has one."""
        return getattr(getattr(self.rig, "kernel", None), "state", None)

    def is_hot(self) -> bool:
        """Return whether so much is the matter that every second counts."""
        state, rig = self.state, self.rig
        if state is None or rig is None or not state.is_live or not hasattr(rig, "stream"):
            return True
        is_cut_off = not rig.stream.is_listening or rig.is_resync_due or state.broker_lost is not None
        is_flattening = (
            must_flatten(state.switch)
            and state.is_open
            and any(position.quantity for position in state.positions.values())
        )
        return bool(state.live_orders) or is_cut_off or is_flattening or self.is_troubled

    @property
    def is_troubled(self) -> bool:
        """Return whether something is planned that needs real time."""
        return False

    def look_around(self) -> None:
        """See what stands in the way of the daemon."""

    @property
    def today(self) -> Session | None:
        """Return today's session, None on a closed day."""
        day = self.line.venue_at.date()
        if day != self._day:
            self._day, self._session = day, xnys().session_on(day)
        return self._session

    @property
    def _is_open_by_calendar(self) -> bool:
        session = self.today
        return session is not None and session.open_at <= self.line.venue_at < session.close_at

    def _pace(self) -> float:
        now = self.line.venue_at
        if self.is_hot():
            return 1.0
        if self.is_healing:
            return HEALING_SPEED
        session = self.today
        if session is None or not session.open_at - BEFORE <= now < session.close_at + AFTER_CLOSE:
            return FAST_CLOSED
        if now < session.open_at + AFTER_OPEN or now >= session.close_at - BEFORE_CLOSE:
            return 1.0
        return FAST_OPEN

    def _slow_down(self) -> None:
        self.line.speed = 1.0

    def _opens(self, session: date) -> None:
        self.note("opens", session)

    def _season(self, name: str) -> None:
        self.weather.note(name)
        self.note("season", name)

    def _idle_s(self, asked_s: float) -> float:
        """Return how long the loop may rest: a turn with nothing to do is not taken."""
        state, rig = self.state, self.rig
        if state is None or rig is None or not state.is_live or asked_s > 1.0:
            return asked_s
        if state.live_orders or not rig.stream.is_listening or rig.is_resync_due:
            return 0.5
        if self.is_hot():
            return 2.0
        session = self.today
        is_near = session is not None and session.open_at - BEFORE <= self.line.venue_at < session.open_at
        is_open = state.is_open or self._is_open_by_calendar  # the broker may have closed it for a while
        rest_s = 10.0 if is_open else 2.0 if is_near else 60.0
        if state.sampled_at_s is not None:
            rest_s = min(
                rest_s,
                max(asked_s, state.sampled_at_s + (10.0 if is_open else 600.0) - self.line.process_s),
            )
        return rest_s

    # -- the exchange ----------------------------------------------------------------------

    def _pump(self) -> None:
        """Let happen what is due at the exchange, and let the stream tell of it."""
        updates = self.exchange.advance(self.line.venue_at)
        for update in updates:
            execution = update.execution
            if execution is not None:
                self.note(
                    "fill",
                    execution.client_order_id,
                    execution.symbol,
                    execution.side,
                    execution.qty,
                    execution.price,
                )
        if updates and self.rig is not None and hasattr(self.rig, "stream"):
            stream: Any = self.rig.stream
            stream.hear(len(updates))

    def _end(self) -> None:
        raise Over


def _state_dir(folder: Path) -> StateDir:
    made = StateDir(folder)
    made.root.mkdir(parents=True, exist_ok=True)
    return made
