"""Signing in and acting: everything that is let through, and everything that is not."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest

from qgtm.core.commands import (
    Approve,
    Enroll,
    Flatten,
    NoteAttempt,
    OpenRequest,
    Reject,
    RevokeOverride,
)
from qgtm.core.request import Person, ProofKind, challenge, flatten_challenge, token_hash
from qgtm.web.office import COOKIE
from tests.web.office import (
    AT,
    HOME,
    PASSWORD,
    REQUEST,
    SECRET,
    House,
    challenge_in,
    hidden,
    phone,
    session_of,
)

OPA, OPB = Person.OPA, Person.OPB


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def run(work: Any) -> Any:
    return asyncio.run(work)


# --- the door -----------------------------------------------------------------------------------


def test_passkey_opens_the_door_and_the_cookie_is_kept_from_scripts_and_other_sites(house: House) -> None:
    reply = run(house.sign_in(OPB))
    said = reply.headers["set-cookie"].lower()
    assert (reply.status_code, reply.headers["location"]) == (303, "/acts")
    assert said.startswith(COOKIE.lower())
    assert all(word in said for word in ("httponly", "secure", "samesite=strict", "path=/"))
    assert "domain" not in said


@pytest.mark.fault("J3")
def test_passkey_of_a_stranger_opens_nothing_and_is_written_down(house: House) -> None:
    stranger = replace(phone(OPB), seed=99)
    reply = run(house.sign_in(OPB, stranger))
    assert (reply.status_code, "set-cookie" in reply.headers) == (403, False)
    assert [each.what for each in house.noted(NoteAttempt)] == ["sign-in"]


@pytest.mark.fault("J2")
def test_answer_to_a_challenge_opens_the_door_once(house: House) -> None:
    page = run(house.ask("/sign-in")).text
    form = {"challenge": hidden(page, "challenge"), "proof": phone(OPB).assertion(challenge_in(page))}
    assert run(house.ask("/sign-in/passkey", form)).status_code == 303
    assert run(house.ask("/sign-in/passkey", form)).status_code == 403


@pytest.mark.fault("J4")
def test_challenge_is_too_old_after_five_minutes(house: House) -> None:
    page = run(house.ask("/sign-in")).text
    form = {"challenge": hidden(page, "challenge"), "proof": phone(OPB).assertion(challenge_in(page))}
    house.clock.wait(300)
    assert run(house.ask("/sign-in/passkey", form)).status_code == 403


def with_password(house: House, password: str = PASSWORD, code: str = "", name: str = "OpB") -> Any:
    digits = code or pyotp.TOTP(SECRET).at(house.clock.now())
    return run(house.ask("/sign-in/password", {"name": name, "password": password, "proof": digits}))


def test_password_and_code_open_the_door_each_code_once(house: House) -> None:
    house.has_codes(OPB)
    assert with_password(house).status_code == 303
    assert with_password(house).status_code == 403  # the same code again
    house.clock.wait(30)
    house.clock.set_now(AT + timedelta(seconds=31))
    assert with_password(house, name=" opb ").status_code == 303


@pytest.mark.parametrize(
    ("password", "code", "name"),
    [
        ("wrong words are wrong", "", "OpB"),
        (PASSWORD, "000000", "OpB"),
        (PASSWORD, "", "OpA"),
        (PASSWORD, "", "x"),
    ],
)
def test_wrong_password_code_or_name_sound_alike(house: House, password: str, code: str, name: str) -> None:
    house.has_codes(OPB)
    reply = with_password(house, password, code, name)
    assert reply.status_code == 403
    assert "That was not right" in reply.text


@pytest.mark.fault("J1", "J14")
def test_ten_thousand_guesses_are_five_looks_and_lock_no_passkey_out(house: House) -> None:
    house.has_codes(OPB)
    looked = 0
    for number in range(10_000):
        who = ("password of OpB", "password from 10.0.0.9")
        if not house.office.visitors.wait_s(*who):
            looked += 1
            house.office.sign_in.by_password([], "OpB", f"guess number {number}", "000000", "10.0.0.9", "x")
        house.clock.set_now(AT + timedelta(seconds=number * 0.08))  # within 15 minutes
    assert looked == 5
    assert len(house.noted(NoteAttempt)) == 5  # what was not looked at fills no journal
    assert with_password(house).status_code == 429
    assert run(house.sign_in(OPB)).status_code == 303


@pytest.mark.fault("J1")
def test_pause_doubles_with_each_failure_and_ends(house: House) -> None:
    visitors, pauses = house.office.visitors, []
    for _ in range(5):
        visitors.failed("x")
        pauses.append(visitors.wait_s("x"))
        house.clock.set_now(house.clock.now() + timedelta(seconds=pauses[-1]))
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[4] == 15 * 60 - 15  # the first of the five was 15 seconds ago
    assert visitors.wait_s("x") == 0.0


@pytest.mark.fault("J10")
def test_session_ends_by_sign_out_by_idling_and_after_a_week(house: House) -> None:
    session = run(house.session(OPB))
    key = run(house.form_key(session))
    assert run(house.ask("/sign-out", {"form_key": key}, session)).status_code == 303
    assert run(house.ask("/acts", session=session)).headers["location"] == "/sign-in"

    idle = run(house.session(OPB))
    house.clock.set_now(AT + timedelta(hours=12))
    assert run(house.ask("/acts", session=idle)).status_code == 303

    busy = run(house.session(OPB))
    for hours in range(6, 169, 6):
        house.clock.set_now(AT + timedelta(hours=12 + hours))
        status = run(house.ask("/acts", session=busy)).status_code
        assert status == (200 if hours < 168 else 303)


def test_new_sign_in_ends_the_session_that_was_there(house: House) -> None:
    old = run(house.session(OPB))
    page = run(house.ask("/sign-in")).text
    form = {"challenge": hidden(page, "challenge"), "proof": phone(OPB).assertion(challenge_in(page))}
    new = session_of(run(house.ask("/sign-in/passkey", form, old)))
    assert new != old
    assert run(house.ask("/acts", session=old)).status_code == 303


@pytest.mark.fault("J13")
@pytest.mark.invariant("V27")
def test_person_sees_and_ends_his_own_sessions_elsewhere_and_nobody_elses(house: House) -> None:
    here, phone_lost, others = run(house.session(OPB)), run(house.session(OPB)), run(house.session(OPA))
    listed = [each.session for each in house.office.visitors.sessions(OPB)]
    assert len(listed) == 2
    key = run(house.form_key(here))
    (own,) = [each.session for each in house.office.visitors.sessions(OPA)]
    mine = house.office.visitors.visitor(here)
    assert mine is not None
    (elsewhere,) = set(listed) - {mine.session}
    for name in (own, elsewhere):
        reply = run(house.ask("/sign-out", {"form_key": key, "session": name}, here))
        assert reply.headers["location"] == "/acts"
    alive = [run(house.ask("/acts", session=each)).status_code for each in (here, phone_lost, others)]
    assert alive == [200, 303, 200]


def test_no_secret_lies_in_the_webs_file(house: House, tmp_path: Path) -> None:
    house.has_codes(OPB)
    session = run(house.session(OPB))
    code = house.office.visitors.invite(OPB)
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("web.db*"))
    assert not any(secret.encode() in raw for secret in (session, code, PASSWORD, SECRET))


# --- who reaches what ---------------------------------------------------------------------------

PAGES = ("/acts", "/acts/halt")
DEEDS = ("/acts/open", "/acts/approve", "/acts/reject", "/acts/revoke-override", "/acts/flatten", "/sign-out")


@pytest.mark.fault("J8")
@pytest.mark.parametrize("path", DEEDS)
@pytest.mark.parametrize(
    "origin", ["-", "null", "http://evil.example", "http://localhost:8701", f"{HOME}.evil.example"]
)
def test_form_from_elsewhere_is_refused(house: House, path: str, origin: str) -> None:
    session = run(house.session(OPB))
    house.asks()
    form = {"form_key": run(house.form_key(session)), "request": "request-1"}
    assert run(house.ask(path, form, session, origin=origin)).status_code == 403
    assert house.inbox == []


@pytest.mark.fault("J10")
@pytest.mark.parametrize("path", DEEDS)
@pytest.mark.parametrize("session", ["", "made-up", "expired", "signed out"])
def test_deed_without_a_session_that_lives_is_sent_to_the_door(house: House, path: str, session: str) -> None:
    cookie = session
    if session in ("expired", "signed out"):
        cookie = run(house.session(OPB))
        house.office.visitors.end_all(OPB) if session == "signed out" else None
        house.clock.set_now(AT + timedelta(days=8 if session == "expired" else 0))
    house.asks()
    reply = run(house.ask(path, {"form_key": "x", "request": "request-1"}, cookie))
    assert (reply.status_code, reply.headers["location"]) == (303, "/sign-in")
    assert house.inbox == []


@pytest.mark.fault("J8")
@pytest.mark.parametrize("path", DEEDS)
def test_form_of_another_session_is_refused(house: House, path: str) -> None:
    mine, other = run(house.session(OPB)), run(house.session(OPB))
    house.asks()
    form = {"form_key": run(house.form_key(other)), "request": "request-1"}
    assert run(house.ask(path, form, mine)).status_code == 403
    assert house.inbox == []


@pytest.mark.fault("J5")
@pytest.mark.invariant("V19")
@pytest.mark.parametrize("path", [path for path in DEEDS if path != "/sign-out"])
def test_opa_can_do_none_of_opbs_acts_and_each_try_is_written_down(house: House, path: str) -> None:
    session = run(house.session(OPA))
    house.asks()
    proof = phone(OPA).proof(challenge(REQUEST))
    form = {
        "form_key": run(house.form_key(session)),
        "request": "request-1",
        "token": "x",
        "proof": proof.body,
    }
    reply = run(house.ask(path, form, session))
    assert reply.status_code == 403
    assert "OpB alone" in reply.text
    assert [type(each) for each in house.inbox] == [NoteAttempt]


@pytest.mark.parametrize("path", [*PAGES, "/sign-in", "/enroll", *DEEDS])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_no_other_method_is_answered(house: House, path: str, method: str) -> None:
    assert run(house.ask(path, method=method)).status_code == 405


@pytest.mark.parametrize("path", ["/", "/api/health", "/api/performance", "/acts", "/live"])
def test_post_anywhere_else_is_refused(house: House, path: str) -> None:
    assert run(house.ask(path, {"a": "b"})).status_code == 405


@pytest.mark.fault("J8")
@pytest.mark.parametrize("path", ["/sign-in", *PAGES, "/enroll"])
def test_plain_page_has_a_strict_policy_and_cannot_be_framed_or_kept(house: House, path: str) -> None:
    session = run(house.session(OPB))
    headers = run(house.ask(path, session=session)).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["x-frame-options"], headers["cache-control"]) == ("DENY", "no-store")
    assert headers["referrer-policy"] == "same-origin"


def test_too_large_or_strange_form_is_refused(house: House) -> None:
    assert run(house.ask("/sign-in/password", {"name": "x" * 70_000})).status_code == 413
    assert run(house.ask("/sign-in/password", {"a": "b"}, content_type="text/plain")).status_code == 413


def test_private_server_shows_the_fund_to_its_operators_alone(tmp_path: Path) -> None:
    house = House(tmp_path, is_private=True)
    try:
        for path in ("/", "/api/performance", "/api/signals/active", "/api/openapi.json", "/live"):
            assert run(house.ask(path)).headers.get("location") == "/sign-in"
            assert run(house.ask(path, session="made-up")).headers.get("location") == "/sign-in"
        assert run(house.ask("/api/health")).status_code == 200
        session = run(house.session(OPA))
        assert run(house.ask("/", session=session)).status_code == 200
        assert run(house.ask("/api/performance", session=session)).status_code == 200
    finally:
        house.close()


# --- a request ----------------------------------------------------------------------------------


class Opened:
    """OpB in front of an open request."""

    def __init__(self, house: House) -> None:
        house.asks()
        self.house, self.session = house, run(house.session(OPB))
        self.key = run(house.form_key(self.session))
        self.reply = self.post("/acts/open")
        self.token = self.reply.text.split('class="token">')[1].split("<")[0]

    def post(self, path: str, **form: str) -> Any:
        said = {"form_key": self.key, "request": "request-1", **form}
        reply = run(self.house.ask(path, said, self.session))
        if "set-cookie" in reply.headers:  # a browser goes on under the new session
            self.session = session_of(reply)
            self.key = run(self.house.form_key(self.session))
        return reply

    def approve(self, token: str = "", signed: bytes | None = None, person: Person = OPB) -> Any:
        proof = phone(person).proof(challenge(REQUEST) if signed is None else signed)
        return self.post("/acts/approve", token=token or self.token, proof=proof.body)


def test_opb_sees_the_exact_text_and_a_token_of_which_only_the_hash_leaves(house: House) -> None:
    opened = Opened(house)
    assert "Trade again at half size." in opened.reply.text
    (said,) = house.noted(OpenRequest)
    assert said.token_hash == token_hash(opened.token, REQUEST)
    assert opened.token not in repr(house.inbox)
    assert len(opened.token.replace("-", "")) == 12


@pytest.mark.fault("J2")
@pytest.mark.invariant("V19")
def test_token_and_passkey_approve_once(house: House) -> None:
    opened = Opened(house)
    assert opened.approve(opened.token.lower().replace("-", " ")).status_code == 200
    assert opened.approve().status_code == 403
    (sent,) = house.noted(Approve)
    assert (sent.request_id, sent.by, sent.proof.kind) == ("request-1", "OpB", ProofKind.PASSKEY)
    assert sent.token_hash == token_hash(opened.token, REQUEST)


@pytest.mark.fault("J4")
def test_opening_it_again_shows_the_same_token_for_ten_minutes(house: House) -> None:
    opened = Opened(house)
    assert opened.token in opened.post("/acts/open").text
    house.clock.wait(600)
    assert opened.approve().status_code == 403
    assert opened.token not in opened.post("/acts/open").text
    assert house.noted(Approve) == []


@pytest.mark.fault("J3")
def test_five_wrong_tokens_end_it_and_each_is_written_down(house: House) -> None:
    opened = Opened(house)
    for _ in range(5):
        assert opened.approve("AAAA-BBBB-CCCC").status_code == 403
    assert opened.approve().status_code == 403  # the right one comes too late
    assert house.noted(Approve) == []
    assert [(each.request_id, each.reason) for each in house.noted(NoteAttempt)] == [
        ("request-1", "wrong token")
    ] * 5


@pytest.mark.fault("J3", "J5")
@pytest.mark.invariant("V19")
@pytest.mark.parametrize(
    ("signed", "person"),
    [
        (challenge(replace(REQUEST, text="Trade again at full size.")), OPB),
        (challenge(REQUEST), OPA),
        (b"", OPB),
    ],
)
def test_right_token_without_opbs_proof_over_this_text_is_refused(
    house: House, signed: bytes, person: Person
) -> None:
    opened = Opened(house)
    assert opened.approve(signed=signed, person=person).status_code == 403
    assert house.noted(Approve) == []
    assert "no proof" in house.noted(NoteAttempt)[0].reason


def test_code_approves_where_no_passkey_is_and_is_called_weaker(house: House) -> None:
    key = house.has_codes(OPB)
    opened = Opened(house)
    assert "weaker than a passkey" in opened.reply.text
    code = pyotp.TOTP(SECRET).at(house.clock.now())
    assert opened.post("/acts/approve", token=opened.token, key=key, proof=code).status_code == 200
    (sent,) = house.noted(Approve)
    assert sent.proof.kind is ProofKind.TOTP


def test_code_that_signed_in_does_not_approve_as_well(house: House) -> None:
    key = house.has_codes(OPB)
    assert with_password(house).status_code == 303
    opened = Opened(house)
    code = pyotp.TOTP(SECRET).at(house.clock.now())
    assert opened.post("/acts/approve", token=opened.token, key=key, proof=code).status_code == 403
    assert house.noted(Approve) == []


@pytest.mark.fault("J2")
@pytest.mark.invariant("V19")
def test_of_a_hundred_approvals_at_once_exactly_one_is_sent(house: House) -> None:
    opened = Opened(house)
    form = {
        "form_key": opened.key,
        "request": "request-1",
        "token": opened.token,
        "proof": phone(OPB).proof(challenge(REQUEST)).body,
    }

    async def all_at_once() -> list[int]:
        asked = [house.ask("/acts/approve", form, opened.session) for _ in range(100)]
        return [reply.status_code for reply in await asyncio.gather(*asked)]

    first, *others = sorted(run(all_at_once()))
    assert first == 200
    assert set(others) <= {303, 403}  # refused, or under a session that the first one ended
    assert len(house.noted(Approve)) == 1


def test_reject_is_one_tap(house: House) -> None:
    opened = Opened(house)
    assert opened.post("/acts/reject").status_code == 200
    assert opened.approve().status_code == 403
    assert [each.request_id for each in house.noted(Reject)] == ["request-1"]


def test_request_that_is_not_the_one_that_waits_is_refused(house: House) -> None:
    opened = Opened(house)
    for path in ("/acts/approve", "/acts/reject"):
        assert opened.post(path, request="request-0").status_code == 403
    assert house.noted(Approve) == house.noted(Reject) == []


# --- caution --------------------------------------------------------------------------------------


def test_halt_needs_opbs_proof_over_its_reason(house: House) -> None:
    session = run(house.session(OPB))
    page = run(house.ask("/acts/halt", session=session)).text
    form = {name: hidden(page, name) for name in ("form_key", "nonce", "reason")}
    assert challenge_in(page) == flatten_challenge(form["reason"], form["nonce"])
    proof = phone(OPB).proof(challenge_in(page)).body
    assert run(house.ask("/acts/flatten", {**form, "proof": "{}"}, session)).status_code == 403
    assert (
        run(house.ask("/acts/flatten", {**form, "reason": "other", "proof": proof}, session)).status_code
        == 403
    )
    assert house.noted(Flatten) == []
    assert run(house.ask("/acts/flatten", {**form, "proof": proof}, session)).status_code == 200
    (sent,) = house.noted(Flatten)
    assert (sent.by, sent.reason, sent.proof.body) == ("OpB", form["reason"], proof)


def test_override_is_revoked_only_while_there_is_one(house: House) -> None:
    session = run(house.session(OPB))
    form = {"form_key": run(house.form_key(session))}
    assert run(house.ask("/acts/revoke-override", form, session)).status_code == 403
    assert house.noted(RevokeOverride) == []


# --- enrolling ------------------------------------------------------------------------------------


def test_invitation_enrolls_one_passkey_once(house: House) -> None:
    code = house.office.visitors.invite(OPB)
    page = run(house.ask(f"/enroll?code={code}")).text
    form = {"code": code, "challenge": hidden(page, "challenge")}
    made = replace(phone(OPB), seed=77)
    form["proof"] = made.registration(challenge_in(page))
    assert run(house.ask("/enroll/passkey", form)).status_code == 200
    assert run(house.ask("/enroll/passkey", form)).status_code == 403
    (sent,) = house.noted(Enroll)
    assert (sent.by, sent.credential.person) == ("OpA", OPB)  # one key more: OpA asks, OpB approves
    assert sent.credential.credential_id == made.credential(OPB).credential_id
    assert run(house.ask(f"/enroll?code={code}")).status_code == 403


def test_invitation_enrolls_password_and_codes_after_the_first_code(house: House) -> None:
    code = house.office.visitors.invite(OPB)
    short = run(house.ask("/enroll/password", {"code": code, "password": "too short"}))
    assert (short.status_code, "15 characters" in short.text) == (403, True)
    page = run(house.ask("/enroll/password", {"code": code, "password": PASSWORD})).text
    secret = page.split("secret=")[1].split("&")[0]
    assert run(house.ask("/enroll/code", {"code": code, "proof": "000000"})).status_code == 403
    digits = pyotp.TOTP(secret).at(house.clock.now())
    assert run(house.ask("/enroll/code", {"code": code, "proof": digits})).status_code == 200
    (sent,) = house.noted(Enroll)
    assert sent.credential.kind is ProofKind.TOTP
    assert secret not in repr(house.inbox)
    assert house.office.visitors.is_password(sent.credential.credential_id, PASSWORD)


@pytest.mark.parametrize("code", ["", "made-up", "over"])
def test_without_an_invitation_nobody_is_enrolled(house: House, code: str) -> None:
    if code == "over":
        code = house.office.visitors.invite(OPB)
        house.clock.set_now(AT + timedelta(minutes=30))
    assert run(house.ask(f"/enroll?code={code}")).status_code == 403
    for path in ("passkey", "password", "code"):
        form = {"code": code, "challenge": "x", "proof": "{}", "password": PASSWORD}
        assert run(house.ask(f"/enroll/{path}", form)).status_code == 403
    assert house.inbox == []


@pytest.mark.fault("J11")
def test_what_people_wrote_is_escaped_on_every_page(house: House) -> None:
    evil = "<script>alert(1)</script>\"'&"
    house.asks(replace(REQUEST, text=evil, detail={evil: evil}))
    session = run(house.session(OPB))
    key = run(house.form_key(session))
    for reply in (
        run(house.ask("/acts", session=session, user_agent=evil)),
        run(house.ask("/acts/open", {"form_key": key}, session)),
        run(house.ask("/sign-in/password", {"name": evil, "password": evil, "proof": evil})),
    ):
        assert "<script>alert" not in reply.text
