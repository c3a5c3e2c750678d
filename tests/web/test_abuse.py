"""What strangers, thieves, one operator alone and a full disk try on the plain pages; none gets through."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qgtm.adapters.database import open_writer
from qgtm.core.commands import Approve, Command, Enroll, Flatten, NoteAttempt
from qgtm.core.errors import JournalError
from qgtm.core.events import OperatorEnrolled, OperatorRevoked
from qgtm.core.instant import text_from_instant
from qgtm.core.request import Person, challenge
from qgtm.web.act import Done, Refused
from qgtm.web.app import guarded
from qgtm.web.challenge import Challenges
from qgtm.web.gate import door_of
from qgtm.web.visitor import APPLICATION_ID, MIGRATIONS, Visitors
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


# --- strangers ------------------------------------------------------------------------------------


@pytest.mark.fault("J14")
@pytest.mark.fault("J1", "J14")
def test_flood_of_strangers_at_the_same_address_locks_no_passkey_out(house: House) -> None:
    async def all_of_it() -> int:
        page = (await house.ask("/sign-in")).text  # OpB's, who then looks at his phone
        for number in range(700):  # more pages than any list of open challenges would hold
            stranger = (await house.ask("/sign-in")).text if number % 7 == 0 else page
            form = {"challenge": hidden(stranger, "challenge"), "proof": '{"id": "x"}'}
            assert (await house.ask("/sign-in/passkey", form)).status_code == 403
            await house.ask("/sign-in")
        form = {"challenge": hidden(page, "challenge"), "proof": phone(OPB).assertion(challenge_in(page))}
        return int((await house.ask("/sign-in/passkey", form)).status_code)

    assert run(all_of_it()) == 303
    noted = house.noted(NoteAttempt)
    assert len(noted) == 5  # in a quarter of an hour
    assert "not written down" in noted[-1].reason


def test_failed_passkeys_are_written_down_again_after_a_quarter_of_an_hour(house: House) -> None:
    for _ in range(9):
        run(house.ask("/sign-in/passkey", {"challenge": "00", "proof": "{}"}))
    house.clock.set_now(AT + timedelta(minutes=15))
    run(house.ask("/sign-in/passkey", {"challenge": "00", "proof": "{}"}))
    assert len(house.noted(NoteAttempt)) == 6


@pytest.mark.fault("J3")
@pytest.mark.parametrize("at", [0, 31, 39, 40, 71])
def test_challenge_of_which_a_bit_is_flipped_was_never_given(at: int) -> None:
    challenges = Challenges(lambda: 100.0)
    name, given_out = challenges.give()
    assert challenges.open(name) == given_out
    raw = bytearray.fromhex(name)
    raw[at] ^= 1
    assert challenges.open(raw.hex()) is None
    assert challenges.open(name[:-2]) is None
    assert Challenges(lambda: 100.0).open(name) is None  # of another process
    challenges.spend(name)
    assert challenges.open(name) is challenges.open(name.upper()) is None


# --- thieves --------------------------------------------------------------------------------------


@pytest.mark.fault("J1", "J10")
def test_thief_of_a_cookie_cannot_guess_the_code_that_closes_everything(house: House) -> None:
    key, session = house.has_codes(OPB), run(house.session(OPB))
    form = {"form_key": run(house.form_key(session)), "nonce": "n", "reason": "because", "key": key}
    digits = pyotp.TOTP(SECRET).at(house.clock.now())

    async def guess() -> None:
        for number in range(200):
            await house.ask("/acts/flatten", {**form, "proof": f"{number:06}"}, session)

    run(guess())
    assert run(house.ask("/acts/flatten", {**form, "proof": digits}, session)).status_code == 403
    assert house.noted(Flatten) == []
    page = run(house.ask("/acts/halt", session=session)).text  # the passkey closes everything all the same
    form = {name: hidden(page, name) for name in ("form_key", "nonce", "reason")}
    form["proof"] = phone(OPB).proof(challenge_in(page)).body
    assert run(house.ask("/acts/flatten", form, session)).status_code == 200


@pytest.mark.fault("J10")
def test_proof_gives_the_session_a_new_id_and_ends_the_old_one(house: House) -> None:
    old = run(house.session(OPB))
    page = run(house.ask("/acts/halt", session=old)).text
    form = {name: hidden(page, name) for name in ("form_key", "nonce", "reason")}
    new = session_of(
        run(house.ask("/acts/flatten", {**form, "proof": phone(OPB).proof(challenge_in(page)).body}, old))
    )
    assert new != old
    assert run(house.ask("/acts", session=old)).status_code == 303
    assert run(house.ask("/acts", session=new)).status_code == 200
    assert run(house.form_key(new)) != form["form_key"]


@pytest.mark.fault("J10")
@pytest.mark.parametrize("is_private", [False, True])
@pytest.mark.fault("J10")
def test_session_ends_with_the_key_that_opened_it(tmp_path: Path, is_private: bool) -> None:
    house = House(tmp_path, is_private=is_private)
    try:
        session, path = run(house.session(OPB)), "/" if is_private else "/acts"
        assert run(house.ask(path, session=session)).status_code == 200
        key = phone(OPB).credential(OPB).credential_id
        house.happens(OperatorRevoked(credential_id=key, reason="stolen", by="OpB"))
        assert run(house.ask(path, session=session)).headers["location"] == "/sign-in"
    finally:
        house.close()


@pytest.mark.fault("J1", "J3")
def test_ten_thousand_tokens_are_five_looks_whatever_comes_with_them(house: House) -> None:
    house.asks()
    stands = run(house.office.now_persons())[1]
    token = house.office.acts.open(OPB, stands)
    proof = phone(OPB).proof(challenge(REQUEST))
    for number in range(10_000):
        found = house.office.acts.approve(OPB, stands, "request-1", f"{number:012}", proof)
        assert isinstance(found, Refused)
    assert isinstance(house.office.acts.approve(OPB, stands, "request-1", str(token), proof), Refused)
    assert len(house.noted(NoteAttempt)) == 5
    assert house.noted(Approve) == []


@pytest.mark.parametrize("at", range(14))
def test_token_of_which_one_letter_is_another_is_refused(house: House, at: int) -> None:
    house.asks()
    stands = run(house.office.now_persons())[1]
    token = str(house.office.acts.open(OPB, stands))
    changed = token[:at] + ("2" if token[at] != "2" else "3") + token[at + 1 :]
    proof = phone(OPB).proof(challenge(REQUEST))
    for typed in (changed, token[:at], ""):
        assert isinstance(house.office.acts.approve(OPB, stands, "request-1", typed, proof), Refused)
    assert isinstance(house.office.acts.approve(OPB, stands, "request-1", f" {token.lower()} ", proof), Done)


# --- one operator alone ---------------------------------------------------------------------------


def enroll_codes(house: House, person: Person, password: str) -> str:
    """Return the one-time secret that an invitation led to."""
    code = house.office.visitors.invite(person)
    page = run(house.ask("/enroll/password", {"code": code, "password": password})).text
    secret = str(page.split("secret=")[1].split("&")[0])
    digits = pyotp.TOTP(secret).at(house.clock.now())
    assert run(house.ask("/enroll/code", {"code": code, "proof": digits})).status_code == 200
    return secret


@pytest.mark.fault("J6")
@pytest.mark.fault("J6")
def test_invitation_replaces_no_password_before_the_key_is_approved(house: House) -> None:
    house.has_codes(OPB)
    secret = enroll_codes(house, OPB, "known to whoever has it")
    (asked,) = house.noted(Enroll)
    assert asked.by == "OpA"

    def sign_in(password: str, of: str) -> int:
        house.clock.set_now(house.clock.now() + timedelta(minutes=1))
        digits = pyotp.TOTP(of).at(house.clock.now())
        form = {"name": "OpB", "password": password, "proof": digits}
        return int(run(house.ask("/sign-in/password", form)).status_code)

    assert sign_in("known to whoever has it", secret) == 403
    assert sign_in("known to whoever has it", SECRET) == 403  # the new password, the old codes
    assert sign_in(PASSWORD, SECRET) == 303
    house.happens(OperatorEnrolled(credential=asked.credential, by="OpA"))
    assert sign_in("known to whoever has it", SECRET) == 403
    assert sign_in("known to whoever has it", secret) == 303


@pytest.mark.fault("J6")
def test_first_key_is_its_owners_wish_and_one_more_is_opas(tmp_path: Path) -> None:
    house = House(tmp_path)
    try:
        house.happens(
            OperatorRevoked(credential_id=phone(OPB).credential(OPB).credential_id, reason="r", by="OpA")
        )
        enroll_codes(house, OPB, PASSWORD)
        enroll_codes(house, OPA, PASSWORD)
        assert [each.by for each in house.noted(Enroll)] == ["OpB", "OpA"]
    finally:
        house.close()


def test_invitation_is_over_a_second_after_its_half_hour_and_stays_with_its_person(house: House) -> None:
    code = house.office.visitors.invite(OPA)
    assert house.office.visitors.invited(code) is OPA
    assert "Enroll OpA" in run(house.ask(f"/enroll?code={code}")).text
    house.clock.set_now(AT + timedelta(minutes=29, seconds=59))
    assert house.office.visitors.invited(code) is OPA
    house.clock.set_now(AT + timedelta(minutes=30))
    assert house.office.visitors.invited(code) is None


@pytest.mark.fault("J4")
@pytest.mark.fault("J4")
def test_request_is_approved_in_its_last_second_and_not_after(house: House) -> None:
    house.asks()
    session = run(house.session(OPB))
    form = {"form_key": run(house.form_key(session)), "request": "request-1"}
    token = run(house.ask("/acts/open", form, session)).text.split('class="token">')[1].split("<")[0]
    form |= {"token": token, "proof": phone(OPB).proof(challenge(REQUEST)).body}
    house.clock.set_now(REQUEST.expires_at)
    assert run(house.ask("/acts/approve", form, session)).status_code == 403
    assert house.noted(Approve) == []
    house.clock.set_now(REQUEST.expires_at - timedelta(seconds=1))
    assert run(house.ask("/acts/approve", form, session)).status_code == 200


# --- a disk that takes nothing --------------------------------------------------------------------


def test_what_cannot_be_written_is_said_and_burns_neither_token_nor_invitation(house: House) -> None:
    house.asks()
    session = run(house.session(OPB))
    form = {"form_key": run(house.form_key(session)), "request": "request-1"}
    token = run(house.ask("/acts/open", form, session)).text.split('class="token">')[1].split("<")[0]
    form |= {"token": token, "proof": phone(OPB).proof(challenge(REQUEST)).body}
    code = house.office.visitors.invite(OPB)
    page = run(house.ask(f"/enroll?code={code}")).text
    made = replace(phone(OPB), seed=77).registration(challenge_in(page))
    enroll = {"code": code, "challenge": hidden(page, "challenge"), "proof": made}

    def full(command: Command) -> None:
        raise JournalError("inbox.db has no room left")

    works = house.office.acts.put
    house.office.acts.put = house.office.enrolling.put = full
    for reply in (
        run(house.ask("/acts/approve", form, session)),
        run(house.ask("/enroll/passkey", enroll)),
    ):
        assert (reply.status_code, "Nothing was done" in reply.text) == (503, True)
        assert "inbox.db" not in reply.text
        assert "unsafe" not in reply.headers["content-security-policy"]
    house.office.acts.put = house.office.enrolling.put = works
    assert run(house.ask("/acts/approve", form, session)).status_code == 200
    assert run(house.ask("/enroll/passkey", enroll)).status_code == 200


def test_full_disk_signs_nobody_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    session = run(house.session(OPB))

    def full(sql: str, values: tuple[object, ...]) -> None:
        raise JournalError("web.db has no room left")

    monkeypatch.setattr(house.office.visitors, "_write", full)
    house.clock.set_now(AT + timedelta(hours=1))
    assert run(house.ask("/acts", session=session)).status_code == 200


def test_private_server_that_cannot_read_who_is_signed_in_lets_nobody_in(tmp_path: Path) -> None:
    house = House(tmp_path, is_private=True)
    try:
        session = run(house.session(OPB))

        def broken(session: str) -> None:
            raise JournalError("web.db is damaged")

        house.office.visitors.visitor = broken  # type: ignore[method-assign,assignment]
        reply = run(house.ask("/", session=session))
        assert (reply.status_code, "web.db" in reply.text) == (503, False)
        house.app = guarded(house.app, door_of("127.0.0.1", 8700), house.clock, None, is_private=True)
        assert run(house.ask("/", session=session)).status_code == 503
        assert run(house.ask("/api/health")).status_code == 200
    finally:
        house.close()


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/sign-in", "/acts", "/acts/halt", "/enroll?code=a%26b"])
def test_page_called_by_number_leads_to_the_name_a_passkey_is_bound_to(house: House, path: str) -> None:
    reply = run(house.ask(path, host="127.0.0.1:8700"))
    assert (reply.status_code, reply.headers["location"]) == (303, f"{HOME}{path}")


def test_phone_that_calls_by_number_is_told_what_is_missing(house: House) -> None:
    house.app = guarded(house.app, door_of("0.0.0.0", 8700), house.clock, house.office)
    gate = house.app.app.app.app  # type: ignore[attr-defined] # the inner gate knows loopback alone
    house.app = guarded(gate, door_of("0.0.0.0", 8700), house.clock, house.office)
    reply = run(house.ask("/sign-in", host="192.168.1.7:8700"))
    assert (reply.status_code, "web.origin" in reply.text) == (403, True)


@pytest.mark.parametrize("is_https", [False, True])
def test_browser_is_told_to_come_by_https_alone_where_there_is_https(house: House, is_https: bool) -> None:
    app = guarded(house.app, door_of("127.0.0.1", 8700), house.clock, house.office, is_https=is_https)
    house.app = app
    for path in ("/", "/sign-in", "/api/health", "/nowhere"):
        said = run(house.ask(path)).headers.get("strict-transport-security", "")
        assert said.startswith("max-age=31536000") is is_https


# --- anything at all ------------------------------------------------------------------------------

PATHS = (
    "/", "/sign-in", "/sign-in/passkey", "/sign-in/password", "/sign-out", "/enroll", "/enroll/passkey",
    "/enroll/password", "/enroll/code", "/acts", "/acts/halt", "/acts/open", "/acts/approve", "/acts/reject",
    "/acts/revoke-override", "/acts/flatten", "/api/health", "/api/performance", "/api/signals/active",
)  # fmt: skip
FIELDS = ("form_key", "request", "token", "proof", "key", "code", "challenge", "password", "name", "nonce",
          "reason", "session")  # fmt: skip
ANY = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["request-1", "OpB", "OpA", "{}", "[]", '{"id": 1}', '{"id": "\\ud800"}', "[" * 5000, "0" * 600]
    ),
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, dict[Person, str]]]:
    house = House(tmp_path_factory.mktemp("fuzzed"))
    house.has_codes(OPB)
    house.asks()
    yield house, {person: run(house.session(person)) for person in Person}
    house.close()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(PATHS),
    form=st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=6),
    who=st.sampled_from([None, OPA, OPB]),
    is_own=st.booleans(),
    is_post=st.booleans(),
    query=st.text(max_size=20),
)
def test_whatever_is_sent_is_answered_and_never_fails_inside(
    fuzzed: tuple[House, dict[Person, str]], path: str, form: dict[str, str], who: Person | None,
    is_own: bool, is_post: bool, query: str,
) -> None:  # fmt: skip
    house, sessions = fuzzed
    session = sessions[who] if who else ""
    if path == "/sign-out":
        form = {**form, "session": "another"}
    if is_own and who:
        form = {**form, "form_key": run(house.form_key(session))}
    with suppress(UnicodeEncodeError):  # what a client cannot even send
        address = path if is_post else str(httpx.URL(path, params={"code": query}))
        reply = run(house.ask(address, form if is_post else None, session))
        assert reply.status_code in (200, 303, 403, 405, 413, 422, 429), (path, form, reply.text)
        assert reply.headers.get("location", "/").startswith("/")
        assert "set-cookie" not in reply.headers or path == "/sign-out"
        assert not any(isinstance(each, (Approve, Flatten, Enroll)) for each in house.inbox)


def test_file_of_an_older_version_is_brought_up_and_everybody_signs_in_anew(tmp_path: Path) -> None:
    path = tmp_path / "web.db"
    old = open_writer(path, APPLICATION_ID, MIGRATIONS[:1])
    now = text_from_instant(AT)
    old.execute("INSERT INTO session VALUES ('x', 'OpB', 'k', ?, ?, 'a')", (now, now))
    old.execute("INSERT INTO password VALUES ('OpB', 'hash')")
    old.close()
    with closing(Visitors(path, lambda: AT)) as visitors:
        assert visitors.sessions(OPB) == ()
        session = visitors.begin(OPB, "key", "a")
        assert visitors.visitor(session) is not None
