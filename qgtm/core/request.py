"""What takes both operators: one asks for an act, fixed to its last detail, and the other approves it.

Either operator alone can make the system safer; it takes both to make it riskier. A request is a fact
in the journal, and an approval is over its exact text: `challenge` is what OpB's passkey signs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from qgtm.core.codec import canonical


class Person(StrEnum):
    """The two operators."""

    OPA = "OpA"
    OPB = "OpB"


class Act(StrEnum):
    """What takes both."""

    RESET = "reset"  # trade again after a hard cap, at half size
    LIMITS = "limits"  # loosen limits
    KEY = "key"  # replace or revoke an operator's key


class ProofKind(StrEnum):
    """How an operator proves to be there."""

    PASSKEY = "passkey"
    TOTP = "totp"  # weaker: whoever reads the server's files can compute it


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """An operator's enrolled key. For a passkey only the public half is here, base64url of its COSE form.

    `secret_id` names the file that holds a TOTP secret, which is never journaled; `fingerprint` is what
    people compare.
    """

    person: Person
    kind: ProofKind
    credential_id: str
    public_key: str
    fingerprint: str
    secret_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What an operator proved with: the whole assertion (JSON) of a passkey, or a TOTP's six digits.

    It is kept whole: anybody can verify an assertion again later. The digits are worthless a minute later.
    """

    kind: ProofKind
    credential_id: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One act that waits for the other operator.

    `text` is what both read. `epoch` is the halt that a reset answers, `detail` what else is fixed (limits
    by name, a key's fingerprint), `head` the journal's last row when it was made, `nonce` 256 random bits.
    Moments are of the wall clock; what expires is judged by process time besides.
    """

    request_id: str
    act: Act
    by: Person
    text: str
    epoch: int
    detail: Mapping[str, str]
    limits_sha: str
    head: str
    nonce: str
    made_at: datetime
    expires_at: datetime


class Outcome(StrEnum):
    """How a request ended."""

    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    EXHAUSTED = "exhausted"  # too many wrong tokens
    SUPERSEDED = "superseded"  # a newer request, or the state it was made for has gone


def challenge(request: Request) -> bytes:
    """Return the 32 bytes that an approval signs: SHA-256 of the request's canonical text."""
    return sha256(canonical(request).encode("ascii")).digest()


def flatten_challenge(reason: str, nonce: str) -> bytes:
    """Return the 32 bytes that OpB's proof of a halt-and-flatten signs."""
    return sha256(canonical({"act": "flatten", "nonce": nonce, "reason": reason}).encode("ascii")).digest()


def token_hash(token: str, request: Request) -> str:
    """Return what may leave the process that made a reset token: its hash, bound to the one request."""
    typed = "".join(token.split()).replace("-", "").upper()
    return sha256(challenge(request) + typed.encode("utf-8", "surrogatepass")).hexdigest()
