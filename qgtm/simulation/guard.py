"""The watchdog in a world: its own kernel and its own words on the wire, on the world's time.

What it reads is the machine's disk, whom it asks is the exchange; nothing of the daemon stands in between.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any, Final

from qgtm.core.instant import text_from_instant
from qgtm.exchange.core import Exchange
from qgtm.exchange.wire import Request, handle
from qgtm.simulation.disk import Disk
from qgtm.simulation.timeline import Timeline
from qgtm.simulation.weather import Weather
from qgtm.watchdog.deed import Alert, Ask, Call, Close, Note, TakeLease
from qgtm.watchdog.fact import Answer, KillWord, LeaseTaken, Looked, NoAnswer, Progress, Wish
from qgtm.watchdog.kernel import Answered, Happened, State, step
from qgtm.watchdog.memory import fields_of, restored
from qgtm.watchdog.setting import Settings
from qgtm.watchdog.watch import SAFER
from qgtm.watchdog.wire import Reply, answer_of, request_of

LOOK_S: Final = 2.0
SAVE_S: Final = 30.0
CALL_S: Final = 0.03
LIMIT_S: Final = 4.8
BOOT_ID: Final = "virtual"
KEYS: Final = {"apca-api-key-id": "PKWATCHDOG", "apca-api-secret-key": "any"}


@dataclass
class Guard:
    """One watchdog process. It may be paused, or killed and started again, as the daemon may."""

    line: Timeline
    disk: Disk
    exchange: Exchange
    weather: Weather
    note: Callable[..., object]
    chance: Random
    settings: Settings = field(default_factory=Settings)
    state: State = field(default_factory=State)
    paused_until_s: float = 0.0
    beats: int = 0
    _life: int = 0
    _saved_s: float = float("-inf")
    _word: str = ""
    _log: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    def start(self) -> None:
        """Begin, or begin again with what the file holds."""
        self._life += 1
        self.state = restored(self._kept(), BOOT_ID, self.line.process_s, self.settings, is_embedded=False)
        self._look(self._life)

    def _kept(self) -> dict[str, Any] | None:
        return json.loads(self.disk.watchdog) if self.disk.watchdog else None

    # -- looks -----------------------------------------------------------------------------

    def _look(self, life: int) -> None:
        if life != self._life:
            return
        rest_s = self.paused_until_s - self.line.process_s
        if rest_s > 0:
            self.line.after(rest_s, lambda: self._look(life))
            return
        self._feed(self._seen())
        self._save()
        self.line.after(LOOK_S, lambda: self._look(life))

    def _seen(self) -> Looked:
        beat = self.disk.beat
        progress = None
        if beat is not None:
            progress = Progress(boot_id=beat.boot_id, pid=beat.pid, epoch=beat.epoch, counter=beat.counter)
        kill = _kill(self.disk.kill) if self.disk.kill else None
        return Looked(
            asked_s=self.line.process_s,
            wall_at=self.line.venue_at,
            progress=progress,
            kill=kill,
            wishes=tuple(
                Wish(command_id=wish.command_id, kind=wish.kind, by=wish.by)
                for wish in self.disk.wishes
                if wish.kind in SAFER and kill is not None
            ),
        )

    # -- deeds -----------------------------------------------------------------------------

    def _feed(self, event: Happened) -> None:
        before = self.state.out
        self.state, actions = step(self.state, event, self.line.process_s, self.settings)
        out = self.state.out
        if out is not None and (before is None or before.began_s != out.began_s):
            self.note("fires", str(out.act), out.reason)
        if out is not None and before is not None and out.is_over and not before.is_over:
            self.note("watchdog over", str(out.act))
        for action in actions:
            if isinstance(action, Alert):
                self.note("watchdog alert", action.level, action.cause)
                self._log.append(f"{action.level}: {action.text}")
            elif isinstance(action, Note):
                self._log.append(action.text)
        self._save(is_due=self.state.word != self._word)
        for action in actions:
            if isinstance(action, Ask):
                self._ask(action.call)
            elif isinstance(action, TakeLease):
                epoch = self.disk.take_epoch("watchdog", action.least)
                self.note("watchdog lease", epoch)
                self._feed(LeaseTaken(epoch))

    def _ask(self, call: Call) -> None:
        life, weather, chance = self._life, self.weather, self.chance
        wanted = request_of(call)
        self.note("watchdog call", wanted.method, wanted.path)
        late_s, problem = CALL_S, ""
        if weather.strikes("refused", chance) or weather.revoked or weather.strikes("failing", chance):
            problem = "ConnectionError"
        elif weather.strikes("hang", chance):
            late_s, problem = LIMIT_S, "ReadTimeout"
        if problem:
            self.line.after(late_s, lambda: self._answered(life, call, NoAnswer(problem)))
        else:
            self.line.after(CALL_S / 2 + weather.slow_s / 2, lambda: self._arrive(life, call))

    def _arrive(self, life: int, call: Call) -> None:
        """Let a request reach the exchange, whether or not its sender is still there."""
        wanted, weather = request_of(call), self.weather
        body = b"" if wanted.body is None else json.dumps(wanted.body).encode()
        request = Request(wanted.method, wanted.path, wanted.query, body, KEYS)
        response = handle(self.exchange, request, self.line.venue_at)
        if isinstance(call, Close) and response.status == 200:
            order = call.order
            about = (order.client_order_id, order.symbol, order.side.value, order.quantity)
            self.note("watchdog order", *about)
        spoilt = any(weather.strikes(name, self.chance) for name in ("lost", "gateway", "garbled"))
        reply = Reply(response.status, response.headers, response.content())
        answer = NoAnswer("no whole answer") if spoilt else answer_of(call, reply)
        self.line.after(CALL_S / 2 + weather.slow_s / 2, lambda: self._answered(life, call, answer))

    def _answered(self, life: int, call: Call, answer: Answer) -> None:
        if life != self._life:
            return
        rest_s = self.paused_until_s - self.line.process_s
        if rest_s > 0:
            self.line.after(rest_s, lambda: self._answered(life, call, answer))
        else:
            self._feed(Answered(call, answer))

    # -- what is kept ----------------------------------------------------------------------

    def _save(self, *, is_due: bool = False) -> None:
        now_s = self.line.process_s
        if not is_due and now_s - self._saved_s < SAVE_S:
            return
        self._word, self._saved_s = self.state.word, now_s
        self.beats += 1
        fields = fields_of(
            self.state,
            self.settings,
            beat=self.beats,
            now_s=now_s,
            wall_at=self.line.venue_at,
            boot_id=BOOT_ID,
            pid=0,
            log=self._log,
            broker=f"asked, {text_from_instant(self.line.venue_at)}",
        )
        self.disk.watchdog = json.dumps(fields).encode("ascii")

    def die(self) -> None:
        """End without a word; the file stays."""
        self._life += 1


@lru_cache(maxsize=4)
def _kill(content: bytes) -> KillWord:
    body = json.loads(content)
    return KillWord(mode=body["mode"], kill_epoch=int(body["kill_epoch"]), command_id=int(body["command_id"]))
