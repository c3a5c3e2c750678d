"""Give a command to the daemon through the inbox, and hear what it led to."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import StateDir, made_writable
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.journal import JournalReader
from qgtm.cli.options import is_running, say, say_json, when_taken
from qgtm.core.commands import Command
from qgtm.core.errors import JournalError
from qgtm.core.events import AlertRaised, AttemptRefused, CommandTaken, RequestMade
from qgtm.ports import Entry

WAIT_S: Final = 5.0
LOOK_S: Final = 0.2
REFUSED: Final = ("refused", "command refused")  # the causes of alerts about a command that was not followed


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A command that lies in the inbox, and what it led to once the daemon took it.

    `is_taken` is None where nobody is there to take it; `said` are sentences for whoever gave it.
    """

    number: int
    kind: str
    by: str
    is_taken: bool | None = None
    is_refused: bool = False
    request_id: str = ""
    said: tuple[str, ...] = field(default=())


def give(command: Command, by: str, state: StateDir) -> Given:
    """Put a command into the inbox and wait a few seconds for what it leads to. Raises JournalError."""
    before = _head(state)
    with Inbox(made_writable(state).inbox) as inbox:
        number = inbox.put(command, by, SystemClock().now())
    given = Given(number=number, kind=type(command).__name__, by=by)
    if not is_running(state):
        return given
    clock = SystemClock()
    until_s = clock.monotonic() + WAIT_S
    while clock.monotonic() < until_s:
        if taken := _led_to(given, _rows(state, before)):
            return taken
        clock.wait(LOOK_S)
    return Given(number=number, kind=given.kind, by=by, is_taken=False)


def _head(state: StateDir) -> int:
    if not state.journal.exists():
        return 0
    with JournalReader(state.journal) as reader:
        return reader.head().seq


def _rows(state: StateDir, after: int) -> list[Entry]:
    if not state.journal.exists():
        return []
    with JournalReader(state.journal) as reader:
        return list(reader.read(after))


def _led_to(given: Given, rows: Iterable[Entry]) -> Given | None:
    """Return the command with what stands behind its CommandTaken, None as long as it was not taken."""
    said, request_id, is_refused, mine = list[str](), "", False, False
    for row in rows:
        event = row.event
        if isinstance(event, CommandTaken):
            if mine:
                break
            mine = event.command_id == given.number
        elif mine and isinstance(event, AttemptRefused):
            is_refused = True
        elif mine and isinstance(event, RequestMade):
            request_id = event.request.request_id
        elif mine and isinstance(event, AlertRaised):
            said.append(event.text)
            is_refused = is_refused or event.cause in REFUSED
    if not mine:
        return None
    return Given(
        number=given.number,
        kind=given.kind,
        by=given.by,
        is_taken=True,
        is_refused=is_refused,
        request_id=request_id,
        said=tuple(said),
    )


def tell(given: Given, state: StateDir, done: str, *, as_json: bool) -> None:
    """Say what became of a command; raise JournalError where the daemon refused it, so that the exit is 1."""
    if as_json:
        say_json(fields(given))
        if given.is_refused:
            sys.exit(1)
        return
    if given.is_refused:
        raise JournalError(" ".join(given.said))
    if given.is_taken is None:
        say(f"Command {given.number} lies in the inbox. {when_taken(state)}")
    elif not given.is_taken:
        say(f"Command {given.number} lies in the inbox, and the daemon has not taken it yet: `qgtm status`.")
    else:
        say(f"Command {given.number}: {done}", *given.said)


def fields(given: Given) -> dict[str, Any]:
    """Return what became of a command, for `--json`."""
    return {
        "command_id": given.number,
        "kind": given.kind,
        "by": given.by,
        "taken": given.is_taken,
        "refused": given.is_refused,
        "request_id": given.request_id or None,
        "said": list(given.said),
    }
