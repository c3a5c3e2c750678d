"""The two operators: what they see in the record, and what they put into the inbox, in their own time."""

from random import Random
from typing import TYPE_CHECKING, Final

from qgtm.core.commands import (
    AcceptBreak,
    Acknowledge,
    Approve,
    Command,
    Enroll,
    Flatten,
    Halt,
    OpenRequest,
    OverrideSoft,
    Reject,
    RequestReset,
    RevokeOverride,
    SetLimits,
)
from qgtm.core.mode import Latch, Mode
from qgtm.core.request import Person, Proof, Request, challenge, token_hash
from qgtm.engine.state import State
from qgtm.simulation.authenticator import Authenticator

if TYPE_CHECKING:
    from qgtm.simulation.story import Story

LOOK_S: Final = 60.0
HALTED: Final = (Mode.HALTED_HARD, Mode.HALTED_DEAD_MAN)
LIMITS: Final = (("order_frac", "0.06"), ("order_frac", "0.09"), ("gross_frac", "1.2"), ("gross_frac", "2.4"))
AWAY_S: Final = 900.0
REASON: Final = "looked at both books and at the broker's own page"


class People:
    """OpA and OpB. They look about once a minute, and act on what the status says a person must do."""

    def __init__(self, world: "Story", chance: Random) -> None:
        self._world = world
        self._chance = chance
        site = f"http://localhost:{world.config.web.port}"
        self.keys = {
            person: Authenticator("localhost", site, world.seed * 2 + number + 1)
            for number, person in enumerate(Person)
        }
        self._old: list[Approve] = []  # approvals that have been used
        self.is_away = False

    def begin(self) -> None:
        """Look for the first time."""
        self._world.line.after(self._chance.uniform(1, LOOK_S), self._look)

    def _look(self) -> None:
        if not self.is_away:
            self._act()
        is_busy = self._chance.random() < 0.1  # with something else, for a while
        again_s = AWAY_S if is_busy else self._chance.uniform(LOOK_S / 2, LOOK_S * 2)
        self._world.line.after(again_s, self._look)

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
        self._act_on_switch(state)

    def _act_on_switch(self, state: State) -> None:
        if len(state.authority.ever) < len(self.keys):
            self._enroll()
        elif state.switch.mode in HALTED and self._chance.random() < 0.01:
            self.flatten(self._chance)  # to be quite sure
        elif state.switch.mode is Mode.HALTED_DEAD_MAN and state.is_flat_confirmed:
            self.put(Acknowledge(latch="dead_man", reason=REASON, by="OpA"), "OpA")
        elif state.switch.mode is Mode.REDUCING and self._chance.random() < 0.04:
            self.override(self._chance)
        elif standing := next(iter(state.authority.standing.values()), None):
            self._answer(standing.request)
        elif state.switch.mode is Mode.HALTED_HARD and state.cool_off and state.cool_off.left_s <= 0:
            self.put(RequestReset(reason=REASON, by="OpA"), "OpA")

    def _enroll(self) -> None:
        """Let each person's phone be known, as `qgtm operators enroll` does on the first day."""
        for person, key in self.keys.items():
            self.put(Enroll(credential=key.credential(person), by=person.value), person.value)

    def _answer(self, request: Request) -> None:
        """Let the other one open a request and approve it, or turn it down; now and then wrongly at first."""
        other = Person.OPB if request.by is Person.OPA else Person.OPA
        token = f"{self._chance.getrandbits(50):013X}"
        told = token_hash(token, request)
        self.put(OpenRequest(request_id=request.request_id, token_hash=told, by=other.value), other.value)
        if self._chance.random() < 0.1:
            self.put(Reject(request_id=request.request_id, reason="not today", by=other.value), other.value)
            return
        right = self._approval(request, told, other, self.keys[other].proof(challenge(request)))
        if self._chance.random() < 0.5:
            self._try_wrongly(request, told, other)
        self.put(right, other.value)
        if self._chance.random() < 0.3:
            self.put(right, other.value)  # a second tap: it must not count twice
        self._old.append(right)

    @staticmethod
    def _approval(request: Request, told: str, by: Person, proof: Proof) -> Approve:
        return Approve(request_id=request.request_id, token_hash=told, proof=proof, by=by.value)

    def _try_wrongly(self, request: Request, told: str, other: Person) -> None:
        """Try what must be refused: one's own yes, a wrong token, a yes to another text, an old one."""
        mine, theirs, signed = self.keys[request.by], self.keys[other], challenge(request)
        wrong = token_hash("WRONG", request)
        tries = [
            self._approval(request, told, request.by, mine.proof(signed)),
            self._approval(request, told, other, mine.proof(signed)),
            self._approval(request, wrong, other, theirs.proof(signed)),
            self._approval(request, told, other, theirs.proof(signed[::-1])),
            *self._old[-1:],
        ]
        attempt = self._chance.choice(tries)
        self.put(attempt, attempt.by)
        self._world.strike("wrong approval")

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

    def flatten(self, chance: Random) -> None:
        """Halt and close everything, as either may."""
        self.put(Flatten(reason="I do not like what I see there", by="OpA"), "OpA")
        self._world.strike("flatten by hand")

    def override(self, chance: Random) -> None:
        """Lift a soft cap, or take such a lift back; where there is none it comes to nothing."""
        if chance.random() < 0.7:
            reason = "the fall is one bad print of one fund, seen on two screens"
            self.put(OverrideSoft(reason=reason, by="OpA"), "OpA")
        else:
            self.put(RevokeOverride(reason="I would rather not", by="OpB"), "OpB")
        self._world.strike("override by hand")

    def set_limits(self, chance: Random) -> None:
        """Tighten a limit, or ask for a looser one, which waits for the other."""
        name, value = chance.choice(LIMITS)
        self.put(SetLimits(limits={name: value}, reason="as we agreed on the telephone", by="OpA"), "OpA")
        self._world.strike("limits by hand", name, value)

    def nonsense(self, chance: Random) -> None:
        """Give a command that must come to nothing."""
        commands: tuple[Command, ...] = (
            AcceptBreak(subject="GLD", reason="", by="OpA"),
            AcceptBreak(subject="ZZZZ", reason=REASON, by="OpA"),
            Acknowledge(latch="hard_cap", reason=REASON, by="OpA"),
            Acknowledge(latch="halted_hard", reason=REASON, by="OpA"),
            Acknowledge(latch="nothing", reason=REASON, by="OpB"),
            Acknowledge(latch="dead_man", reason=REASON, by="OpA"),
            RequestReset(reason=REASON, by="OpA"),
            RequestReset(reason=REASON, by="OpB"),
            *self._old[-1:],
        )
        self.put(chance.choice(commands), "OpA")
        self._world.strike("nonsense by hand")
