"""What a command from the inbox leads to: facts, written in one append with the word that it was taken."""

from collections.abc import Callable
from typing import Any, Final

from qgtm.adapters.inbox import Wish
from qgtm.adapters.manifest import Package, manifest_sha
from qgtm.core.commands import (
    AcceptBreak,
    Acknowledge,
    Approve,
    Command,
    Deploy,
    EnableStrategy,
    Enroll,
    Flatten,
    Halt,
    NoteAttempt,
    OpenRequest,
    OverrideSoft,
    Reject,
    ReleaseData,
    RequestReset,
    RevokeKey,
    RevokeOverride,
    SendTestOrder,
    SetLimits,
)
from qgtm.core.errors import ExportError
from qgtm.core.events import (
    AlertRaised,
    BreakAccepted,
    CommandTaken,
    DataReleased,
    Deployed,
    Event,
    Latched,
    Unlatched,
)
from qgtm.core.mode import DEAD_MAN, Latch
from qgtm.engine.act import (
    Seal,
    flattened,
    overridden,
    override_revoked,
    resumed,
    strategy_enabled,
    told_both,
    trial_asked,
)
from qgtm.engine.limit_change import limits_set
from qgtm.engine.request import (
    approved,
    attempt_noted,
    key_enrolled,
    key_revoked,
    rejected,
    request_opened,
    reset_asked,
)
from qgtm.engine.state import State


def facts_of(wish: Wish, state: State, package: Callable[[], Package], seal: Seal) -> list[Event]:
    """Return what is written down when a command is taken; one that cannot be followed says why.

    `package` looks at what lies on the disk, which a deployment is held against.
    """
    taken = CommandTaken(command_id=wish.command_id, kind=wish.kind, by=wish.by)
    return [taken, *_led_to(wish, state, package, seal)]


def _led_to(wish: Wish, state: State, package: Callable[[], Package], seal: Seal) -> list[Event]:
    command = wish.command
    if isinstance(command, Deploy):
        try:
            return _deployed(command, state, package())
        except ExportError as problem:
            return [_refused(str(problem))]
    if command is None or type(command) not in DEEDS:
        return [_refused(wish.problem or f"command {wish.command_id} ({wish.kind}) is not known here")]
    return DEEDS[type(command)](state, command, seal)


def _refused(reason: str) -> AlertRaised:
    return AlertRaised(level="yellow", cause="command refused", text=reason)


def deployment(package: Package, by: str) -> Deployed:
    """Return the fact that these prints, and the code that connects them, are put to work."""
    modules = {name: entry.module_sha256 for name, entry in sorted(package.manifest.prints.items())}
    sha = manifest_sha(package.manifest)
    return Deployed(manifest_sha=sha, modules=modules, by=by, code_sha=package.code_sha)


def _deployed(command: Deploy, state: State, package: Package) -> list[Event]:
    sha = manifest_sha(package.manifest)
    if command.manifest_sha != sha:
        return [_not_on_disk(command.by, "manifest", command.manifest_sha, sha)]
    if command.code_sha != package.code_sha:
        return [_not_on_disk(command.by, "code", command.code_sha, package.code_sha)]
    fact = deployment(package, command.by)
    return [fact, *_deployment_told(state, fact)]


def _not_on_disk(by: str, what: str, asked: str, found: str) -> AlertRaised:
    return _refused(
        f"{by} deployed {what} {asked[:8] or 'none'}, and on disk is {found[:8]}: run `qgtm deploy` again."
    )


def _deployment_told(state: State, fact: Deployed) -> list[Event]:
    """Tell both persons of what changes what the fund does, with the words that each can compare."""
    changes = (
        ("the strategies and rules", state.manifest_sha, fact.manifest_sha),
        ("the code that connects", state.code_sha, fact.code_sha),
    )
    said = [f"{what} (now {new[:8]}, before {old[:8] or 'none'})" for what, old, new in changes if new != old]
    return [told_both(f"{fact.by} deployed {' and '.join(said)}.", "yellow")] if said else []


def _halted(state: State, command: Halt, seal: Seal) -> list[Event]:
    return [Latched(latch=Latch.OPERATOR_HALT, reason=f"{command.by}: {command.reason}")]


def _accepted(state: State, command: AcceptBreak, seal: Seal) -> list[Event]:
    found = state.breaks.get(command.subject)
    if found is None:
        return [
            _refused(f"there is no open break in {command.subject}: `qgtm reconcile` lists the open ones.")
        ]
    if not command.reason.strip():
        return [_refused(f"the break in {command.subject} is accepted with a reason only: add --reason.")]
    return [
        BreakAccepted(subject=command.subject, brokers=found.brokers, reason=command.reason, by=command.by)
    ]


def _acknowledged(state: State, command: Acknowledge, seal: Seal) -> list[Event]:
    if command.latch == DEAD_MAN:
        return resumed(state, command.by, command.reason, seal)
    latch = next((each for each in state.switch.latches if each.value == command.latch), None)
    if latch is None:
        return [_refused(f"{command.latch} is not latched: `qgtm status` shows what stops trading.")]
    if latch is Latch.BREAK:
        return [
            _refused("a break is accepted by its subject: `qgtm reconcile --accept SUBJECT --reason ...`.")
        ]
    why = _why_still_lost(state) if latch is Latch.DISCONNECTED else ""
    if why:
        return [_refused(why)]
    return [Unlatched(latch=latch, reason=command.reason, by=command.by)]


def _released(command: ReleaseData) -> list[Event]:
    if not command.reason.strip():
        return [_refused(f"{command.item} is released with a reason only: add --reason.")]
    return [DataReleased(item=command.item, reason=command.reason.strip(), by=command.by)]


def _why_still_lost(state: State) -> str:
    """Return why a disconnection is not over; empty once both books were compared since, without a break."""
    if state.broker_lost:
        return f"the broker is still disconnected ({state.broker_lost}); acknowledge when it is back."
    if state.breaks:
        return (
            f"breaks are open ({', '.join(sorted(state.breaks))}): `qgtm reconcile` shows them; acknowledge "
            "when they are accepted and both books have been compared again."
        )
    if not state.is_clean:
        return "both books have not been compared since the broker is back: acknowledge in a minute."
    return ""


Deed = Callable[[State, Any, Seal], list[Event]]
DEEDS: Final[dict[type[Command], Deed]] = {
    Halt: _halted,
    AcceptBreak: _accepted,
    Acknowledge: _acknowledged,
    Flatten: flattened,
    OverrideSoft: overridden,
    RevokeOverride: lambda state, command, seal: override_revoked(state, command),
    RequestReset: reset_asked,
    SetLimits: limits_set,
    Enroll: key_enrolled,
    RevokeKey: key_revoked,
    OpenRequest: request_opened,
    Approve: approved,
    Reject: lambda state, command, seal: rejected(state, command),
    NoteAttempt: lambda state, command, seal: attempt_noted(state, command),
    EnableStrategy: lambda state, command, seal: strategy_enabled(state, command),
    ReleaseData: lambda state, command, seal: _released(command),
    SendTestOrder: lambda state, command, seal: trial_asked(state, command),
}
