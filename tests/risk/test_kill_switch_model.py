"""The kill switch against a second one, written from the decisions alone, over any course of events."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from qgtm.core.mode import Latch, Mode, Trigger
from qgtm.risk.kill_switch import (
    KillSwitch,
    latched,
    may_grow,
    may_reduce,
    moved,
    must_flatten,
    override_ended,
    session_opened,
    size_frac,
    trigger_for,
    unlatched,
)
from tests.risk.making import LIMITS, NOON


@dataclass
class Model:
    """What the decisions say, in whole percent and points, with no table."""

    soft: bool = False  # past the soft cap, and not recovered
    override: int | None = None  # in tenths of a percent: the fall at which it ends
    halt: str = ""
    halts: int = 0
    halvings: int = 0
    ramp: list[int] = field(default_factory=lambda: [100])  # what each session from now on allows
    counted: date | None = None
    on: set[Latch] = field(default_factory=set)

    def falls(self, tenths: int) -> None:
        if self.halt == "hard":
            return
        if tenths >= 120:
            self.stop("hard")
        elif self.halt:
            return
        elif tenths < 60:
            self.soft, self.override = False, None
        elif self.soft and self.override is not None:
            if tenths >= self.override:
                self.override = None
        elif tenths >= 80 and not self.soft:
            self.soft = True
            self.halvings += 1

    def stop(self, halt: str) -> None:
        if self.halt != "hard" and self.halt != halt:
            self.halt, self.halts = halt, self.halts + 1
            self.soft, self.override = False, None

    def overrides(self, tenths: int) -> None:
        if self.soft and self.override is None and not self.halt:
            self.override = tenths + 10

    def closes(self) -> None:
        if self.override is not None:
            self.override = 0  # whatever the fall, unless it has recovered

    def resets(self, today: date) -> None:
        if self.halt == "hard":
            self.halt, self.ramp, self.counted = "", [50, 60, 70, 80, 90, 100], today

    def opens(self, day: date) -> None:
        if self.grows and len(self.ramp) > 1 and (self.counted is None or day > self.counted):
            self.ramp, self.counted = self.ramp[1:], day

    @property
    def is_halved(self) -> bool:
        return self.soft and self.override is None

    @property
    def grows(self) -> bool:
        return not (self.halt or self.on or self.is_halved)

    @property
    def size(self) -> int:
        return 0 if self.halt or self.on else min(50 if self.is_halved else 100, self.ramp[0])


class Both(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.switch, self.model = KillSwitch(), Model()
        self.tenths, self.day = 0, NOON.date()

    def settle(self) -> None:
        fall = Decimal(self.tenths) / 1000
        while trigger := trigger_for(self.switch, fall, LIMITS):
            self.switch = moved(self.switch, trigger, NOON, fall)
        self.model.falls(self.tenths)

    @rule(tenths=st.one_of(st.integers(0, 200), st.sampled_from([59, 60, 79, 80, 119, 120])))
    def fall(self, tenths: int) -> None:
        self.tenths = tenths
        self.settle()

    @rule()
    def override(self) -> None:
        if self.tenths < 120:
            self.switch = moved(self.switch, Trigger.OVERRIDDEN, NOON, Decimal(self.tenths) / 1000)
            self.model.overrides(self.tenths)

    @rule()
    def close(self) -> None:
        self.switch = override_ended(self.switch)
        self.model.closes()
        self.settle()

    @rule(days=st.integers(0, 3))
    def open(self, days: int) -> None:
        self.day += timedelta(days=days)
        self.switch = session_opened(self.switch, self.day)
        self.model.opens(self.day)

    @rule(by=st.sampled_from(["hard", "dead"]))
    def halt(self, by: str) -> None:
        trigger = Trigger.OPERATOR if by == "hard" else Trigger.HEARTBEAT_LOST
        self.switch = moved(self.switch, trigger, NOON)
        self.model.stop(by)

    @rule()
    def reset(self) -> None:
        at = NOON + (self.day - NOON.date())
        before = self.switch
        self.switch = moved(before, Trigger.RESET_CONFIRMED, at)
        self.model.resets(self.day)
        if self.switch is not before:  # the peak restarts with the reset
            self.tenths = 0

    @rule()
    def resume(self) -> None:
        self.switch = moved(self.switch, Trigger.RESUMED, NOON)
        if self.model.halt == "dead":
            self.model.halt = ""

    @rule(latch=st.sampled_from(Latch), is_on=st.booleans())
    def latch(self, latch: Latch, is_on: bool) -> None:
        self.switch = latched(self.switch, latch) if is_on else unlatched(self.switch, latch)
        (self.model.on.add if is_on else self.model.on.discard)(latch)

    @invariant()
    def agree(self) -> None:
        mode = {"hard": Mode.HALTED_HARD, "dead": Mode.HALTED_DEAD_MAN}.get(self.model.halt)
        assert self.switch.mode is (mode or (Mode.REDUCING if self.model.is_halved else Mode.ACTIVE))
        assert 100 * size_frac(self.switch) == self.model.size
        assert may_grow(self.switch) is self.model.grows
        assert may_reduce(self.switch) is not bool(self.model.on - {Latch.OPERATOR_HALT})
        assert must_flatten(self.switch) is bool(self.model.halt)
        assert self.switch.episode == self.model.halvings
        assert self.switch.kill_epoch == self.model.halts
        assert (self.switch.cause is not None) is bool(self.model.halt)


TestBoth = Both.TestCase
TestBoth.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
