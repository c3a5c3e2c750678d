"""A world with a story: days with faults drawn for each, people who act, a checker, and a healing."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

from qgtm.adapters.calendar import Session
from qgtm.adapters.chain import GENESIS
from qgtm.adapters.files import StateDir
from qgtm.core.errors import QgtmError
from qgtm.core.mode import Mode
from qgtm.engine.state import State, folded
from qgtm.live.run import live
from qgtm.ports import Head
from qgtm.simulation.checker import Checker, Violation, bounds_from
from qgtm.simulation.disk import Trouble
from qgtm.simulation.fault import CLASSES, classes_of
from qgtm.simulation.guard import Guard
from qgtm.simulation.people import People
from qgtm.simulation.process import Crashed, Life
from qgtm.simulation.rig import rig_on
from qgtm.simulation.trace import Mark
from qgtm.simulation.world import Violated, World

CALM_EVERY: Final = 4
SETTLED: Final = timedelta(minutes=30)  # of good weather, until both books must agree
BY_THE_CLOCK: Final = frozenset({"closed", "thin", "window"})
AFTER_CRASH: Final = timedelta(minutes=16)
LIMP_S: Final = 10.0  # a deed of a worker is heard of at the loop's next turn
TAMPERED: Final = {"": "untampered", "edited": "tampered"}
LAST_LOOK: Final = timedelta(minutes=1)


@dataclass
class Story(World):
    """The days of one seed.

    `until` is the number of the mark at which to stop, None for the end; `is_strict` stops at a violation.
    """

    until: int | None = None
    is_strict: bool = True
    only: frozenset[str] | None = None  # fault classes that are let through, None for all
    forced: frozenset[str] | None = None  # classes of every day that is not calm, None for drawn ones
    plan_of: Callable[[int], list[str]] | None = None  # the classes of each day, calm ones too
    checker: Checker = field(init=False)
    people: People = field(init=False)
    faults: list[tuple[datetime, str, tuple[str, ...]]] = field(init=False, default_factory=list)
    meddled: set[str] = field(init=False, default_factory=set)
    crash_in: int | None = None
    has_no_memory: bool = False  # whether the next crash is a MemoryError
    put_back: Callable[[], None] | None = None  # the journal's backup
    end_of_copy: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.checker = Checker(
            exchange=self.exchange,
            rows=self.disk.rows,
            bounds=bounds_from(self.config.path),
            lease_epoch=lambda: self.disk.lease_epoch,
            beat_s=self._beat_s,
            stop=self._violated,
        )
        self.listener = self._hear
        self.on_effect = self.count_down
        self._needs_until_s = 0.0
        self._usual_limits = self.config.limits
        self.people = People(self, Random(f"{self.seed} people"))
        self.people.begin()
        self.guard = Guard(
            line=self.line,
            disk=self.disk,
            exchange=self.exchange,
            weather=self.weather,
            note=self.note,
            chance=Random(f"{self.seed} watchdog"),
        )
        self.guard.start()
        self._obstacles: frozenset[str] = frozenset()
        self._good_since = self.begins_at
        self._weather_ends: dict[str, int] = {}
        self._spells = 0
        self._is_calm_today = False
        self._folded: tuple[Head, State] = (GENESIS, State())
        self.planned: list[str] = []
        plan = Random(f"{self.seed} plan")
        for number, session in enumerate(self.sessions):
            self._plan_day(number, session, plan)
            for at in edges_of(session):
                self.line.at(at, self.look_around)
        self.line.at(self.sessions[-1].close_at, self._heal)
        self.line.at(self.ends_at - timedelta(seconds=30), self._judge_healing)

    def run(self) -> None:
        """Live through all days, or up to the first thing that must not be; a copy ends here for good."""
        try:
            super().run()
        except BaseException as problem:
            if self.end_of_copy is None:
                raise
            self.checker.violations.append(Violation("V12", 0, "", repr(problem)))
        if self.end_of_copy is not None:
            self.end_of_copy()

    # -- the plan --------------------------------------------------------------------------

    def _plan_day(self, number: int, session: Session, plan: Random) -> None:
        is_calm = self.plan_of is None and number % CALM_EVERY == CALM_EVERY - 1
        self.line.at(session.open_at - timedelta(minutes=10), lambda: self._begin_day(number, is_calm))
        if not is_calm:
            drawn = classes_of(plan) if self.plan_of is None else self.plan_of(number)
            for name in drawn if self.forced is None else sorted(self.forced):
                own = Random(f"{self.seed} {number} {name}")
                if self.only is None or name in self.only:
                    self.planned.append(name)
                    CLASSES[name].plan(self, own, session)
        self.line.at(session.close_at - LAST_LOOK, lambda: self._end_day(is_calm))

    def _begin_day(self, number: int, is_calm: bool) -> None:
        self.note("day", number, is_calm)
        if is_calm:
            self._clear_weather()
        state, rig = self.state, self.rig
        is_clean = (
            state is not None
            and rig is not None
            and state.is_live
            and state.switch.mode is Mode.ACTIVE
            and not (state.switch.latches or state.breaks or state.broker_lost or state.feeds_failed)
            and not (self._obstacles - BY_THE_CLOCK or self.meddled_lately)
            and not any(not wish_taken for wish_taken in self._wishes_taken())
            and not (self.tape.splits or state.disabled or self.config.limits != self._usual_limits)
        )
        self._is_calm_today = is_calm and is_clean

    def _wishes_taken(self) -> list[bool]:
        state = self.state
        taken = 0 if state is None else state.command_id
        return [wish.command_id <= taken for wish in self.disk.wishes[-5:]]

    @property
    def meddled_lately(self) -> bool:
        """Return whether something was done of late that may still show."""
        return self.line.process_s < self._needs_until_s

    def _end_day(self, is_calm: bool) -> None:
        """Judge the day a minute before its close, when all that is wanted should be done."""
        self.look_around()
        state = self.state
        if state is None or self.rig is None:
            return
        is_good = not self._obstacles - {"thin", "window"} and self.line.venue_at - self._good_since > SETTLED
        if is_good and not state.live_orders and not self.exchange.desk.book.live:
            self.note("quiet")
            self.note("ramped", state.switch.ramp_step)
            self._replay()
        if is_calm and self._is_calm_today:
            fell = Decimal(0) if state.drawdown is None else state.drawdown.seen_frac
            self.note("calm day", max(fell, self._worst_fall(state)))

    def _worst_fall(self, state: State) -> Decimal:
        return Decimal(1) if state.switch.mode is not Mode.ACTIVE else Decimal(0)

    def _replay(self) -> None:
        """Fold the journal anew, whole and from the newest snapshot: both must give the live state.

        The whole one goes on from where the last such fold ended: rows that were folded never change.
        """
        rig = self.rig
        if rig is None or not hasattr(rig, "kernel"):
            return
        live_state = rig.kernel.state
        self._folded = (
            rig.journal.head(),
            folded((entry.event for entry in rig.journal.read(self._folded[0].seq)), self._folded[1]),
        )
        whole = self._folded[1]
        kept = rig.snapshots.load(State, rig.journal.hash_at)
        tail = folded((entry.event for entry in rig.journal.read(kept.head.seq)), kept.state)
        differing = [
            name
            for name in State.__dataclass_fields__
            if not _same(getattr(live_state, name), getattr(whole, name))
            or not _same(getattr(live_state, name), getattr(tail, name))
        ]
        self.note("replayed", not differing, ", ".join(differing))

    def _heal(self) -> None:
        """Let everything be well: two hours without a fault, after which the daemon must be itself again."""
        self.is_healing = True
        self._clear_weather()
        self.set_clock_error(0.0)
        self.set_tampered("")
        self.put_back_now()
        self.has_no_memory = False
        self.set_trouble("", 0.0)
        self.crash_in = None
        for symbol in sorted(self.exchange.desk.halts):
            self.exchange.resume(symbol, self.line.venue_at)
        self.start_again()
        self.note("healing")

    def move_to(self, folder: Path) -> None:
        """Go on with a copy of the machine's small files."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        self.folder = folder
        self.state_dir = StateDir(folder)

    def heal_now(self) -> None:
        """Let no further fault come, and end the world once it has had the time to be itself again."""
        self._heal()
        now = self.line.venue_at
        self.line.at(now + AFTER_CRASH, self._judge_healing)
        self.line.at(now + AFTER_CRASH + timedelta(seconds=1), self._end)

    def _judge_healing(self) -> None:
        state, rig = self.state, self.rig
        is_live = state is not None and rig is not None and state.is_live and self.life.is_alive
        needs: list[str] = []
        if state is not None:
            needs = [latch.value for latch in state.switch.latches]
            needs += [state.switch.mode.value] if state.switch.mode.value.startswith("halted") else []
        self.note("healed", is_live, tuple(needs))
        if is_live and state is not None and not state.live_orders:
            self.note("quiet")
            self._replay()

    # -- what faults do --------------------------------------------------------------------

    def strike(self, name: str, *about: str) -> None:
        """Write down that a fault strikes."""
        self.weather.note(name)
        self.faults.append((self.line.venue_at, name, about))
        self.note("fault", name, *about)

    def needs_seconds(self, seconds: float) -> None:
        """Let venue time run at its real speed for so long: process seconds matter now."""
        self._needs_until_s = max(self._needs_until_s, self.line.process_s + seconds)
        self.line.speed = 1.0

    @property
    def is_troubled(self) -> bool:
        """Return whether process seconds matter now."""
        state = self.state
        is_asked = state is not None and bool(state.authority.standing)
        return is_asked or self.line.process_s < self._needs_until_s or bool(self._obstacles - BY_THE_CLOCK)

    def plan_at(self, at: datetime, act: Callable[[], None]) -> None:
        """Plan a fault; it comes to nothing once the world heals."""
        self.line.at(at, lambda: None if self.is_healing else act())

    def set_weather(self, chances: Mapping[str, Any], seconds: float) -> None:
        """Set chances for a while; a later spell of the same kind outlasts an earlier one."""
        if self.is_healing:
            return
        self._spells += 1
        mine = self._spells
        for name, value in chances.items():
            setattr(self.weather, name, value)
            self._weather_ends[name] = mine
        self.strike("weather", *(f"{name} {value}" for name, value in chances.items()))
        self.needs_seconds(seconds + 30)
        self.look_around()
        if "stream_refused" in chances:
            self.drop_stream()  # what is refused is the way back

        def end() -> None:
            for name in chances:
                if self._weather_ends.get(name) == mine:
                    setattr(self.weather, name, type(self.weather).__dataclass_fields__[name].default)
            self.look_around()

        self.line.after(seconds, end)

    def _clear_weather(self) -> None:
        self.weather.clear()
        self.look_around()

    def set_clock_error(self, seconds: float) -> None:
        """Put the machine's clock wrong, or right."""
        self.clock_error_s = seconds
        if self.rig is not None:
            machine: Any = self.rig.machine
            machine.error_s = seconds
        self.look_around()

    def set_trouble(self, trouble: Trouble, seconds: float) -> None:
        """Let the disk fail for a while."""
        self.disk.trouble = trouble
        if not trouble:
            self.look_around()
            return
        self.strike("disk full" if trouble == "full" else "sync error")
        self.needs_seconds(seconds + 300)
        self.line.after(seconds, lambda: self.set_trouble("", 0.0))
        self.look_around()

    def set_tampered(self, what: str) -> None:
        """Change prints or code on the disk, or put them right."""
        if what != self.tampered:
            self.tampered = what
            self.strike(TAMPERED.get(what, "changed parameters"), what)
            self.look_around()

    def set_flipped(self, is_on: bool) -> None:
        """Hear that a bit of the journal has flipped, or that the backup was put back."""
        self.is_flipped = is_on
        self.note("flipped", is_on)
        self.look_around()

    def put_back_now(self) -> None:
        """Put the journal's backup back, where a bit has flipped."""
        if self.put_back is not None:
            back, self.put_back = self.put_back, None
            back()

    def drop_stream(self) -> None:
        """Break the stream's connection."""
        if self.rig is not None and hasattr(self.rig, "stream"):
            stream: Any = self.rig.stream
            stream.drop()

    def start_again(self) -> None:
        """Let a daemon that was stopped on purpose be started again."""
        self.is_down = False
        self.look_around()

    @property
    def is_fenced(self) -> bool:
        """Return whether the daemon lives, and somebody else has taken the lease from it."""
        return (
            self.life.is_alive
            and hasattr(self.rig, "lease")
            and self.disk.lease_lock is self.life
            and (self.rig is not None and not self.rig.lease.is_mine())
        )

    def restart(self) -> None:
        """Stop the daemon as a person does, and start it anew."""
        if self.rig is None:
            return
        self.note("restart")
        self.is_down = True
        self.rig.stop.set()
        self.rig.wake.set()
        self.line.after(20.0, self.start_again)

    def start_second(self) -> None:
        """Start a second daemon beside the first: it must not come up."""
        if not self.life.is_alive or self.is_down:
            return
        self.strike("second daemon")
        second = Life(-1)
        rig = rig_on(self, second, {})
        try:
            live(rig, lambda step: None)
            self.checker.broken("V16", "a second daemon came up beside the first")
        except QgtmError as problem:
            self.note("second refused", str(problem)[:60])
        finally:
            second.is_alive = False

    def count_down(self, number: int, what: str) -> None:
        """Die at the effect that a fault has chosen."""
        if self.crash_in is None:
            return
        self.crash_in -= 1
        if self.crash_in > 0:
            return
        self.crash_in = None
        self.note("killed at", what)
        if self.has_no_memory:
            self.has_no_memory = False
            self._is_dying(self.life)
            raise MemoryError
        raise Crashed

    def _is_dying(self, life: Life) -> None:
        """Hold that a process without memory is gone a moment later, and does not limp on."""

        def look() -> None:
            if life.is_alive and life.paused_until_s <= self.line.process_s:
                self.checker.broken("V25", f"life {life.number} goes on without memory")

        self.line.after(LIMP_S, look)

    # -- what stands in the way ------------------------------------------------------------

    def look_around(self) -> None:
        """Tell the checker what keeps the daemon from doing what it must."""
        weather, state, line = self.weather, self.state, self.line
        session = self.today
        names = {
            "down": self.is_down or not self.life_is_up,
            "paused": self.life_is_up and self.life.paused_until_s > line.process_s,
            "fenced": self.is_fenced,
            "weather": weather.is_bad,
            "clock": bool(self.clock_error_s),
            "watchdog": self.guard.paused_until_s > line.process_s,
            "disk": bool(self.disk.trouble),
            "tampered": bool(self.tampered) or self.is_flipped,
            "stream": weather.stream_refused
            or weather.stream_mute
            or (state is not None and state.broker_lost is not None),
            "closed": session is None or not session.open_at <= line.venue_at < session.close_at,
            "thin": self.exchange.desk.habits.partial_fill_frac > 0.5,
            "window": session is None or not is_in_window(session, line.venue_at),
        }
        found = frozenset(name for name, is_there in names.items() if is_there)
        if found - BY_THE_CLOCK:
            self._good_since = line.venue_at
        if found != self._obstacles:
            self._obstacles = found
            self.note("obstacles", *sorted(found))

    @property
    def life_is_up(self) -> bool:
        """Return whether a process is there and live."""
        state = self.state
        return hasattr(self, "life") and self.life.is_alive and state is not None and state.is_live

    def _beat_s(self) -> float | None:
        """Return when a daemon that may trade has last beaten; one that is fenced is watched no more."""
        beat = self.disk.beat
        return None if beat is None or beat.epoch < self.disk.lease_epoch else beat.monotonic_s

    # -- what the checker hears ------------------------------------------------------------

    def _hear(self, mark: Mark) -> None:
        self.checker.hear(mark)
        if mark.what == "fault":
            self._good_since = self.line.venue_at
        if self.until is not None and mark.number >= self.until:
            raise Violated

    def _violated(self, violation: Violation) -> None:
        if self.is_strict:
            raise Violated


def edges_of(session: Session) -> tuple[datetime, ...]:
    """Return the moments at which what the clock allows changes."""
    minute = timedelta(minutes=1)
    first, last = session.open_at, session.close_at
    return (first, first + 5 * minute, last - 10 * minute, last)


def is_in_window(session: Session, at: datetime) -> bool:
    """Return whether ordinary orders may go out: not in the first five minutes, nor in the last ten."""
    return session.open_at + timedelta(minutes=5) <= at < session.close_at - timedelta(minutes=10)


def _same(first: Any, second: Any) -> bool:
    return bool(first == second)
