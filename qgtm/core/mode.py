"""The one list of names for what the system may do, and why it may do less."""

from enum import StrEnum
from typing import Final

DEAD_MAN: Final = "dead_man"  # acknowledged by this word like a latch, though it ends a mode


class Mode(StrEnum):
    """What trading is allowed."""

    ACTIVE = "active"
    REDUCING = "reducing"  # past the soft cap: half size, no new positions
    HALTED_HARD = "halted_hard"
    HALTED_DEAD_MAN = "halted_dead_man"


class Trigger(StrEnum):
    """What moves the mode."""

    SOFT_CAP = "soft_cap"
    HARD_CAP = "hard_cap"
    HEARTBEAT_LOST = "heartbeat_lost"
    OVERRIDDEN = "overridden"
    RECOVERED = "recovered"
    OPERATOR = "operator"  # halt and flatten, by hand
    RESET_CONFIRMED = "reset_confirmed"
    RESUMED = "resumed"


class Latch(StrEnum):
    """What stops new orders until a person clears it, whatever the mode."""

    BREAK = "break"
    DISCONNECTED = "disconnected"
    OPERATOR_HALT = "operator_halt"


class Dot(StrEnum):
    """The colour that OpB sees."""

    GREEN = "green"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"
