"""A staged rig that lives: its clock is moved by hand, and its hands do at once what they are asked for."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from qgtm.adapters.clock import ManualClock
from qgtm.adapters.inbox import Inbox
from qgtm.core.commands import Command
from qgtm.core.effects import Effect
from qgtm.core.errors import QgtmError
from qgtm.core.events import TargetsSet
from qgtm.engine.state import State
from qgtm.live.daemon import Loop
from qgtm.live.hands import Answer, Wanted
from qgtm.live.perform import World, key_of
from qgtm.live.reconciliation import Books
from qgtm.live.rig import done
from tests.live.rigging import STARTED, Hands, Stage, StagedRig


class Doing(Hands):
    """Hands that do each thing once a turn, and answer at the next."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self._asked: set[str] = set()

    def start(self, effect: Wanted) -> None:
        if key_of(effect) in self._asked:
            return
        self._asked.add(key_of(effect))
        self.wanted.append(effect)
        try:
            found = done(effect, self.world)
        except QgtmError as problem:
            self.waiting.append(Answer(effect, problem=problem))
            return
        is_books = isinstance(found, Books)
        answer = Answer(effect, books=found) if isinstance(found, Books) else Answer(effect, found)
        self.waiting.append(answer if is_books or found else Answer(effect))

    def answers(self) -> list[Answer]:
        self._asked.clear()
        return super().answers()


@dataclass
class WalkingRig(StagedRig):
    """A rig on a clock that both times share."""

    walk: Any = field(kw_only=True)

    def open_clock(self) -> None:
        self.clock = self.walk.clock

    def connect(self) -> None:
        super().connect()
        world = World(self.broker, self.feed, self.clock, self.lease.is_mine, self.cool_off_s)
        self.hands = Doing(world)


@dataclass
class Walk:
    """A daemon that boots, lives turn by turn, and may be started again, over one exchange."""

    stage: Stage
    clock: Any = field(init=False)
    rig: WalkingRig = field(init=False)
    loop: Loop = field(init=False)

    def __post_init__(self) -> None:
        self.clock = ManualClock(STARTED, monotonic=1_000.0)

    def start(self) -> None:
        """Boot, as `qgtm daemon` does."""
        self.rig = WalkingRig(self.stage.rig().config, self.stage.state, {}, stage=self.stage, walk=self)
        assert self.stage.boot(self.rig)
        self.loop = Loop(self.rig)
        self.loop._compared_s, self.loop._compared_at = self.clock.monotonic(), self.clock.now()

        def perform(effect: Effect) -> None:
            if self.loop.may_start(effect):
                self.rig.hands.start(effect)

        self.rig.kernel.perform = perform

    def stop(self) -> None:
        """Let go of everything without a word, as a crash does."""
        self.rig.close()

    def pass_(self, seconds: float, step_s: float = 1.0) -> None:
        """Let time pass, a turn each `step_s`."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < until:
            self.clock.wait(step_s)
            self.stage.exchange.advance(self.clock.now())
            self.loop.turn()

    def command(self, command: Command, by: str = "OpA") -> None:
        """Give a command, and let it be taken."""
        with Inbox(self.stage.state.inbox) as inbox:
            inbox.put(command, by, self.clock.now())
        self.pass_(2)

    def want(self, **weights: float) -> None:
        """Let one strategy want these weights."""
        session = self.state.session or self.clock.now().date()
        wanted = TargetsSet(session=session, weights=weights, by_strategy={"tsmom": weights})
        self.rig.kernel.take(wanted, self.clock.now())

    @property
    def state(self) -> State:
        return self.rig.kernel.state

    @property
    def held(self) -> dict[str, Any]:
        return self.stage.exchange.truth.positions()
