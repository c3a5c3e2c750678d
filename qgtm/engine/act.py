# A print of notebooks/engine/act.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Act.

What an operator's word leads to, given the state: facts that make the fund safer at once, or a request for
the other's yes.
"""

# cell 5 of notebooks/engine/act.ipynb
from dataclasses import dataclass
from typing import Final

from qgtm.core.commands import EnableStrategy, Flatten, OverrideSoft, RevokeOverride, SendTestOrder
from qgtm.core.events import (
    AlertRaised,
    AttemptRefused,
    Event,
    ModeChanged,
    OverrideRevoked,
    StrategyEnabled,
    TrialOrderAsked,
)
from qgtm.core.mode import Mode, Trigger
from qgtm.core.request import Person, flatten_challenge
from qgtm.engine.authority import Moment, Verify, proof_count
from qgtm.engine.state import State
from qgtm.risk.kill_switch import HALTED
from qgtm.risk.limits import Limits


# cell 6 of notebooks/engine/act.ipynb
@dataclass(frozen=True)
class Params:
    """The knobs of this module."""

    reason_chars: int


PARAMS = Params(
    reason_chars=20,  # the least that an override's reason must have [20, 200]
)
SYSTEM: Final = "the system"
BOTH: Final = "two persons"  # the cause of alerts about what takes both


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Hold what an act is judged with beside the state.

    The clocks, the journal's last row, a fresh nonce of 256 random bits, the limits in force, and who
    verifies proofs (None: nobody can, so nothing that needs one is done).
    """

    at: Moment
    head: str
    nonce: str
    limits: Limits
    verify: Verify | None = None


def refused(what: str, by: str, reason: str, request_id: str = "", level: str = "yellow") -> list[Event]:
    """Return that somebody tried what was not to be done, for the journal and for both operators."""
    said = f"{by[:40]} tried: {what}. Refused: {reason}."
    return [
        AttemptRefused(what=what, by=by, reason=reason, request_id=request_id),
        AlertRaised(level=level, cause="refused", text=said),
    ]


def told_both(text: str, level: str = "orange") -> AlertRaised:
    """Return the word about an act of two persons, which goes to both."""
    return AlertRaised(level=level, cause=BOTH, text=text)


def only_opa(by: str) -> str | None:
    """Return why somebody else than OpA may not ask, None for OpA."""
    return None if by == Person.OPA else "OpA asks for it, and OpB approves"


def no_reason(reason: str) -> str | None:
    """Return that a reason is missing, None when there is one."""
    return None if reason.strip() else "it takes a reason"


# cell 8 of notebooks/engine/act.ipynb
def overridden(state: State, command: OverrideSoft, seal: Seal) -> list[Event]:
    """Return the soft cap's override, or why there is none."""
    reason = _why_no_override(state, command, seal.limits)
    if reason is not None or state.drawdown is None:
        return refused("override the soft cap", command.by, reason or "the fall is not known")
    return [
        ModeChanged(
            trigger=Trigger.OVERRIDDEN,
            before=state.switch.mode,
            after=Mode.ACTIVE,
            reason=command.reason.strip(),
            at=seal.at.now,
            drawdown_frac=state.drawdown.drawdown_frac,
            by=command.by,
        )
    ]


def _why_no_override(state: State, command: OverrideSoft, limits: Limits) -> str | None:
    if command.by != Person.OPA:
        return "only OpA may; it ends at the next close, and either of you may revoke it"
    if len(command.reason.strip()) < PARAMS.reason_chars:
        return f"it takes a reason of {PARAMS.reason_chars} characters or more"
    if state.switch.mode in HALTED:
        return "an override never lifts a halt"
    if state.switch.mode is not Mode.REDUCING:
        return "no soft cap acts now"
    fall = None if state.drawdown is None else state.drawdown.drawdown_frac
    if fall is None:
        return "the fall from the peak is not known"
    return "the fall has reached the hard cap" if fall >= limits.hard_cap_frac else None


def override_revoked(state: State, command: RevokeOverride) -> list[Event]:
    """Return the end of an override, or why there is none to end."""
    if command.by not in list(Person):
        return refused("revoke the override", command.by, "only the two operators may")
    if state.switch.override_floor_frac is None:
        return refused("revoke the override", command.by, "no override stands")
    said = command.reason.strip() or "no reason given"
    text = f"{command.by} revoked the override of the soft cap: {said}."
    told = AlertRaised(level="orange", cause="kill switch", text=text)
    return [OverrideRevoked(reason=command.reason, by=command.by), told]


def flattened(state: State, command: Flatten, seal: Seal) -> list[Event]:
    """Return the halt that closes everything, or why the proof of it does not hold."""
    count = 0
    if command.by == Person.OPB:
        found = _flatten_count(state, command, seal)
        if isinstance(found, str):
            return refused("halt and flatten", command.by, found, level="orange")
        count = found
    if state.switch.mode is Mode.HALTED_HARD:
        text = f"{command.by} asked to halt and flatten, which is under way or done."
        return [AlertRaised(level="info", cause="kill switch", text=text)]
    return [
        ModeChanged(
            trigger=Trigger.OPERATOR,
            before=state.switch.mode,
            after=Mode.HALTED_HARD,
            reason=command.reason.strip() or "no reason given",
            at=seal.at.now,
            by=command.by,
            proof=command.proof if count or command.by == Person.OPB else None,
            count=count,
            nonce=command.nonce,
        )
    ]


def _flatten_count(state: State, command: Flatten, seal: Seal) -> int | str:
    if command.proof is None:
        return "OpB's halt needs OpB's proof: give it on the page"
    if not command.nonce or command.nonce in state.authority.nonces:
        return "this proof was used already"
    challenged = flatten_challenge(command.reason, command.nonce)
    return proof_count(state.authority, Person.OPB, challenged, command.proof, seal.at, seal.verify)


def resumed(state: State, by: str, reason: str, seal: Seal) -> list[Event]:
    """Return the end of the dead man's halt, or why it goes on."""
    why = _why_not_resumed(state, by, reason)
    if why is not None:
        return refused("resume after the dead man's halt", by, why)
    return [
        ModeChanged(
            trigger=Trigger.RESUMED,
            before=state.switch.mode,
            after=Mode.ACTIVE,
            reason=reason.strip(),
            at=seal.at.now,
            by=by,
        )
    ]


def _why_not_resumed(state: State, by: str, reason: str) -> str | None:
    if by == Person.OPB:
        return "OpA does, after a look at the books"
    if not reason.strip():
        return "it takes a reason"
    if state.switch.mode is not Mode.HALTED_DEAD_MAN:
        return "the dead man's switch has not halted trading"
    if state.epoch <= state.dead_man_epoch:
        return "the daemon has not been restarted since: stop it and start it again"
    return why_not_settled(state)


def why_not_settled(state: State) -> str | None:
    """Return why a halt's books are not in order yet: not flat, or not compared without a break."""
    if not state.is_flat_confirmed:
        return "the broker has not confirmed yet that all is flat"
    if state.broker_lost:
        return "the broker is disconnected"
    if state.breaks:
        return f"breaks are open ({', '.join(sorted(state.breaks))}): `qgtm reconcile` shows them"
    if not state.is_clean:
        return "both books have not been compared since: wait a quarter of an hour"
    return None


# cell 10 of notebooks/engine/act.ipynb
def strategy_enabled(state: State, command: EnableStrategy) -> list[Event]:
    """Return another chance for a strategy that failed, or why there is nothing to enable."""
    if command.strategy not in state.disabled:
        why = f"{command.strategy[:60]} is not disabled: `qgtm strategies` lists those that are"
        return refused("enable a strategy", command.by, why)
    if no_reason(command.reason):
        return refused("enable a strategy", command.by, "it takes a reason")
    text = f"{command.by} lets {command.strategy} try again: {command.reason.strip()}."
    return [
        StrategyEnabled(strategy=command.strategy, reason=command.reason.strip(), by=command.by),
        AlertRaised(level="info", cause=f"strategy {command.strategy}", text=text),
    ]


def trial_asked(state: State, command: SendTestOrder) -> list[Event]:
    """Return the wish for a trial order, or why it cannot be sent now."""
    why = _why_no_trial(state)
    return [TrialOrderAsked(by=command.by)] if why is None else refused("send a trial order", command.by, why)


def _why_no_trial(state: State) -> str | None:
    if not state.is_open:
        return "the market is closed: ask again in the session"
    if state.is_trial_asked or state.live_orders:
        return "orders are on their way: ask again in a minute"
    if state.switch.mode is not Mode.ACTIVE or state.switch.latches:
        return "trading is stopped, and no order but a closing one goes out"
    return None


__all__ = [
    "BOTH",
    "PARAMS",
    "SYSTEM",
    "Params",
    "Seal",
    "flattened",
    "no_reason",
    "only_opa",
    "overridden",
    "override_revoked",
    "refused",
    "resumed",
    "strategy_enabled",
    "told_both",
    "trial_asked",
    "why_not_settled",
]
