"""What one person may do alone: override, revoke, halt, resume, enable, try; and what it leaves."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from qgtm.core.commands import (
    EnableStrategy,
    Flatten,
    OverrideSoft,
    RevokeOverride,
    SendTestOrder,
)
from qgtm.core.events import (
    AlertRaised,
    AttemptRefused,
    BreakFound,
    CashMoved,
    Event,
    FlatConfirmed,
    IntentFormed,
    Latched,
    ModeChanged,
    OrderDenied,
    OverrideRevoked,
    QuotesSeen,
    Reconciled,
    SessionClosed,
    StrategyDisabled,
    StrategyEnabled,
    TrialOrderAsked,
    TrialOrderFinished,
)
from qgtm.core.mode import Latch, Mode, Trigger
from qgtm.core.order import OrderState
from qgtm.core.record import renewed
from qgtm.core.request import Person, flatten_challenge
from qgtm.engine.act import (
    flattened,
    overridden,
    override_revoked,
    resumed,
    strategy_enabled,
    trial_asked,
)
from qgtm.engine.intent import counted_positions
from qgtm.engine.state import State
from tests.engine.making import (
    LIMITS,
    NOON,
    SESSION,
    begun,
    booted,
    bought,
    dec,
    kinds,
    opened,
    quote,
    quotes,
    sampled,
    taken,
    targets,
    updated,
)
from tests.engine.persons import ENROLLED, OPA, OPB, after, key, proof, seal

WHY = "the vendor printed GLD at half its price"


def fallen(state: State, equity: object, mark: object, start_s: float = 100.0) -> State:
    return taken(state, *[sampled(equity, start_s + 10 * n, GLD=mark) for n in range(3)]).state


SOFT = fallen(begun(*ENROLLED, *bought(4_000), quotes(GLD=100)), 910_000, "77.5")
OVERRIDE = OverrideSoft(reason=WHY, by="OpA")


def why(facts: list[Event]) -> str:
    assert kinds(facts) == ["AttemptRefused", "AlertRaised"]
    assert isinstance(facts[0], AttemptRefused)
    return facts[0].reason


def bold() -> State:
    (change,) = overridden(SOFT, OVERRIDE, seal())
    return taken(SOFT, change).state


def test_opa_overrides_with_a_reason_and_both_are_told_in_orange() -> None:
    (change,) = overridden(SOFT, OVERRIDE, seal())
    step = taken(SOFT, change)
    assert step.state.switch.mode is Mode.ACTIVE
    told = [e for e in step.events if isinstance(e, AlertRaised)]
    assert [(e.level, WHY in e.text, "OpA" in e.text) for e in told] == [("orange", True, True)]


@pytest.mark.parametrize(
    ("state", "command", "says"),
    [
        (SOFT, OverrideSoft(reason=WHY, by="OpB"), "only OpA"),
        (SOFT, OverrideSoft(reason="x" * 19, by="OpA"), "20 characters"),
        (SOFT, OverrideSoft(reason=" " * 30, by="OpA"), "20 characters"),
        (begun(), OVERRIDE, "no soft cap acts"),
        (fallen(SOFT, 870_000, "67.5", 200.0), OVERRIDE, "never lifts a halt"),
    ],
)
def test_override_is_refused_for_everything_else(state: State, command: OverrideSoft, says: str) -> None:
    assert says in why(overridden(state, command, seal()))


def test_override_whose_fall_has_reached_a_tightened_hard_cap_is_refused() -> None:
    tight = replace(LIMITS, hard_cap_frac=dec("0.09"))
    assert "hard cap" in why(overridden(SOFT, OVERRIDE, seal(limits=tight)))


@pytest.mark.parametrize("by", ["OpA", "OpB"])
def test_either_revokes_it_and_the_cap_acts_at_once_without_a_second_halving(by: str) -> None:
    facts = override_revoked(bold(), RevokeOverride(reason="no", by=by))
    assert isinstance(facts[0], OverrideRevoked)
    step = taken(bold(), facts[0])
    assert step.state.switch.mode is Mode.REDUCING
    assert step.state.switch.episode == 1
    assert "TargetsSet" not in kinds(step.events)
    assert "no override" in why(override_revoked(SOFT, RevokeOverride(reason="no", by=by)))
    assert "two operators" in why(override_revoked(bold(), RevokeOverride(reason="no", by="OpC")))


def test_override_ends_at_the_close_at_once_and_at_an_open_whose_close_was_not_seen() -> None:
    for end in (SessionClosed(session=SESSION), opened(SESSION + timedelta(days=1))):
        state = taken(bold(), end).state
        state = fallen(state, 910_000, "77.5", 300.0) if state.switch.mode is Mode.ACTIVE else state
        assert state.switch.mode is Mode.REDUCING
    assert taken(bold(), SessionClosed(session=SESSION)).state.switch.mode is Mode.REDUCING


# --- the soft cap's half ------------------------------------------------------------------------


def test_half_is_counted_in_shares_whatever_the_price_does_meanwhile() -> None:
    """Four thousand shares become two thousand; a price that rises back must not leave more."""
    assert SOFT.ceilings == {"GLD": 2_000}
    for mid in ("60", "77.5", "99"):
        left = SOFT
        for n in range(20):
            at = NOON + timedelta(seconds=60 * n)
            step = taken(left, quotes(at, GLD=mid), now=at)
            left = step.state
            for fact in step.events:
                if isinstance(fact, IntentFormed):
                    left = after(left, [updated(fact.order, fact.order.quantity, mid, OrderState.FILLED)])
        assert 0 < left.quantity("GLD") <= 2_000, mid


def test_half_binds_targets_that_want_more_and_only_as_long_as_the_cap_acts() -> None:
    eager = after(SOFT, [targets(GLD=0.9)])
    (made,) = [e.order for e in taken(eager, quotes(GLD="77.5")).events if isinstance(e, IntentFormed)]
    assert made.side == "sell"
    recovered = ModeChanged(
        trigger=Trigger.RECOVERED, before=Mode.REDUCING, after=Mode.ACTIVE, reason="x", at=NOON
    )
    assert after(SOFT, [recovered]).ceilings == {}


def test_halving_goes_on_under_an_operators_halt_but_not_in_doubt() -> None:
    for latch, goes in ((Latch.OPERATOR_HALT, True), (Latch.BREAK, False), (Latch.DISCONNECTED, False)):
        state = after(SOFT, [Latched(latch=latch, reason="x")])
        assert any(isinstance(e, IntentFormed) for e in taken(state, quotes(GLD="77.5")).events) is goes


# --- the worse of two numbers -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "brokers", "counts"),
    [(400, 500, 500), (500, 400, 500), (100, -300, -300), (0, 70, 70), (70, 0, 70)],
)
def test_risk_counts_the_larger_of_two_numbers(ours: int, brokers: int, counts: int) -> None:
    held = bought(ours) if ours else ()
    found = BreakFound(subject="GLD", ours=dec(ours), brokers=dec(brokers), detail="x")
    assert counted_positions(begun(*held, found)) == {"GLD": counts}


def test_equity_is_still_believed_while_a_break_is_open() -> None:
    """Ours: 4,000 shares; the broker's: 3,000 and the cash for the rest. Its equity is one source, our count
    of its numbers the other: so the caps can still act."""
    state = begun(*bought(4_000), quotes(GLD=100))
    for subject, ours, brokers in (("GLD", 4_000, 3_000), ("cash", 600_000, 700_000)):
        found = BreakFound(subject=subject, ours=dec(ours), brokers=dec(brokers), detail="x")
        state = after(state, [found])
    fell = fallen(state, 850_000, 50)
    assert fell.switch.mode is Mode.HALTED_HARD


# --- halting and resuming -----------------------------------------------------------------------


def test_opa_flattens_by_word_and_opb_by_proof() -> None:
    state = begun(*ENROLLED)
    (change,) = flattened(state, Flatten(reason="smoke", by="OpA"), seal())
    assert isinstance(change, ModeChanged)
    assert (change.trigger, change.after, change.proof) == (Trigger.OPERATOR, Mode.HALTED_HARD, None)

    def opbs(nonce: str, signer: Any = OPB, reason: str = "smoke", count: int = 1) -> Flatten:
        signed = proof(flatten_challenge("smoke", nonce), signer, count)
        return Flatten(reason=reason, by="OpB", proof=signed, nonce=nonce)

    for wrong in (
        Flatten(reason="smoke", by="OpB"),
        opbs("n", OPA),
        opbs("n", key(Person.OPB, "another")),
        opbs("n", reason="fire"),
        opbs(""),
    ):
        why(flattened(state, wrong, seal()))
    (change,) = flattened(state, opbs("n"), seal())
    state = after(state, [change])
    assert state.switch.cause is Trigger.OPERATOR
    assert kinds(flattened(state, opbs("m", count=2), seal())) == ["AlertRaised"]  # under way already
    back = ModeChanged(
        trigger=Trigger.RESET_CONFIRMED, before=Mode.HALTED_HARD, after=Mode.ACTIVE, reason="x", at=NOON
    )
    assert "already" in why(flattened(after(state, [back]), opbs("n"), seal()))


DEAD = ModeChanged(
    trigger=Trigger.HEARTBEAT_LOST,
    before=Mode.ACTIVE,
    after=Mode.HALTED_DEAD_MAN,
    reason="x",
    at=NOON,
    kill_epoch=2,
    lease_epoch=2,
)
FLAT = FlatConfirmed(epoch=2, took_s=1.0)
CLEAN = Reconciled(breaks=(), positions={}, cash_usd=dec(1))


@pytest.mark.parametrize(
    ("facts", "by", "reason", "says"),
    [
        ((DEAD, FLAT, CLEAN), "OpA", "x", "restarted"),
        ((DEAD, booted(3), CLEAN), "OpA", "x", "flat"),
        ((DEAD, booted(3), FLAT), "OpA", "x", "compared"),
        ((DEAD, FLAT, CLEAN, booted(3)), "OpA", "x", "compared"),
        ((DEAD, booted(3), FLAT, CLEAN), "OpB", "x", "OpA does"),
        ((DEAD, booted(3), FLAT, CLEAN), "OpA", " ", "takes a reason"),
        ((booted(3), CLEAN), "OpA", "x", "has not halted"),
    ],
)
def test_dead_mans_halt_ends_only_restarted_flat_compared_and_by_opa(facts, by, reason, says) -> None:
    assert says in why(resumed(begun(*facts), by, reason, seal()))


def test_opa_resumes_once_all_that_holds() -> None:
    state = begun(DEAD, booted(3), FLAT, CLEAN)
    (change,) = resumed(state, "OpA", "the disk was full", seal())
    assert after(state, [change]).switch.mode is Mode.ACTIVE


# --- the rest -----------------------------------------------------------------------------------


def test_disabled_strategy_is_enabled_with_a_reason_and_warms_up_anew() -> None:
    state = renewed(begun(StrategyDisabled(strategy="a", reason="x")), carried={"a": {"n": 3}})
    facts = strategy_enabled(state, EnableStrategy(strategy="a", reason="the bar was mended", by="OpA"))
    assert kinds(facts) == ["StrategyEnabled", "AlertRaised"]
    assert isinstance(facts[0], StrategyEnabled)
    again = after(state, facts)
    assert (again.disabled, again.carried) == ({}, {})
    assert "not disabled" in why(strategy_enabled(again, EnableStrategy(strategy="a", reason="x", by="OpA")))
    assert "reason" in why(strategy_enabled(state, EnableStrategy(strategy="a", reason=" ", by="OpA")))


def test_trial_order_is_refused_when_nothing_could_come_of_it() -> None:
    ask = SendTestOrder(by="OpA")
    assert trial_asked(begun(), ask) == [TrialOrderAsked(by="OpA")]
    for state, says in (
        (begun(SessionClosed(session=SESSION)), "closed"),
        (begun(TrialOrderAsked(by="OpA")), "on their way"),
        (begun(DEAD), "stopped"),
        (begun(Latched(latch=Latch.OPERATOR_HALT, reason="x")), "stopped"),
    ):
        assert says in why(trial_asked(state, ask))


def test_trial_order_goes_through_the_gate_and_is_told_when_it_is_refused() -> None:
    state = begun(TrialOrderAsked(by="OpA"))
    step = taken(state, quotes(GLD=100))
    (fact,) = step.events
    assert isinstance(fact, IntentFormed)
    assert (fact.order.quantity, fact.order.limit_price) == (1, dec("80.00"))
    seen = taken(step.state, updated(fact.order, 0, 0)).state
    done = taken(seen, updated(fact.order, 0, 0, OrderState.CANCELED))
    assert [e.is_ok for e in done.events if isinstance(e, TrialOrderFinished)] == [True]
    wide = QuotesSeen(quotes={"GLD": quote(100, half_spread="2")}, at=NOON)
    refused = taken(state, wide)
    assert [e.is_ok for e in refused.events if isinstance(e, TrialOrderFinished)] == [False]
    assert not refused.state.is_trial_asked
    assert not refused.state.denied


@pytest.mark.fault("C11")
@pytest.mark.parametrize(
    ("flow", "equity", "is_lost"),
    [
        (-200_000, 800_000, False),  # what was taken out is no loss
        (0, 960_000, True),
        (200_000, 1_160_000, True),  # what was put in hides none: four per cent of a million are gone
        (200_000, 1_170_000, False),
    ],
)
def test_owners_money_is_no_loss_of_the_day_and_hides_none(flow: int, equity: int, is_lost: bool) -> None:
    moved = CashMoved(activity_id="f", kind="CSD" if flow > 0 else "CSW", amount_usd=dec(flow))
    booked = renewed(begun(moved), cash_usd=dec(equity))  # what was lost is known to both counts
    state = after(booked, [sampled(equity), targets(GLD=0.05)])
    denied = [e.check for e in taken(state, quotes(GLD=100)).events if isinstance(e, OrderDenied)]
    assert denied == ["day_loss"] * is_lost
    closed = after(state, [SessionClosed(session=SESSION)])
    assert closed.flows_day_usd == 0
    assert closed.week_start_usd == 1_000_000 + flow
