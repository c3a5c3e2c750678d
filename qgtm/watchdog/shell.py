"""The thin shell around the kernel: it looks, makes the calls, writes the file, and tells people."""

import os
import sys
from collections import deque
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Final

from qgtm.core.instant import text_from_instant
from qgtm.watchdog import clock
from qgtm.watchdog.alarm import Alarm, channels
from qgtm.watchdog.deed import Action, Alert, Ask, Call, Note, TakeLease
from qgtm.watchdog.fact import Answer, NoAnswer, Refused
from qgtm.watchdog.folder import Folder
from qgtm.watchdog.kernel import Answered, Happened, State, step
from qgtm.watchdog.line import Line
from qgtm.watchdog.memory import Saved, fields_of, restored, saved
from qgtm.watchdog.place import Place

LOOK_S: Final = 0.5
BEAT_S: Final = 0.5  # of its own file, while nothing else changes
WAKE_S: Final = 0.1  # how late a call that takes too long is given up
LOG_LINES: Final = 20
CLOSE_S: Final = 3.0


@dataclass
class Shell:
    """Turn until told to stop. One thread decides; calls and alerts have threads of their own."""

    place: Place
    folder: Folder
    is_told: SimpleQueue[None] = field(default_factory=SimpleQueue)
    state: State = field(default_factory=State)
    beats: int = 0
    broker: str = "not asked yet"
    _answers: SimpleQueue[Answered] = field(default_factory=SimpleQueue)
    _log: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    _kept: Saved | None = None
    _word: str = ""
    _beat_s: float = 0.0
    _look_s: float = 0.0
    _problem: str = ""
    _boot_id: str = field(default_factory=clock.boot_id)
    _line: Line = field(init=False)
    _alarm: Alarm = field(init=False)

    def __post_init__(self) -> None:
        self._line = Line(self.place.url, self.place.keys, self._take)
        self._alarm = Alarm(channels(self.place.smtp_url, self.place.push_urls), self._say)

    def run(self) -> None:
        """Turn until a signal has put a word into `is_told`; an end of any other kind is told to people."""
        try:
            self._turn()
        finally:
            if self.is_told.empty():
                text = "The watchdog has ended by itself: nobody watches the daemon now. Start it again."
                self._tell(Alert(level="red", cause="watchdog", text=text))
            self._alarm.close(CLOSE_S)
            self._line.close()

    def _turn(self) -> None:
        kept = self.folder.load()
        self.state = restored(
            kept, self._boot_id, clock.monotonic(), self.place.settings, is_embedded=self.place.is_embedded
        )
        self._greet()
        while self.is_told.empty():
            now_s = clock.monotonic()
            if now_s - self._look_s >= LOOK_S:
                self._look_s = now_s
                self._feed(self.folder.look(clock.monotonic, clock.wall))
                self._save(is_due=clock.monotonic() - self._beat_s >= BEAT_S)
            self._hear()
        self._note("told to stop")
        self._save(is_due=True, is_ended=True)

    def _greet(self) -> None:
        limits = self.place.settings
        *early, last = (*limits.alerts_s, limits.flatten_s)
        where = "the embedded exchange" if self.place.is_embedded else self.place.url
        told = " and ".join(f"{at_s:g}" for at_s in early)
        self._note(
            f"watching {self.folder.root} on {where}: alerts at {told} s, everything closed at {last:g} s"
        )
        if self.state.out is not None and not self.state.out.is_over:
            self._note(f"going on with what was begun: {self.state.out.reason}")

    # -- events and actions ------------------------------------------------------------------

    def _hear(self) -> None:
        """Wait a moment for an answer, and take all that came."""
        self._line.check(clock.monotonic())
        try:
            answer = self._answers.get(timeout=WAKE_S)
            while True:
                self._heard(answer)
                answer = self._answers.get_nowait()
        except Empty:
            return

    def _take(self, call: Call, answer: Answer) -> None:
        self._answers.put(Answered(call, answer))

    def _heard(self, answered: Answered) -> None:
        failed = isinstance(answered.answer, NoAnswer | Refused)
        at = text_from_instant(clock.wall())[:19]
        self.broker = f"no answer, {at}Z" if failed else f"answered, {at}Z"
        self._feed(answered)

    def _feed(self, event: Happened) -> None:
        self.state, actions = step(self.state, event, clock.monotonic(), self.place.settings)
        # people first, then the file, and only then the world
        for action in actions:
            if isinstance(action, Alert | Note):
                self._tell(action)
        if saved(self.state) != self._kept or self.state.word != self._word:
            self._save(is_due=True)
        for action in actions:
            self._do(action)

    def _tell(self, action: Alert | Note) -> None:
        if isinstance(action, Note):
            self._note(action.text)
            return
        self._alarm.raise_(action, clock.wall())
        self._note(f"{action.level.upper()}: {action.text}")

    def _do(self, action: Action) -> None:
        if isinstance(action, Ask):
            self._line.ask(action.call, clock.monotonic())
        elif isinstance(action, TakeLease):
            self._feed(self.folder.take_lease(action.least, clock.wait))

    # -- what is kept ------------------------------------------------------------------------

    def _save(self, *, is_due: bool, is_ended: bool = False) -> None:
        kept, word = saved(self.state), self.state.word
        is_news = kept.out != (self._kept and self._kept.out) or word != self._word
        if not (is_due or is_news):
            return
        self.beats += 1
        now_s = clock.monotonic()
        fields = fields_of(
            self.state,
            self.place.settings,
            beat=self.beats,
            now_s=now_s,
            wall_at=clock.wall(),
            boot_id=self._boot_id,
            pid=os.getpid(),
            log=self._log,
            broker=self.broker,
            is_ended=is_ended,
        )
        try:
            self.folder.save(fields, is_durable=is_news or is_ended)
        except OSError as problem:
            self._trouble(f"{self.folder.state.name} cannot be written: {problem.strerror}")
        else:
            self._problem = ""
        self._kept, self._word, self._beat_s = kept, word, now_s

    def _trouble(self, text: str) -> None:
        if text != self._problem:
            self._problem = text
            self._note(f"{text}; going on without")

    def _note(self, text: str) -> None:
        self._log.append(f"{text_from_instant(clock.wall())[:19]}Z {text}")
        self._say(text)

    def _say(self, text: str) -> None:
        try:
            sys.stdout.write(f"{text_from_instant(clock.wall())[:19]}Z {text}\n")
            sys.stdout.flush()
        except OSError:  # a log that is full keeps nothing from being closed
            return
