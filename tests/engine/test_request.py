"""What takes both persons: who may ask, what makes a yes, what each refusal leaves behind."""

import json
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgtm.core.codec import canonical, decode
from qgtm.core.commands import Enroll, NoteAttempt, Reject, RequestReset, RevokeKey, SetLimits
from qgtm.core.events import (
    AlertRaised,
    AttemptRefused,
    BreakFound,
    BrokerLost,
    CoolOffCounted,
    Event,
    FlatConfirmed,
    LimitsChanged,
    ModeChanged,
    OperatorEnrolled,
    OperatorRevoked,
    Reconciled,
    RequestEnded,
    RequestMade,
)
from qgtm.core.mode import Mode, Trigger
from qgtm.core.request import Act, Outcome, Person, challenge, token_hash
from qgtm.engine.limit_change import limits_at_boot, limits_set
from qgtm.engine.request import (
    approved,
    attempt_noted,
    key_enrolled,
    key_revoked,
    overdue,
    rejected,
    request_opened,
    reset_asked,
    why_no_reset,
)
from qgtm.engine.state import State
from qgtm.risk.kill_switch import size_frac
from qgtm.risk.limits import wished_limits
from tests.engine.making import LIMITS, NOON, begun, dec, kinds
from tests.engine.persons import (
    ENROLLED,
    OPA,
    OPB,
    TOKEN,
    after,
    approval,
    key,
    moment,
    opening,
    proof,
    seal,
    the_request,
)

DAY_S = 86_400.0
HALT = ModeChanged(trigger=Trigger.HARD_CAP, before=Mode.ACTIVE, after=Mode.HALTED_HARD, reason="x", at=NOON)
FLAT = FlatConfirmed(epoch=1, took_s=4.0)
CLEAN = Reconciled(breaks=(), positions={}, cash_usd=dec(1))


def counts(*seconds: float) -> list[Event]:
    return [
        CoolOffCounted(
            monotonic_s=s, wall_at=NOON + timedelta(seconds=s), broker_at=NOON + timedelta(seconds=s)
        )
        for s in seconds
    ]


HALTED = begun(*ENROLLED, HALT, FLAT, CLEAN, *counts(0.0, DAY_S))
ASK = RequestReset(reason="the cause is known and gone", by="OpA")


def asked(state: State = HALTED, seconds: float = 0.0) -> tuple[State, Any]:
    """Return the state in which a reset is asked for, opened by OpB, and the request."""
    state = after(state, reset_asked(state, ASK, seal(seconds)))
    request = list(state.authority.standing.values())[-1].request
    return after(state, request_opened(state, opening(request), seal(seconds))), request


def refusals(facts: list[Event]) -> list[str]:
    """Return the reasons of what was refused; each is written down, and told."""
    found = [fact for fact in facts if isinstance(fact, AttemptRefused)]
    assert all(any(isinstance(f, AlertRaised) and each.reason in f.text for f in facts) for each in found)
    return [each.reason for each in found]


# --- asking -------------------------------------------------------------------------------------


@pytest.mark.invariant("V19")
def test_reset_is_asked_for_with_a_text_that_holds_the_whole_plan_and_no_free_size() -> None:
    request = the_request(reset_asked(HALTED, ASK, seal()))
    assert (request.act, request.by, request.epoch, dict(request.detail)) == (Act.RESET, Person.OPA, 1, {})
    for said in ("Half of the normal size", "60, 70, 80, 90 and 100%", "hard cap", ASK.reason):
        assert said in request.text
    assert (request.head, request.nonce) == ("41 ab", "nonce 0.0")
    assert request.expires_at - request.made_at == timedelta(minutes=10)


@pytest.mark.fault("D13")
@pytest.mark.mistake(1)
@pytest.mark.invariant("V19")
@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ((), "nothing is halted"),
        ((HALT, CLEAN, *counts(0.0, DAY_S)), "not confirmed yet that all is flat"),
        ((HALT, FLAT, *counts(0.0, DAY_S)), "not been compared"),
        ((HALT, FLAT, CLEAN), "has 1 day, 0:00:00 to go"),
        ((HALT, FLAT, CLEAN, *counts(0.0, DAY_S - 1)), "0:00:01 to go"),
        ((HALT, CLEAN, FLAT, *counts(0.0, DAY_S)), "not been compared"),
        ((HALT, FLAT, CLEAN, BrokerLost(reason="x"), *counts(0.0, DAY_S)), "disconnected"),
        (
            (
                HALT,
                FLAT,
                BreakFound(subject="GLD", ours=dec(0), brokers=dec(1), detail="x"),
                *counts(0.0, DAY_S),
            ),
            "breaks are open (GLD)",
        ),
    ],
)
def test_reset_is_not_asked_for_before_it_is_flat_compared_and_cooled_off(facts, says) -> None:
    state = begun(*ENROLLED, *facts)
    (reason,) = refusals(reset_asked(state, ASK, seal()))
    assert says in reason


@pytest.mark.parametrize(
    ("by", "reason", "says"), [("OpB", "because", "OpA asks"), ("OpA", "  ", "takes a reason")]
)
def test_only_opa_asks_and_says_why(by, reason, says) -> None:
    (why,) = refusals(reset_asked(HALTED, RequestReset(reason=reason, by=by), seal()))
    assert says in why


def test_nothing_is_asked_for_that_nobody_could_approve() -> None:
    alone = begun(ENROLLED[0], HALT, FLAT, CLEAN, *counts(0.0, DAY_S))
    (why,) = refusals(reset_asked(alone, ASK, seal()))
    assert "qgtm operators enroll" in why


def test_newer_request_takes_the_place_of_the_older() -> None:
    state, first = asked()
    facts = reset_asked(state, ASK, seal(60))
    assert [(f.request_id, f.outcome) for f in facts if isinstance(f, RequestEnded)] == [
        (first.request_id, Outcome.SUPERSEDED)
    ]
    state = after(state, facts)
    (reason,) = refusals(approved(state, approval(first), seal(61)))
    assert "stands" in reason


# --- approving ----------------------------------------------------------------------------------


def test_approval_trades_again_at_half_size_and_keeps_the_whole_proof() -> None:
    state, request = asked()
    given = approval(request)
    facts = approved(state, given, seal(30))
    assert kinds(facts) == ["RequestEnded", "ModeChanged", "AlertRaised"]
    ended = facts[0]
    assert isinstance(ended, RequestEnded)
    assert (ended.outcome, ended.proof, ended.by) == (Outcome.APPROVED, given.proof, "OpB")
    state = after(state, facts)
    assert (state.switch.mode, size_frac(state.switch)) == (Mode.ACTIVE, dec("0.5"))
    assert not state.authority.standing


def other(request: Any, **changes: Any) -> Any:
    return replace(request, **changes)


REFUSED: dict[str, Any] = {
    "same person": lambda r: approval(r, by="OpA", signer=OPA),
    "opa with opbs key": lambda r: approval(r, by="OpA"),
    "opas key in opbs name": lambda r: approval(r, signer=OPA),
    "nobody of the two": lambda r: approval(r, by="OpC"),
    "key that is not enrolled": lambda r: approval(r, signer=key(Person.OPB, "another")),
    "wrong token": lambda r: approval(r, token="AAAA-AAAA"),
    "no token": lambda r: replace(approval(r), token_hash=""),
    "token of another request": lambda r: replace(
        approval(r), token_hash=token_hash(TOKEN, other(r, nonce="m"))
    ),
    "token hash that is no ascii": lambda r: replace(approval(r), token_hash="é" * 64),
    "altered text": lambda r: approval(r, over=other(r, text=r.text.replace("Half", "All"))),
    "another halt": lambda r: approval(r, over=other(r, epoch=2)),
    "another nonce": lambda r: approval(r, over=other(r, nonce="m")),
    "later expiry": lambda r: approval(r, over=other(r, expires_at=r.expires_at + timedelta(days=1))),
    "another request": lambda r: replace(approval(r), request_id="reset-1-9"),
}


@pytest.mark.fault("J3", "J5")
@pytest.mark.invariant("V19")
@pytest.mark.parametrize("what", REFUSED)
def test_approval_that_is_not_the_others_over_this_very_text_is_refused_and_recorded(what: str) -> None:
    state, request = asked()
    facts = approved(state, REFUSED[what](request), seal(30))
    assert len(refusals(facts)) == 1
    assert not [f for f in facts if isinstance(f, ModeChanged)]
    state = after(state, facts)
    assert state.switch.mode is Mode.HALTED_HARD
    assert kinds(approved(state, approval(request), seal(40)))[1] == "ModeChanged"  # it still stands


@pytest.mark.fault("F6", "F7", "J4")
@pytest.mark.parametrize(
    ("at", "stands"),
    [
        (moment(599), True),
        (moment(600), False),
        (moment(30, wall_s=600), False),
        (moment(600, wall_s=-5_000), False),  # the wall was put back
        (moment(30, wall_s=-5_000), True),
        (moment(30, epoch=2), False),
    ],
)
def test_request_stands_ten_minutes_by_both_clocks_and_no_restart(at, stands) -> None:
    state, request = asked()
    facts = approved(state, approval(request), seal(at=at))
    assert (kinds(facts)[:2] == ["RequestEnded", "ModeChanged"]) is stands
    assert bool(overdue(state, at)) is not stands
    if not stands:
        over = after(state, overdue(state, at))
        assert not over.authority.standing
        assert overdue(over, at) == []


def test_request_that_was_not_opened_by_the_other_is_approved_by_no_token() -> None:
    state = after(HALTED, reset_asked(HALTED, ASK, seal()))
    request = next(iter(state.authority.standing.values())).request
    assert refusals(request_opened(state, opening(request, by="OpA"), seal()))
    assert "not been opened" in refusals(approved(state, approval(request), seal()))[0]


@pytest.mark.fault("J2", "J3")
def test_token_of_the_last_opening_alone_opens() -> None:
    state, request = asked()
    state = after(state, request_opened(state, opening(request, "NEW-TOKEN"), seal(5)))
    assert refusals(approved(state, approval(request), seal(6)))
    assert not refusals(approved(state, approval(request, "new token"), seal(6)))


@pytest.mark.fault("J1")
def test_five_refused_attempts_end_a_request_and_noted_ones_count() -> None:
    state, request = asked()
    for n in range(5):
        if n % 2:
            note = NoteAttempt(what="token", by="OpB", reason="wrong", request_id=request.request_id)
            facts = attempt_noted(state, note)
        else:
            facts = approved(state, approval(request, token="AAAA"), seal(n))
        assert [f.outcome for f in facts if isinstance(f, RequestEnded)] == [Outcome.EXHAUSTED] * (n == 4)
        state = after(state, facts)
    assert refusals(approved(state, approval(request), seal(9)))


def test_attempts_are_not_forgotten_when_it_is_opened_again() -> None:
    state, request = asked()
    for _ in range(4):
        state = after(state, approved(state, approval(request, token="AAAA"), seal(1)))
        state = after(state, request_opened(state, opening(request), seal(1)))
    facts = approved(state, approval(request, token="AAAA"), seal(1))
    assert Outcome.EXHAUSTED in [f.outcome for f in facts if isinstance(f, RequestEnded)]


@pytest.mark.fault("J2")
@pytest.mark.invariant("V19")
@given(st.integers(2, 8), st.integers(0, 7))
def test_of_many_approvals_at_once_exactly_one_wins(many: int, wrong: int) -> None:
    state, request = asked()
    won = 0
    for n in range(many):
        given_ = approval(request, token="AAAA") if n == wrong and wrong < 3 else approval(request)
        facts = approved(state, given_, seal(n))
        won += sum(isinstance(f, ModeChanged) for f in facts)
        state = after(state, facts)
    assert won == 1


@pytest.mark.fault("J2")
def test_proof_that_has_counted_does_not_count_again_for_the_next_request() -> None:
    state, request = asked()
    state = after(state, approved(state, approval(request, count=7), seal(1)))
    again = after(state, [replace(HALT, before=Mode.ACTIVE), replace(FLAT, epoch=2), CLEAN])
    again = after(again, counts(0.0, DAY_S))
    again, second = asked(again, 60)
    assert second.epoch == 2
    assert refusals(approved(again, approval(second, count=7), seal(61))) == ["this count was used already"]
    assert not refusals(approved(again, approval(second, count=8), seal(61)))


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        (BreakFound(subject="GLD", ours=dec(0), brokers=dec(1), detail="x"), "breaks are open"),
        (BrokerLost(reason="x"), "disconnected"),
        (LimitsChanged(limits={}, reason="x", by="x"), ""),
    ],
)
def test_approval_of_a_state_that_has_gone_ends_the_request(fact: Event, says: str) -> None:
    state, request = asked()
    tighter = wished_limits(LIMITS, {"gross_frac": "1.6"})
    if isinstance(fact, LimitsChanged):
        facts = approved(state, approval(request), seal(1, limits=tighter))
        says = "limits have changed"
    else:
        facts = approved(after(state, [fact]), approval(request), seal(1))
    assert says in refusals(facts)[0]
    assert [f.outcome for f in facts if isinstance(f, RequestEnded)] == [Outcome.SUPERSEDED]
    assert not [f for f in facts if isinstance(f, ModeChanged)]


def test_nothing_is_approved_where_nobody_can_verify() -> None:
    state, request = asked()
    assert "no proof can be verified" in refusals(approved(state, approval(request), seal(1, verify=None)))[0]


def test_either_turns_a_request_down() -> None:
    for by in ("OpA", "OpB"):
        state, request = asked()
        state = after(state, rejected(state, Reject(request_id=request.request_id, reason="no", by=by)))
        assert refusals(approved(state, approval(request), seal(1)))
        assert refusals(rejected(state, Reject(request_id=request.request_id, reason="no", by=by)))
    assert refusals(rejected(asked()[0], Reject(request_id="reset-1-1", reason="no", by="OpC")))


def test_state_with_a_standing_request_survives_the_snapshot() -> None:
    state, _ = asked()
    assert decode(State, json.loads(canonical(state))) == state


def test_what_is_signed_differs_with_every_field() -> None:
    request = asked()[1]
    changes = {
        "request_id": "x", "act": Act.KEY, "by": Person.OPB, "text": "x", "epoch": 9, "detail": {"a": "b"},
        "limits_sha": "x", "head": "x", "nonce": "x", "made_at": NOON, "expires_at": NOON,
    }  # fmt: skip
    assert set(changes) == set(request.__dataclass_fields__)
    hashes = {challenge(replace(request, **{name: value})) for name, value in changes.items()}
    assert len(hashes | {challenge(request)}) == len(changes) + 1


# --- keys ---------------------------------------------------------------------------------------


def enrolling(name: str, person: Person = Person.OPB, by: str = "OpA") -> Enroll:
    return Enroll(credential=key(person, name), by=by)


@pytest.mark.fault("J6")
def test_first_key_of_each_needs_nobody_and_is_told_with_its_fingerprint() -> None:
    state = begun()
    for person in Person:
        facts = key_enrolled(state, enrolling(f"first {person}", person), seal())
        assert kinds(facts) == ["OperatorEnrolled", "AlertRaised"]
        assert key(person, f"first {person}").fingerprint in facts[1].text
        state = after(state, facts)


@pytest.mark.fault("J6")
def test_key_in_addition_takes_the_others_yes() -> None:
    state = begun(*ENROLLED)
    state = after(state, key_enrolled(state, enrolling("second"), seal()))
    assert set(state.authority.credentials) == {OPA.credential_id, OPB.credential_id}
    request = next(iter(state.authority.standing.values())).request
    state = after(state, request_opened(state, opening(request), seal()))
    assert refusals(approved(state, approval(request, by="OpA", signer=OPA), seal(1)))
    facts = approved(state, approval(request), seal(1))
    (enrolled,) = [f for f in facts if isinstance(f, OperatorEnrolled)]
    assert enrolled.credential == key(Person.OPB, "second")
    assert enrolled.request_id == request.request_id


@pytest.mark.fault("J5", "J6")
def test_key_that_asks_for_itself_cannot_approve_itself() -> None:
    """OpB's page enrolls one more key: then it is OpA who has to agree."""
    state = begun(*ENROLLED)
    state = after(state, key_enrolled(state, enrolling("second", by="OpB"), seal()))
    request = next(iter(state.authority.standing.values())).request
    state = after(state, request_opened(state, opening(request, by="OpA"), seal()))
    assert refusals(approved(state, approval(request, by="OpB"), seal(1)))
    assert not refusals(approved(state, approval(request, by="OpA", signer=OPA), seal(1)))


@pytest.mark.fault("J6")
def test_whoever_has_had_a_key_never_has_a_first_one_again() -> None:
    gone = OperatorRevoked(credential_id=OPB.credential_id, reason="x", by="OpA")
    state = begun(*ENROLLED, gone)
    facts = key_enrolled(state, enrolling("opa's own, in opb's name"), seal())
    assert not [f for f in facts if isinstance(f, OperatorEnrolled)]


def test_ones_own_key_is_revoked_alone_only_while_another_stays() -> None:
    own = RevokeKey(credential_id=OPB.credential_id, reason="lost", by="OpB")
    state = begun(*ENROLLED)
    assert not [f for f in key_revoked(state, own, seal()) if isinstance(f, OperatorRevoked)]
    second = begun(*ENROLLED, OperatorEnrolled(credential=key(Person.OPB, "second"), by="OpA"))
    assert [f for f in key_revoked(second, own, seal()) if isinstance(f, OperatorRevoked)]
    by_opa = key_revoked(second, replace(own, by="OpA"), seal())
    assert [f.request.act for f in by_opa if isinstance(f, RequestMade)] == [Act.KEY]


def test_revocation_that_the_other_approves_takes_the_key_away() -> None:
    state = begun(*ENROLLED, OperatorEnrolled(credential=key(Person.OPB, "second"), by="OpA"))
    ask = RevokeKey(credential_id="second", reason="stolen", by="OpA")
    state = after(state, key_revoked(state, ask, seal()))
    request = next(iter(state.authority.standing.values())).request
    state = after(state, request_opened(state, opening(request), seal()))
    state = after(state, approved(state, approval(request), seal(1)))
    assert set(state.authority.credentials) == {OPA.credential_id, OPB.credential_id}
    gone = replace(approval(request), proof=proof(b"x", key(Person.OPB, "second")))
    assert refusals(approved(state, gone, seal(2)))


# --- limits -------------------------------------------------------------------------------------

BOOTED = after(begun(*ENROLLED), limits_at_boot(begun(), LIMITS))


def setting(by: str = "OpA", reason: str = "a reason", **limits: str) -> SetLimits:
    return SetLimits(limits=limits, reason=reason, by=by)


@pytest.mark.parametrize("by", ["OpA", "OpB"])
def test_either_tightens_at_once(by: str) -> None:
    facts = limits_set(BOOTED, setting(by, gross_frac="1.6"), seal())
    assert kinds(facts) == ["LimitsChanged", "AlertRaised"]
    state = after(BOOTED, facts)
    assert state.limits == wished_limits(LIMITS, {"gross_frac": "1.6"})


@pytest.mark.fault("D14")
def test_looser_takes_opbs_yes_and_the_tighter_part_does_not_wait() -> None:
    facts = limits_set(BOOTED, setting(gross_frac="1.9", daily_loss_frac="0.04"), seal())
    state = after(BOOTED, facts)
    assert state.limits is not None
    assert (state.limits.gross_frac, state.limits.daily_loss_frac) == (dec("1.9"), dec("0.03"))
    request = the_request(facts)
    assert dict(request.detail) == {"daily_loss_frac": "0.04"}
    assert "daily_loss_frac from 0.03 to 0.04" in request.text
    now = seal(2, limits=state.limits)
    state = after(state, request_opened(state, opening(request), now))
    state = after(state, approved(state, approval(request), now))
    assert state.limits is not None
    assert state.limits.daily_loss_frac == dec("0.04")


@pytest.mark.fault("I2", "I3")
@pytest.mark.parametrize(
    ("command", "says"),
    [
        (setting("OpB", gross_frac="2.1"), "OpA asks"),
        (setting("OpC", gross_frac="1.6"), "only the two operators"),
        (setting(reason=" ", gross_frac="1.6"), "takes a reason"),
        (setting(gross_frac="2.0"), "in force already"),
        (setting(gros_frac="1.6"), "did you mean gross_frac"),
        (setting(gross_frac="5"), "outer bound"),
        (setting(gross_frac="much"), "no number"),
        (setting(hard_cap_frac="0.07"), "the soft cap would never act"),
    ],
)
def test_limits_that_cannot_be_are_refused_with_the_reason(command: SetLimits, says: str) -> None:
    facts = limits_set(BOOTED, command, seal())
    assert says in refusals(facts)[0]
    assert after(BOOTED, facts).limits == LIMITS


@pytest.mark.fault("D14")
def test_file_that_became_tighter_holds_and_one_that_became_looser_waits_in_yellow() -> None:
    file = wished_limits(LIMITS, {"gross_frac": "1.6", "daily_loss_frac": "0.04"})
    facts = limits_at_boot(BOOTED, file)
    state = after(BOOTED, facts)
    assert state.limits == wished_limits(LIMITS, {"gross_frac": "1.6"})
    assert state.limits_looser == ("daily_loss_frac",)
    assert [f.level for f in facts if isinstance(f, AlertRaised)] == ["info", "yellow"]
    again = limits_at_boot(state, file)  # the next start says so again, and changes nothing
    assert kinds(again) == ["AlertRaised"]
    back = after(state, limits_at_boot(state, wished_limits(LIMITS, {"gross_frac": "1.6"})))
    assert back.limits_looser == ()


def test_limits_that_both_loosened_outlive_a_start_on_the_old_file() -> None:
    bold = after(
        BOOTED, [LimitsChanged(limits={"daily_loss_frac": "0.04"}, reason="x", by="both", request_id="r")]
    )
    assert limits_at_boot(bold, LIMITS) == []
    tighter = after(bold, limits_at_boot(bold, wished_limits(LIMITS, {"daily_loss_frac": "0.02"})))
    assert tighter.limits is not None
    assert tighter.limits.daily_loss_frac == dec("0.02")


@pytest.mark.fault("D14")
def test_limit_that_one_tightened_is_not_undone_by_a_start() -> None:
    calm = after(BOOTED, limits_set(BOOTED, setting(gross_frac="1.6"), seal()))
    assert limits_at_boot(calm, LIMITS) == []


@pytest.mark.fault("D14", "J5")
@pytest.mark.invariant("V19")
def test_orders_of_the_acts_do_not_matter_to_what_one_person_can_reach() -> None:
    """Whatever OpA alone does, in any order, no limit is looser and nothing that is halted trades."""
    revoke = RevokeKey(credential_id=OPB.credential_id, reason="x", by="OpA")

    def approve_all(state: State) -> list[Event]:
        waiting = [each.request for each in state.authority.standing.values()]
        return [f for r in waiting for f in approved(state, approval(r, by="OpA", signer=OPA), seal())]

    acts = [
        lambda s: limits_set(s, setting(gross_frac="2.5"), seal()),
        lambda s: reset_asked(s, ASK, seal()),
        lambda s: key_enrolled(s, enrolling("mine"), seal()),
        lambda s: key_revoked(s, revoke, seal()),
        approve_all,
    ]
    for order in permutations(acts):
        state = after(HALTED, limits_at_boot(HALTED, LIMITS))
        for act in order:
            state = after(state, act(state))
        assert state.limits == LIMITS
        assert state.switch.mode is Mode.HALTED_HARD
        assert set(state.authority.credentials) == {OPA.credential_id, OPB.credential_id}


def test_reset_is_possible_just_when_the_table_says_so() -> None:
    assert why_no_reset(HALTED) is None
