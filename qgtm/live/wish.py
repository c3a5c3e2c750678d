"""What a command from the inbox leads to: facts, written in one append with the word that it was taken."""

from qgtm.adapters.inbox import Wish
from qgtm.adapters.manifest import Manifest, manifest_sha
from qgtm.core.commands import AcceptBreak, Acknowledge, Deploy, Halt
from qgtm.core.events import (
    AlertRaised,
    BreakAccepted,
    CommandTaken,
    Deployed,
    Event,
    Latched,
    Unlatched,
)
from qgtm.core.mode import Latch
from qgtm.engine.state import State


def facts_of(wish: Wish, state: State, manifest: Manifest) -> list[Event]:
    """Return what is written down when a command is taken; one that cannot be followed says why."""
    taken = CommandTaken(command_id=wish.command_id, kind=wish.kind, by=wish.by)
    return [taken, *_led_to(wish, state, manifest)]


def _led_to(wish: Wish, state: State, manifest: Manifest) -> list[Event]:
    command = wish.command
    if isinstance(command, Deploy):
        return [_deployed(command, manifest)]
    if isinstance(command, AcceptBreak):
        return [_accepted(command, state)]
    if isinstance(command, Acknowledge):
        return [_acknowledged(command, state)]
    if isinstance(command, Halt):
        return [Latched(latch=Latch.OPERATOR_HALT, reason=f"{command.by}: {command.reason}")]
    return [_refused(wish.problem or f"command {wish.command_id} ({wish.kind}) is not known here")]


def _refused(reason: str) -> AlertRaised:
    return AlertRaised(level="yellow", cause="command refused", text=reason)


def deployment(manifest: Manifest, by: str) -> Deployed:
    """Return the fact that these prints are put to work."""
    modules = {name: entry.module_sha256 for name, entry in sorted(manifest.prints.items())}
    return Deployed(manifest_sha=manifest_sha(manifest), modules=modules, by=by)


def _deployed(command: Deploy, manifest: Manifest) -> Event:
    if command.manifest_sha != manifest_sha(manifest):
        return _refused(
            f"{command.by} deployed manifest {command.manifest_sha[:8]}, and on disk is "
            f"{manifest_sha(manifest)[:8]}: run `qgtm deploy` again."
        )
    return deployment(manifest, command.by)


def _accepted(command: AcceptBreak, state: State) -> Event:
    found = state.breaks.get(command.subject)
    if found is None:
        return _refused(f"there is no open break in {command.subject}: `qgtm status` lists the open ones.")
    if not command.reason.strip():
        return _refused(f"the break in {command.subject} is accepted with a reason only: add --reason.")
    return BreakAccepted(subject=command.subject, brokers=found.brokers, reason=command.reason, by=command.by)


def _acknowledged(command: Acknowledge, state: State) -> Event:
    latch = next((each for each in state.switch.latches if each.value == command.latch), None)
    if latch is None:
        return _refused(f"{command.latch} is not latched: `qgtm status` shows what stops trading.")
    if latch is Latch.BREAK:
        return _refused("a break is accepted by its subject: `qgtm ack --break SUBJECT --reason ...`.")
    if latch is Latch.DISCONNECTED and state.broker_lost:
        return _refused(
            f"the broker is still disconnected ({state.broker_lost}); acknowledge when it is back."
        )
    return Unlatched(latch=latch, reason=command.reason, by=command.by)
