"""What a command leads to, written in one append with the word that it was taken."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from qgtm.adapters.inbox import Wish
from qgtm.adapters.manifest import load_package, manifest_sha
from qgtm.core.commands import AcceptBreak, Acknowledge, Command, Deploy, Halt, ReleaseData
from qgtm.core.events import (
    AlertRaised,
    BreakAccepted,
    BreakFound,
    BrokerFound,
    BrokerLost,
    CommandTaken,
    DataReleased,
    Deployed,
    Event,
    Latched,
    Reconciled,
    Unlatched,
)
from qgtm.core.mode import Latch
from qgtm.core.request import Person
from qgtm.engine.state import State
from qgtm.live.rig import PACKAGE
from qgtm.live.wish import facts_of
from qgtm.reporting.outbox import recipients
from tests.engine.making import begun, dec
from tests.engine.persons import seal

LIES: Final = load_package(PACKAGE)
SHA: Final = manifest_sha(LIES.manifest)
BROKEN = begun(
    BreakFound(subject="GLD", ours=dec(400), brokers=dec(500), detail="x"),
    Latched(latch=Latch.BREAK, reason="x"),
    Latched(latch=Latch.DISCONNECTED, reason="x"),
    Latched(latch=Latch.OPERATOR_HALT, reason="x"),
)


def led_to(command: Command | None, state: State = BROKEN, problem: str = "") -> Any:
    kind = type(command).__name__
    at = datetime(2026, 1, 6, tzinfo=UTC)
    taken, fact, *_ = facts_of(
        Wish(command_id=7, at=at, by="OpA", kind=kind, command=command, problem=problem),
        state,
        lambda: LIES,
        seal(),
    )
    assert taken == CommandTaken(command_id=7, kind=kind, by="OpA")
    return fact


def test_deployment_of_what_lies_on_disk_is_recorded_with_every_module() -> None:
    fact = led_to(Deploy(manifest_sha=SHA, code_sha=LIES.code_sha, by="OpA"))
    assert isinstance(fact, Deployed)
    assert (fact.manifest_sha, set(fact.modules)) == (SHA, set(LIES.manifest.prints))
    assert fact.code_sha == LIES.code_sha


@pytest.mark.fault("J15")
def test_deployment_is_told_to_both_with_what_it_changes() -> None:
    before = Deployed(manifest_sha=SHA, modules={}, by="first start", code_sha="0ld0ld0ld0")
    wish = Wish(
        command_id=7,
        at=datetime(2026, 1, 6, tzinfo=UTC),
        by="OpA",
        kind="Deploy",
        command=Deploy(manifest_sha=SHA, code_sha=LIES.code_sha, by="OpA"),
    )
    _, fact, alert = facts_of(wish, begun(before), lambda: LIES, seal())
    assert isinstance(alert, AlertRaised)
    assert recipients(alert) == (Person.OPA, Person.OPB)
    assert f"the code that connects (now {LIES.code_sha[:8]}, before 0ld0ld0l)" in alert.text
    assert "strategies" not in alert.text
    again = facts_of(replace(wish, command_id=8), begun(before, fact), lambda: LIES, seal())
    assert not [each for each in again if isinstance(each, AlertRaised)]


def test_break_is_accepted_at_the_brokers_number() -> None:
    fact = led_to(AcceptBreak(subject="GLD", reason="bought by hand", by="OpA"))
    assert fact == BreakAccepted(subject="GLD", brokers=dec(500), reason="bought by hand", by="OpA")


def test_halt_latches_at_once() -> None:
    fact = led_to(Halt(reason="I do not like this", by="OpB"))
    assert fact == Latched(latch=Latch.OPERATOR_HALT, reason="OpB: I do not like this")


def test_latch_is_cleared_after_looking() -> None:
    fact = led_to(Acknowledge(latch="operator_halt", reason="looked", by="OpA"))
    assert fact == Unlatched(latch=Latch.OPERATOR_HALT, reason="looked", by="OpA")


CLEAN = Reconciled(breaks=(), positions={}, cash_usd=dec(1))
UNCLEAN = Reconciled(breaks=("GLD",), positions={}, cash_usd=dec(1))
GONE = (CLEAN, BrokerLost(reason="3 tries failed"), Latched(latch=Latch.DISCONNECTED, reason="x"))
BACK = (*GONE, BrokerFound())
BROKE = BreakFound(subject="GLD", ours=dec(400), brokers=dec(500), detail="x")
TAKEN = BreakAccepted(subject="GLD", brokers=dec(500), reason="x", by="OpA")


@pytest.mark.fault("B2")
@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (GONE, "3 tries failed"),
        (BACK, "have not been compared since"),
        ((*BACK, BROKE, UNCLEAN), "breaks are open (GLD)"),
        ((*BACK, BROKE, UNCLEAN, TAKEN), "have not been compared since"),
        ((*BACK, CLEAN), ""),
        ((*BACK, BROKE, UNCLEAN, TAKEN, CLEAN), ""),
    ],
)
def test_disconnection_is_acknowledged_after_a_clean_comparison_only(
    facts: tuple[Event, ...], says: str
) -> None:
    fact = led_to(Acknowledge(latch="disconnected", reason="looked", by="OpA"), begun(*facts))
    if says:
        assert isinstance(fact, AlertRaised)
        assert says in fact.text
    else:
        assert fact == Unlatched(latch=Latch.DISCONNECTED, reason="looked", by="OpA")


@pytest.mark.fault("E4")
def test_value_that_waits_is_released_with_a_reason() -> None:
    fact = led_to(ReleaseData(item="GLD-2026-01-05-abcd", reason=" seen twice ", by="OpA"))
    assert fact == DataReleased(item="GLD-2026-01-05-abcd", reason="seen twice", by="OpA")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (ReleaseData(item="GLD-2026-01-05-abcd", reason=" ", by="OpA"), "with a reason only"),
        (Deploy(manifest_sha="f" * 64, by="OpA"), "run `qgtm deploy` again"),
        (Deploy(manifest_sha=SHA, code_sha="f" * 64, by="OpA"), "deployed code ffffffff"),
        (Deploy(manifest_sha=SHA, by="OpA"), "deployed code none"),
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
