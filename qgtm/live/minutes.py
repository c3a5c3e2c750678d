"""Listen to the session's minutes and halts; where the stream is silent, ask for the last ones.

A stream is a hint: nothing is decided on what arrives here. It says whether prices come while the market is
open, which daily bars tell a day too late.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Lock
from typing import Final

from qgtm.adapters.alpaca_wire import MinuteBar, TradingStatus
from qgtm.adapters.calendar import Calendar
from qgtm.adapters.fetch import Clock
from qgtm.adapters.minute_tape import Halted, MinuteTape, save_tape
from qgtm.core.errors import QgtmError
from qgtm.core.series import MINUTE_ROOTS

LOOK_S: Final = 0.5
WRITE_S: Final = 1.0
ASK_S: Final = 10.0  # of process time, from one question to the next
GRACE_S: Final = 5.0  # of process time: a minute's way here, the file, and its reader's pace
MINUTE: Final = timedelta(minutes=1)
LAST: Final = timedelta(minutes=5)
# The tapes' own codes: A and B in figures, C in letters. All others tell of prices while it stands still.
HALTS: Final = frozenset({"2", "H", "P"})
RESUMES: Final = frozenset({"3", "T"})
Ask = Callable[[datetime, datetime], Mapping[str, datetime]]


class MinuteWatch:
    """Keep the file of minutes. `heard`, `listens` and `broke` may be called from any thread.

    `ask` returns the end of each root's newest minute between two moments, or raises QgtmError; `speed` is
    venue seconds a second. Raises ConfigError when venue time cannot be read yet.
    """

    def __init__(self, path: Path, clock: Clock, calendar: Calendar, ask: Ask, speed: float = 1.0) -> None:
        self._path = path
        self._clock = clock
        self._calendar = calendar
        self._ask = ask
        self._lock = Lock()
        self._tape = MinuteTape(since=clock.now(), grace=timedelta(seconds=GRACE_S * speed))
        self._written: MinuteTape | None = None
        self._written_s = self._asked_s = float("-inf")

    @property
    def tape(self) -> MinuteTape:
        """Return what has been heard."""
        with self._lock:
            return self._tape

    def heard(self, one: MinuteBar | TradingStatus) -> None:
        """Take a minute, or a halt or its end."""
        with self._lock:
            if isinstance(one, MinuteBar):
                self._tape = _with_minutes(self._tape, {one.symbol: one.start_at + MINUTE})
            else:
                self._tape = _with_status(self._tape, one, self._clock.now())

    def listens(self) -> None:
        """Note that the stream listens."""
        self._say("")

    def broke(self, reason: str) -> None:
        """Note that the stream broke; it is made anew by itself."""
        self._say(f"the stream of minutes broke: {reason}")

    def run(self, stop: Event) -> None:
        """Write down what changes, and ask where nothing comes, until `stop` is set."""
        while not stop.is_set():
            self.look()
            stop.wait(LOOK_S)

    def look(self) -> None:
        """Ask once when the minutes are late, and write down what changed. Raises nothing."""
        try:
            now, now_s = self._clock.now(), self._clock.monotonic()
            if now_s - self._asked_s >= ASK_S and self._is_late(now):
                self._asked_s = now_s
                found = self._ask(now - LAST, now)
                with self._lock:
                    self._tape = _with_minutes(self._tape, found)
        except (QgtmError, OSError) as problem:
            self._say(str(problem))
        self._write()

    def _is_late(self, now: datetime) -> bool:
        tape = self.tape
        is_late = any(now > tape.due_at(root) - tape.grace for root in MINUTE_ROOTS)
        return is_late and self._calendar.is_open(now)

    def _say(self, problem: str) -> None:
        with self._lock:
            self._tape = replace(self._tape, problem=problem[:400])

    def _write(self) -> None:
        tape, now_s = self.tape, self._clock.monotonic()
        if tape == self._written or now_s - self._written_s < WRITE_S:
            return
        self._written_s = now_s
        try:
            save_tape(self._path, tape)
            self._written = tape
        except (QgtmError, OSError) as problem:
            self._say(str(problem))


def newest(minutes: Mapping[str, Sequence[datetime]]) -> dict[str, datetime]:
    """Return the end of each symbol's newest minute."""
    return {symbol: max(ends) for symbol, ends in minutes.items() if ends}


def _with_minutes(tape: MinuteTape, found: Mapping[str, datetime]) -> MinuteTape:
    later = {symbol: at for symbol, at in found.items() if at > tape.ended.get(symbol, tape.since - LAST)}
    return replace(tape, ended={**tape.ended, **later}) if later else tape


def _with_status(tape: MinuteTape, told: TradingStatus, now: datetime) -> MinuteTape:
    halted = {symbol: each for symbol, each in tape.halted.items() if symbol != told.symbol}
    if told.code in HALTS:
        was = tape.halted.get(told.symbol)
        halted[told.symbol] = was or Halted(since=told.at or now, reason=told.reason)
    elif told.code not in RESUMES:
        return tape
    return replace(tape, halted=halted)
