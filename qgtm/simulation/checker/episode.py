"""What a soft cap may do once, and how fast a book may grow again after a reset: counted anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

HALVED: Final = "halved at the soft cap"
FULL: Final = 5
NEW_YORK: Final = ZoneInfo("America/New_York")


def day_in_new_york(at: datetime) -> date:
    """Return the day that a moment falls on at the exchange."""
    return at.astimezone(NEW_YORK).date()


@dataclass
class Episode:
    """One fall past the soft cap: from the cap to the recovery, with overrides and their ends inside it."""

    is_on: bool = False
    halvings_left: int = 0

    def moved(self, trigger: str, *, is_new: bool) -> str:
        """Hear that the switch moved; return what is wrong with it, "" for nothing."""
        if trigger == "soft_cap":
            was_on, self.is_on = self.is_on, True
            if is_new:
                self.halvings_left += 1
            if is_new == was_on:
                return f"the soft cap acts, and a new episode begins: {is_new}, with one under way: {was_on}"
        elif trigger not in ("overridden", "override_ended"):
            self.is_on = False
        return ""

    def targets(self, body: Mapping[str, Any]) -> str:
        """Hear that targets were set; return what is wrong with them."""
        if HALVED not in body["notes"]:
            return ""
        self.halvings_left -= 1
        return "the book is halved twice in one episode" if self.halvings_left < 0 else ""


@dataclass
class Ramp:
    """How far the ramp may be: one step for each session that really opened on a later day than the reset."""

    reset_on: date | None = None
    opened: int = FULL
    is_undisturbed: bool = False  # since the reset: no halt and no latch, which hold a step back

    def reset(self, at: datetime) -> None:
        """Hear of a reset at a true moment."""
        self.reset_on, self.opened = day_in_new_york(at), 0
        self.is_undisturbed = True

    def opens(self, session: date) -> None:
        """Hear that a session really opened."""
        if self.reset_on is not None and session > self.reset_on:
            self.opened = min(FULL, self.opened + 1)

    def problem(self, step: int) -> str:
        """Return why the ramp must not be at `step`."""
        if step > self.opened:
            return f"the ramp is at step {step}, and {self.opened} sessions have opened since the reset"
        return ""

    def late(self, step: int) -> str:
        """Return why the ramp should be further by the end of a quiet session."""
        if self.is_undisturbed and step < self.opened:
            return f"the ramp is at step {step} still, and {self.opened} sessions have opened since the reset"
        return ""
