# A print of notebooks/risk/kill_switch.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""The kill switch.

What stops the fund, what starts it again, and how large it may be in between: two tables that a tired person
can read.
"""

# cell 5 of notebooks/risk/kill_switch.ipynb
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Final

from qgtm.core.instant import new_york_day
from qgtm.core.mode import Latch, Mode, Trigger
from qgtm.core.money import exact
from qgtm.risk.limits import Limits


# cell 6 of notebooks/risk/kill_switch.ipynb
@dataclass(frozen=True)
class Params:
    """Name the knobs of this notebook; `PARAMS` holds their values."""

    recovery_share: float
    deepening_frac: float
    cool_off_s: int


PARAMS = Params(
    recovery_share=0.75,  # of the soft cap; the fall must be smaller to recover [0.50, 0.95]
    deepening_frac=0.01,  # further fall from the peak that ends an override [0.005, 0.02]
    cool_off_s=86400,  # seconds from the hard cap to the earliest reset [86400, 604800]
)


# cell 8 of notebooks/risk/kill_switch.ipynb
ACTIVE, REDUCING = Mode.ACTIVE, Mode.REDUCING
HALTED_HARD, HALTED_DEAD_MAN = Mode.HALTED_HARD, Mode.HALTED_DEAD_MAN
HALTED: Final = (HALTED_HARD, HALTED_DEAD_MAN)

NEXT: Final[dict[tuple[Mode, Trigger], Mode]] = {
    (ACTIVE, Trigger.SOFT_CAP): REDUCING,
    (REDUCING, Trigger.OVERRIDDEN): ACTIVE,  # OpA, with a written reason, for a day at most
    (REDUCING, Trigger.RECOVERED): ACTIVE,  # the fall is back under 75% of the cap
    (ACTIVE, Trigger.RECOVERED): ACTIVE,  # ends an override whose cause has gone
    (HALTED_HARD, Trigger.RESET_CONFIRMED): ACTIVE,  # both persons, cooled off; the ramp starts at half
    (HALTED_DEAD_MAN, Trigger.RESUMED): ACTIVE,  # OpA, after a restart and a clean reconcile
    **{(mode, Trigger.OPERATOR): HALTED_HARD for mode in Mode},  # either operator, alone
    **{(mode, Trigger.HARD_CAP): HALTED_HARD for mode in Mode},
    **{(mode, Trigger.HEARTBEAT_LOST): HALTED_DEAD_MAN for mode in Mode if mode is not HALTED_HARD},
}


# cell 10 of notebooks/risk/kill_switch.ipynb
MODE_SIZE: Final[dict[Mode, Decimal]] = {
    ACTIVE: Decimal(1),
    REDUCING: Decimal("0.5"),
    HALTED_HARD: Decimal(0),
    HALTED_DEAD_MAN: Decimal(0),
}
RAMP: Final = tuple(map(Decimal, ("0.5", "0.6", "0.7", "0.8", "0.9", "1")))
FULL: Final = len(RAMP) - 1
LATCH_SIZE: Final[dict[Latch, Decimal]] = dict.fromkeys(Latch, Decimal(0))

# What stays possible: an order that only reduces is let through by an operator's halt, but a book that is in
# doubt (a break) or out of sight (a disconnection) is left alone. The orders of a flatten pass either.
LOCKING: Final = (Latch.BREAK, Latch.DISCONNECTED)


# cell 12 of notebooks/risk/kill_switch.ipynb
@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitch:
    """Hold mode, ramp step and latches (sorted), and what the tables need to be read.

    `episode` counts soft caps, so that the book is halved once in each. `override_floor_frac` is the fall
    from the peak at which an overridden soft cap acts again, None when none is overridden. `ramp_session` is
    the last session that the ramp has counted. `since` is when the mode last changed. `kill_epoch` counts
    halts and never falls: it stands in the ids of a flatten's orders; `cause` is what halted, None otherwise.
    """

    mode: Mode = ACTIVE
    ramp_step: int = FULL
    latches: tuple[Latch, ...] = ()
    episode: int = 0
    override_floor_frac: Decimal | None = None
    ramp_session: date | None = None
    since: datetime | None = None
    kill_epoch: int = 0
    cause: Trigger | None = None


def moved(
    switch: KillSwitch,
    trigger: Trigger,
    now: datetime,
    drawdown_frac: Decimal | None = None,
    *,
    kill_epoch: int = 0,
) -> KillSwitch:
    """Return the switch after `trigger`; the same switch when the table has no such line.

    An override needs `drawdown_frac`, the fall it was made at: without it nothing moves. `kill_epoch` is the
    watchdog's count, where it began the halt: ours is never below it. Whether a person may pull a trigger
    (two persons, 24 hours, a clean reconcile) is judged before. Raises nothing.
    """
    mode = NEXT.get((switch.mode, trigger))
    if mode is None:
        return switch
    if trigger is Trigger.OVERRIDDEN:
        return switch if drawdown_frac is None else _overridden(switch, drawdown_frac, now)
    after = replace(switch, mode=mode, override_floor_frac=None)
    if mode is switch.mode:
        return after
    if mode in HALTED:
        epoch = max(switch.kill_epoch + 1, kill_epoch)
        return replace(after, since=now, kill_epoch=epoch, cause=trigger)
    return _marked(replace(after, since=now, cause=None), switch, trigger, now)


def _overridden(switch: KillSwitch, drawdown_frac: Decimal, now: datetime) -> KillSwitch:
    floor = drawdown_frac + exact(PARAMS.deepening_frac)
    return replace(switch, mode=ACTIVE, override_floor_frac=floor, since=now)


def _marked(after: KillSwitch, before: KillSwitch, trigger: Trigger, now: datetime) -> KillSwitch:
    # A soft cap that acts again after its override belongs to the episode it was overridden in.
    if trigger is Trigger.SOFT_CAP and before.override_floor_frac is None:
        return replace(after, episode=before.episode + 1)
    if trigger is Trigger.RESET_CONFIRMED:
        return replace(after, ramp_step=0, ramp_session=new_york_day(now))
    return after


def trigger_for(switch: KillSwitch, drawdown_frac: Decimal | None, limits: Limits) -> Trigger | None:
    """Return what a confirmed fall of `drawdown_frac` from the peak (>= 0) triggers, None for nothing.

    The hard cap is asked first, so a gap through both goes there at once. Ask again after every move: the
    answer is None when the switch has settled. Raises nothing.
    """
    if drawdown_frac is None or not drawdown_frac.is_finite() or switch.mode is HALTED_HARD:
        return None
    if drawdown_frac >= limits.hard_cap_frac:
        return Trigger.HARD_CAP
    if drawdown_frac < exact(PARAMS.recovery_share) * limits.soft_cap_frac:
        is_overridden = switch.mode is ACTIVE and switch.override_floor_frac is not None
        return Trigger.RECOVERED if switch.mode is REDUCING or is_overridden else None
    floor = limits.soft_cap_frac if switch.override_floor_frac is None else switch.override_floor_frac
    return Trigger.SOFT_CAP if switch.mode is ACTIVE and drawdown_frac >= floor else None


def override_ended(switch: KillSwitch) -> KillSwitch:
    """Return the switch with its override at its end (a session's close, or OpB's revocation).

    The soft cap then acts again on the next `trigger_for`, unless the fall has recovered.
    """
    return switch if switch.override_floor_frac is None else replace(switch, override_floor_frac=Decimal(0))


def latched(switch: KillSwitch, latch: Latch) -> KillSwitch:
    """Return the switch with `latch` on; it stays on until a person clears it."""
    return replace(switch, latches=tuple(sorted({*switch.latches, latch})))


def unlatched(switch: KillSwitch, latch: Latch) -> KillSwitch:
    """Return the switch with `latch` off, after a person cleared it."""
    return replace(switch, latches=tuple(each for each in switch.latches if each is not latch))


# cell 14 of notebooks/risk/kill_switch.ipynb
def session_opened(switch: KillSwitch, session: date) -> KillSwitch:
    """Return the switch after `session` opened: a ramp step further if it may grow, once a session."""
    is_counted = switch.ramp_session is not None and session <= switch.ramp_session
    if switch.ramp_step == FULL or is_counted or not may_grow(switch):
        return switch
    return replace(switch, ramp_step=switch.ramp_step + 1, ramp_session=session)


# cell 16 of notebooks/risk/kill_switch.ipynb
@dataclass(frozen=True, slots=True, kw_only=True)
class CoolOff:
    """Hold what three clocks have counted since a halt of `kill_epoch`, and where two of them stood.

    `began_at` is the halt by the wall, `broker_at` the broker's clock when it was first heard after it.
    `counted_at_s` is process time at the last count, None after a restart.
    """

    kill_epoch: int
    began_at: datetime
    broker_at: datetime | None = None
    counted_at_s: float | None = None
    wall_s: float = 0.0
    broker_s: float = 0.0
    journal_s: float = 0.0

    @property
    def left_s(self) -> float:
        """Return the seconds still to go by the slowest clock, 0.0 when it has cooled off."""
        return max(0.0, PARAMS.cool_off_s - min(self.wall_s, self.broker_s, self.journal_s))


def counted(cool_off: CoolOff, monotonic_s: float, wall_at: datetime, broker_at: datetime) -> CoolOff:
    """Return the cool-off after the three clocks were read: process time in seconds, and two moments."""
    last_s = monotonic_s if cool_off.counted_at_s is None else cool_off.counted_at_s
    first_at = cool_off.broker_at or broker_at
    return replace(
        cool_off,
        broker_at=first_at,
        counted_at_s=monotonic_s,
        wall_s=(wall_at - cool_off.began_at).total_seconds(),
        broker_s=(broker_at - first_at).total_seconds(),
        journal_s=cool_off.journal_s + max(0.0, monotonic_s - last_s),
    )


def counted_anew(cool_off: CoolOff) -> CoolOff:
    """Return the cool-off after a restart: process time began anew, what it had summed stays."""
    return replace(cool_off, counted_at_s=None)


# cell 18 of notebooks/risk/kill_switch.ipynb
def size_frac(switch: KillSwitch) -> Decimal:
    """Return the share of its normal size that the book may grow to: the least that any part allows.

    Zero does not say that what is held must go: that is `must_flatten`.
    """
    return min(MODE_SIZE[switch.mode], RAMP[switch.ramp_step], *map(LATCH_SIZE.__getitem__, switch.latches))


def may_grow(switch: KillSwitch) -> bool:
    """Return whether an order may open or enlarge a position."""
    return switch.mode is ACTIVE and not switch.latches


def may_reduce(switch: KillSwitch, *, is_flattening: bool = False) -> bool:
    """Return whether an order that is proven to reduce may go; one of a flatten always may."""
    return is_flattening or not any(latch in LOCKING for latch in switch.latches)


def must_flatten(switch: KillSwitch) -> bool:
    """Return whether everything that is held must be closed."""
    return switch.mode in HALTED


def halved(positions: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return half of each position in whole signed shares, rounded towards zero: what a soft cap leaves.

    Taken once an episode, from what is held when the cap trips.
    """
    return {symbol: (held / 2).to_integral_value(ROUND_DOWN) + 0 for symbol, held in positions.items()}


__all__ = [
    "ACTIVE",
    "FULL",
    "HALTED",
    "HALTED_DEAD_MAN",
    "HALTED_HARD",
    "LATCH_SIZE",
    "LOCKING",
    "MODE_SIZE",
    "NEXT",
    "PARAMS",
    "RAMP",
    "REDUCING",
    "CoolOff",
    "KillSwitch",
    "Params",
    "counted",
    "counted_anew",
    "halved",
    "latched",
    "may_grow",
    "may_reduce",
    "moved",
    "must_flatten",
    "override_ended",
    "session_opened",
    "size_frac",
    "trigger_for",
    "unlatched",
]
