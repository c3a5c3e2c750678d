"""What a command leads to, written in one append with the word that it was taken."""

from datetime import UTC, datetime
from typing import Any

import pytest

from qgtm.adapters.inbox import Wish
from qgtm.adapters.manifest import Manifest, load_manifest, manifest_sha
from qgtm.core.commands import AcceptBreak, Acknowledge, Command, Deploy, Halt
from qgtm.core.events import (
    AlertRaised,
    BreakAccepted,
    BreakFound,
    BrokerLost,
    CommandTaken,
    Deployed,
    Latched,
    Unlatched,
)
from qgtm.core.mode import Latch
from qgtm.engine.state import State
from qgtm.live.rig import PACKAGE
from qgtm.live.wish import facts_of
from tests.engine.making import begun, dec
from tests.engine.persons import seal

MANIFEST: Manifest = load_manifest(PACKAGE)
BROKEN = begun(
    BreakFound(subject="GLD", ours=dec(400), brokers=dec(500), detail="x"),
    Latched(latch=Latch.BREAK, reason="x"),
    Latched(latch=Latch.DISCONNECTED, reason="x"),
    Latched(latch=Latch.OPERATOR_HALT, reason="x"),
)


def led_to(command: Command | None, state: State = BROKEN, problem: str = "") -> Any:
    kind = type(command).__name__
    at = datetime(2026, 1, 6, tzinfo=UTC)
    taken, fact = facts_of(
        Wish(command_id=7, at=at, by="OpA", kind=kind, command=command, problem=problem),
        state,
        MANIFEST,
        seal(),
    )
    assert taken == CommandTaken(command_id=7, kind=kind, by="OpA")
    return fact


def test_deployment_of_what_lies_on_disk_is_recorded_with_every_module() -> None:
    fact = led_to(Deploy(manifest_sha=manifest_sha(MANIFEST), by="OpA"))
    assert isinstance(fact, Deployed)
    assert (fact.manifest_sha, set(fact.modules)) == (manifest_sha(MANIFEST), set(MANIFEST.prints))


def test_break_is_accepted_at_the_brokers_number() -> None:
    fact = led_to(AcceptBreak(subject="GLD", reason="bought by hand", by="OpA"))
    assert fact == BreakAccepted(subject="GLD", brokers=dec(500), reason="bought by hand", by="OpA")


def test_halt_latches_at_once() -> None:
    fact = led_to(Halt(reason="I do not like this", by="OpB"))
    assert fact == Latched(latch=Latch.OPERATOR_HALT, reason="OpB: I do not like this")


@pytest.mark.parametrize("latch", ["operator_halt", "disconnected"])
def test_latch_is_cleared_after_looking(latch: str) -> None:
    fact = led_to(Acknowledge(latch=latch, reason="looked", by="OpA"))
    assert fact == Unlatched(latch=Latch(latch), reason="looked", by="OpA")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (Deploy(manifest_sha="f" * 64, by="OpA"), "run `qgtm deploy` again"),
        (AcceptBreak(subject="SLV", reason="x", by="OpA"), "no open break in SLV"),
        (AcceptBreak(subject="GLD", reason="  ", by="OpA"), "add --reason"),
        (Acknowledge(latch="break", reason="x", by="OpA"), "accepted by its subject"),
        (Acknowledge(latch="moon", reason="x", by="OpA"), "moon is not latched"),
        (None, "cannot be read"),
    ],
)
def test_command_that_cannot_be_followed_says_why_and_what_to_do(command: Command | None, says: str) -> None:
    fact = led_to(
        command, problem="command 7 (Fly) cannot be read. Give it again." if command is None else ""
    )
    assert isinstance(fact, AlertRaised)
    assert (fact.level, says in fact.text) == ("yellow", True)


def test_disconnection_is_not_acknowledged_while_the_broker_is_gone() -> None:
    gone = begun(BrokerLost(reason="3 tries failed"), Latched(latch=Latch.DISCONNECTED, reason="x"))
    fact = led_to(Acknowledge(latch="disconnected", reason="x", by="OpA"), gone)
    assert isinstance(fact, AlertRaised)
    assert "3 tries failed" in fact.text
