"""The two operators: what they see in the record, and what they put into the inbox, in their own time."""

from random import Random
from typing import TYPE_CHECKING, Final

from qgtm.core.commands import AcceptBreak, Acknowledge, Command, Halt
from qgtm.core.mode import Latch, Mode

if TYPE_CHECKING:
    from qgtm.simulation.story import Story

LOOK_S: Final = 60.0
REASON: Final = "looked at both books and at the broker's own page"


class People:
    """OpA and OpB. They look about once a minute, and act on what the status says a person must do."""

    def __init__(self, world: "Story", chance: Random) -> None:
        self._world = world
        self._chance = chance
        self._asked: set[tuple[str, ...]] = set()
        self.is_away = False

    def begin(self) -> None:
        """Look for the first time."""
        self._world.line.after(self._chance.uniform(1, LOOK_S), self._look)

    def _look(self) -> None:
        if not self.is_away:
            self._act()
        self._world.line.after(self._chance.uniform(LOOK_S / 2, LOOK_S * 2), self._look)

    def _act(self) -> None:
        """Do the one next thing that a person has to do, if there is any."""
        state = self._world.state
        if state is None or not state.is_live:
            return
        if self._world.is_fenced:
            self._world.restart()
            return
        for subject in sorted(state.breaks):
            self.put(AcceptBreak(subject=subject, reason=REASON, by="OpA"), "OpA")
            return
        for latch in state.switch.latches:
            if latch is Latch.BREAK or (latch is Latch.DISCONNECTED and state.broker_lost):
                continue
            self.put(Acknowledge(latch=latch.value, reason=REASON, by="OpA"), "OpA")
            return
        if state.switch.mode is Mode.HALTED_DEAD_MAN:
            self.put(Acknowledge(latch="dead_man", reason=REASON, by="OpA"), "OpA")

    def put(self, command: Command, by: str) -> None:
        """Give a command."""
        world = self._world
        number = world.disk.put(command, by, world.line.venue_at)
        world.note("command", number, type(command).__name__, by)

    def halt(self, chance: Random) -> None:
        """Stop new orders, as either may."""
        by = chance.choice(("OpA", "OpB"))
        self.put(Halt(reason="something looks wrong to me", by=by), by)
        self._world.strike("halt by hand", by)

    def nonsense(self, chance: Random) -> None:
        """Give a command that must come to nothing."""
        commands: tuple[Command, ...] = (
            AcceptBreak(subject="GLD", reason="", by="OpA"),
            AcceptBreak(subject="ZZZZ", reason=REASON, by="OpA"),
            Acknowledge(latch="hard_cap", reason=REASON, by="OpA"),
            Acknowledge(latch="halted_hard", reason=REASON, by="OpA"),
            Acknowledge(latch="nothing", reason=REASON, by="OpB"),
        )
        self.put(chance.choice(commands), "OpA")
        self._world.strike("nonsense by hand")
