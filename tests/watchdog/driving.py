"""The watchdog's mind driven on virtual time, with the exchange's core behind its own wire as the broker."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from qgtm.exchange.core import Exchange
from qgtm.exchange.gate import Gate, Now
from qgtm.exchange.wire import Request as WireRequest
from qgtm.watchdog import wire
from qgtm.watchdog.deed import Action, Alert, Ask, Call, Close, Note, TakeLease
from qgtm.watchdog.fact import Answer, KillWord, LeaseFailed, LeaseTaken, Looked, NoAnswer, Progress, Wish
from qgtm.watchdog.kernel import Answered, Happened, State, step
from qgtm.watchdog.setting import Settings

OPEN = datetime.fromisoformat("2024-03-11T14:30:00+00:00")  # an hour after the open
CALL_S = 0.05
KEYS = {"apca-api-key-id": "PKWATCH", "apca-api-secret-key": "secret"}


def progress(counter: int, epoch: int = 1, pid: int = 100) -> Progress:
    return Progress(boot_id="boot", pid=pid, epoch=epoch, counter=counter)


@dataclass
class Driver:
    """Feeds looks and answers; `asked` are all calls with their moments, venue time runs beside."""

    exchange: Exchange
    settings: Settings = field(default_factory=Settings)
    now_s: float = 1000.0
    wall_at: datetime = OPEN
    speed: float = 1.0
    progress: Progress | None = field(default_factory=lambda: progress(1))
    kill: KillWord | None = None
    wishes: tuple[Wish, ...] = ()
    epoch: int = 1
    lease_problem: str = ""
    state: State = field(default_factory=State)
    asked: list[tuple[float, Call]] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    spoil: Callable[[Call], Answer | None] = lambda call: None
    also: Callable[[Call], None] = lambda call: None
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self.gate = Gate(self.exchange)

    # -- time ----------------------------------------------------------------------------

    def wait(self, seconds: float, every_s: float = 0.5) -> None:
        """Let process time pass, a look at a time."""
        until_s = self.now_s + seconds
        while self.now_s < until_s - 1e-9:
            self.pass_s(min(every_s, until_s - self.now_s))
            self.look()

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        self.wall_at += timedelta(seconds=seconds)
        self.exchange.advance(self.exchange.now + timedelta(seconds=seconds * self.speed))

    def until(self, is_so: Callable[[], Any], within_s: float = 120.0) -> float:
        """Let time pass until something is so; return how long it took."""
        began_s = self.now_s
        while not is_so():
            assert self.now_s - began_s < within_s, f"not within {within_s} s: {self.notes[-5:]}"
            self.wait(0.5)
        return self.now_s - began_s

    # -- what it sees --------------------------------------------------------------------

    def look(self) -> None:
        self.feed(
            Looked(
                asked_s=self.now_s,
                wall_at=self.wall_at,
                progress=self.progress,
                kill=self.kill,
                wishes=self.wishes,
            )
        )

    def beat(self) -> None:
        assert self.progress is not None
        self.progress = replace(self.progress, counter=self.progress.counter + 1)

    def feed(self, event: Happened) -> None:
        self.state, actions = step(self.state, event, self.now_s, self.settings)
        for action in actions:
            self.do(action)

    def do(self, action: Action) -> None:
        if isinstance(action, Alert):
            self.alerts.append(action)
        elif isinstance(action, Note):
            self.notes.append(action.text)
        elif isinstance(action, TakeLease):
            self.take_lease(action.least)
        elif isinstance(action, Ask):
            self.asked.append((self.now_s, action.call))
            answer = self.answer(action.call)
            self.also(action.call)
            self.pass_s(CALL_S)
            self.feed(Answered(action.call, answer))

    def take_lease(self, least: int) -> None:
        if self.lease_problem:
            self.feed(LeaseFailed(self.lease_problem))
            return
        self.epoch = max(self.epoch, least) + 1
        self.feed(LeaseTaken(self.epoch))

    def answer(self, call: Call) -> Answer:
        spoilt = self.spoil(call)
        return self.at_broker(call) if spoilt is None else spoilt

    def at_broker(self, call: Call) -> Answer:
        request = wire.request_of(call)
        body = b"" if request.body is None else wire.json.dumps(request.body).encode()
        asked = WireRequest(request.method, request.path, dict(request.query), body, KEYS)
        reply = self.gate.reply(asked, Now(self.exchange.now, self.now_s, 1.7e9 + self.now_s))
        if reply.how in ("close", "reset", "cut"):
            return NoAnswer("the connection broke")
        return wire.answer_of(call, wire.Reply(reply.status, reply.headers, reply.content))

    # -- what came of it -----------------------------------------------------------------

    def calls(self, kind: type) -> list[Any]:
        return [call for _, call in self.asked if isinstance(call, kind)]

    def closes(self) -> list[Any]:
        return [call.order for call in self.calls(Close)]

    def held(self) -> dict[str, Decimal]:
        return {symbol: lot for symbol, lot in sorted(self.exchange.truth.positions().items()) if lot}

    def busiest_minute(self) -> int:
        moments = [at_s for at_s, _ in self.asked]
        return max((sum(at <= one < at + 60.0 for one in moments) for at in moments), default=0)
