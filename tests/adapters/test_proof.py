"""What proves that an operator is there, and everything that does not."""

import json
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from hmac import digest
from pathlib import Path
from random import Random

import pytest

from qgtm.adapters.proof import (
    NotProven,
    Proven,
    Prover,
    Site,
    asserted_key,
    code_judged,
    fingerprint,
    passkey_from,
    provisioning_uri,
    totp_for,
)
from qgtm.core.request import Act, Person, Proof, ProofKind, Request, challenge, token_hash
from qgtm.simulation.authenticator import PRESENT, VERIFIED, Authenticator

NOW = datetime(2026, 3, 2, 15, 0, 10, tzinfo=UTC)
SITE = Site("fund.example", ("https://fund.example",))
ACT = b"\x07" * 32
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238, appendix B: "12345678901234567890"


def phone(seed: int = 11) -> Authenticator:
    return Authenticator("fund.example", "https://fund.example", seed)


def judged(
    authenticator: Authenticator, *, seen: bytes = ACT, last: int = 0, owner: Authenticator | None = None
):
    prover = Prover(SITE, Path("nowhere"))
    credential = (owner or authenticator).credential(Person.OPB)
    proof = replace(authenticator.proof(ACT), credential_id=credential.credential_id)
    return prover.judged(seen, proof, credential, last, NOW)


def test_passkey_over_the_exact_act_is_proven() -> None:
    assert isinstance(judged(phone()), Proven)


def test_passkey_over_another_act_is_not_proven() -> None:
    assert judged(phone(), seen=b"\x08" * 32) == NotProven("Client data challenge was not expected challenge")


@pytest.mark.parametrize("flags", [0, PRESENT, VERIFIED])
def test_passkey_without_presence_and_verification_is_not_proven(flags: int) -> None:
    found = judged(replace(phone(), flags=flags))
    assert isinstance(found, NotProven)
    assert "not verified" in found.reason or "not present" in found.reason


def test_passkey_of_another_site_is_not_proven() -> None:
    found = judged(replace(phone(), rp_id="evil.example"))
    assert found == NotProven("Unexpected RP ID hash")


def test_passkey_used_from_another_origin_is_not_proven() -> None:
    found = judged(replace(phone(), origin="https://evil.example"))
    assert isinstance(found, NotProven)
    assert "origin" in found.reason


@pytest.mark.fault("J5")
@pytest.mark.invariant("V19")
def test_signature_by_another_key_is_not_proven() -> None:
    assert isinstance(judged(phone(12), owner=phone(11)), NotProven)


def test_proof_that_names_another_key_than_the_enrolled_one_is_not_proven() -> None:
    prover = Prover(SITE, Path("nowhere"))
    found = prover.judged(ACT, phone(12).proof(ACT), phone(11).credential(Person.OPB), 0, NOW)
    assert found == NotProven("it is by another key than it says")


@pytest.mark.parametrize(
    ("count", "last", "is_proven"), [(0, 0, True), (5, 4, True), (4, 4, False), (3, 4, False)]
)
def test_counter_that_does_not_rise_is_not_proven(count: int, last: int, is_proven: bool) -> None:
    assert isinstance(judged(replace(phone(), count=count), last=last), Proven) is is_proven


@pytest.mark.fault("J3")
@pytest.mark.invariant("V19")
def test_every_flipped_bit_of_the_signed_parts_breaks_the_proof() -> None:
    draw, key = Random(5), phone()
    prover, credential, proof = Prover(SITE, Path("nowhere")), key.credential(Person.OPB), key.proof(ACT)
    for part in ("clientDataJSON", "authenticatorData", "signature"):
        for _ in range(40):
            said = json.loads(proof.body)
            raw = bytearray(urlsafe_b64decode(said["response"][part] + "=="))
            raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)
            said["response"][part] = urlsafe_b64encode(raw).rstrip(b"=").decode()
            forged = replace(proof, body=json.dumps(said))
            assert isinstance(prover.judged(ACT, forged, credential, 0, NOW), NotProven)


@pytest.mark.parametrize("body", ["", "{}", "null", "[]", '{"id": 3}', "\ud800", "x" * 20_000, "{" * 5000])
def test_nonsense_in_place_of_an_assertion_is_not_proven(body: str) -> None:
    proof = replace(phone().proof(ACT), body=body)
    found = Prover(SITE, Path("nowhere")).judged(ACT, proof, phone().credential(Person.OPB), 0, NOW)
    assert isinstance(found, NotProven)
    assert asserted_key(body) in ("", "3")


def test_passkey_is_enrolled_from_what_the_browser_answers() -> None:
    credential = passkey_from(phone().registration(ACT), ACT, SITE, Person.OPB)
    assert credential == replace(phone().credential(Person.OPB), fingerprint=fingerprint(phone().public_key))


@pytest.mark.parametrize(
    "registration",
    [
        phone().registration(b"\x09" * 32),
        replace(phone(), flags=PRESENT).registration(ACT),
        replace(phone(), rp_id="evil.example").registration(ACT),
        replace(phone(), origin="https://evil.example").registration(ACT),
        "{}",
        "nonsense",
    ],
)
def test_registration_that_cannot_be_believed_enrolls_nobody(registration: str) -> None:
    assert isinstance(passkey_from(registration, ACT, SITE, Person.OPB), NotProven)


# --- one-time codes -----------------------------------------------------------------------------


def code_at(at: datetime) -> str:
    """RFC 6238 by hand: HMAC-SHA-1 of the step, truncated as RFC 4226 section 5.3 says."""
    mac = digest(b"12345678901234567890", struct.pack(">Q", int(at.timestamp()) // 30), sha1)
    offset = mac[-1] & 0x0F
    return f"{(struct.unpack('>I', mac[offset : offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def typed(code: str) -> Proof:
    return Proof(kind=ProofKind.TOTP, credential_id="totp", body=code)


@pytest.mark.parametrize(
    ("late_s", "is_proven"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)]
)
def test_code_passes_within_one_step_of_its_own(late_s: int, is_proven: bool) -> None:
    found = code_judged(SECRET, typed(code_at(NOW - timedelta(seconds=late_s))), 0, NOW)
    assert isinstance(found, Proven) is is_proven


@pytest.mark.fault("J2")
def test_code_is_used_once_and_none_before_it_afterwards() -> None:
    first = code_judged(SECRET, typed(code_at(NOW)), 0, NOW)
    assert isinstance(first, Proven)
    again = code_judged(SECRET, typed(code_at(NOW)), first.count, NOW)
    before = code_judged(SECRET, typed(code_at(NOW - timedelta(seconds=30))), first.count, NOW)
    assert isinstance(again, NotProven)
    assert isinstance(before, NotProven)


@pytest.mark.parametrize("code", ["", "000000", "12345", "abcdef", "\ud800", "１２３４５６"])
def test_wrong_code_is_not_proven(code: str) -> None:
    assert isinstance(code_judged(SECRET, typed(code), 0, NOW), NotProven)


def test_code_is_verified_by_the_file_that_its_owner_alone_reads(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    credential = totp_for(Person.OPB, SECRET, folder)
    kept = next(folder.iterdir())
    assert kept.stat().st_mode & 0o777 == 0o600
    assert SECRET not in repr(credential)
    proof = Proof(kind=ProofKind.TOTP, credential_id=credential.credential_id, body=code_at(NOW))
    assert isinstance(Prover(SITE, folder).judged(ACT, proof, credential, 0, NOW), Proven)
    kept.unlink()
    assert isinstance(Prover(SITE, folder).judged(ACT, proof, credential, 0, NOW), NotProven)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a/b", "."])
def test_secret_id_that_is_a_path_opens_no_file(tmp_path: Path, name: str) -> None:
    credential = replace(totp_for(Person.OPB, SECRET, tmp_path), secret_id=name)
    proof = Proof(kind=ProofKind.TOTP, credential_id=credential.credential_id, body=code_at(NOW))
    assert isinstance(Prover(SITE, tmp_path).judged(ACT, proof, credential, 0, NOW), NotProven)


def test_authenticator_app_is_told_whose_code_it_is() -> None:
    assert provisioning_uri(SECRET, Person.OPB) == f"otpauth://totp/QGTM:OpB?secret={SECRET}&issuer=QGTM"


# --- what is signed -----------------------------------------------------------------------------

REQUEST = Request(
    request_id="request-4",
    act=Act.RESET,
    by=Person.OPA,
    text="Trade again at half size.",
    epoch=3,
    detail={"factor": "0.5"},
    limits_sha="l",
    head="12:abc",
    nonce="n",
    made_at=NOW,
    expires_at=NOW + timedelta(minutes=10),
)


@pytest.mark.fault("J3")
def test_every_altered_field_is_another_challenge() -> None:
    others = [
        replace(REQUEST, request_id="request-5"),
        replace(REQUEST, act=Act.LIMITS),
        replace(REQUEST, by=Person.OPB),
        replace(REQUEST, text="Trade again at full size."),
        replace(REQUEST, epoch=4),
        replace(REQUEST, detail={"factor": "1"}),
        replace(REQUEST, limits_sha="m"),
        replace(REQUEST, head="12:abd"),
        replace(REQUEST, nonce="o"),
        replace(REQUEST, made_at=NOW + timedelta(seconds=1)),
        replace(REQUEST, expires_at=NOW + timedelta(minutes=11)),
    ]
    assert len({challenge(each) for each in (REQUEST, *others)}) == 12


def test_token_is_typed_as_people_type_and_bound_to_its_request() -> None:
    assert token_hash(" k7qm-22xp ", REQUEST) == token_hash("K7QM22XP", REQUEST)
    assert token_hash("K7QM22XP", REQUEST) != token_hash("K7QM22XP", replace(REQUEST, nonce="o"))
