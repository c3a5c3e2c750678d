"""Two operators with keys made of text, and what an act is judged with, for the tests of what takes both."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from qgtm.core.commands import Approve, OpenRequest
from qgtm.core.events import Event, OperatorEnrolled, RequestMade
from qgtm.core.request import Credential, Person, Proof, ProofKind, Request, challenge, token_hash
from qgtm.engine.act import Seal
from qgtm.engine.authority import Moment
from qgtm.engine.state import State, folded
from tests.engine.making import LIMITS, NOON

WALL = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # people's time, which is not the venue's
TOKEN = "K7QD-22XM"


def key(person: Person, name: str = "") -> Credential:
    name = name or f"key of {person}"
    return Credential(
        person=person,
        kind=ProofKind.PASSKEY,
        credential_id=name,
        public_key=f"public {name}",
        fingerprint=sha256(name.encode()).hexdigest()[:8],
    )


def signature(challenged: bytes, name: str, count: int) -> str:
    return f"{count} {sha256(challenged + name.encode()).hexdigest()}"


def proof(challenged: bytes, by: Credential, count: int = 1) -> Proof:
    body = signature(challenged, by.credential_id, count)
    return Proof(kind=by.kind, credential_id=by.credential_id, body=body)


def verify(challenged: bytes, given: Proof, credential: Credential, last: int, at: datetime) -> int | str:
    """Return the count as a passkey's verification does: over this challenge, by this key, and a new one."""
    count = int(given.body.partition(" ")[0])
    if given.body != signature(challenged, credential.credential_id, count):
        return "the signature is over something else"
    return count if count > last or count == last == 0 else "this count was used already"


def moment(seconds: float = 0.0, *, epoch: int = 1, wall_s: float | None = None) -> Moment:
    wall = WALL + timedelta(seconds=seconds if wall_s is None else wall_s)
    return Moment(
        now=NOON + timedelta(seconds=seconds), wall_at=wall, monotonic_s=100.0 + seconds, epoch=epoch
    )


def seal(seconds: float = 0.0, **changes: Any) -> Seal:
    given: dict[str, Any] = {
        "at": moment(seconds),
        "head": "41 ab",
        "nonce": f"nonce {seconds}",
        "limits": LIMITS,
        "verify": verify,
    }
    return Seal(**{**given, **changes})


OPA, OPB = key(Person.OPA), key(Person.OPB)
ENROLLED: tuple[Event, ...] = (
    OperatorEnrolled(credential=OPA, by="OpA"),
    OperatorEnrolled(credential=OPB, by="OpA"),
)


def the_request(facts: list[Event]) -> Request:
    (made,) = (fact for fact in facts if isinstance(fact, RequestMade))
    return made.request


def opening(request: Request, token: str = TOKEN, by: str = "OpB") -> OpenRequest:
    return OpenRequest(request_id=request.request_id, token_hash=token_hash(token, request), by=by)


def approval(
    request: Request,
    token: str = TOKEN,
    by: str = "OpB",
    signer: Credential = OPB,
    over: Request | None = None,
    count: int = 1,
) -> Approve:
    return Approve(
        request_id=request.request_id,
        token_hash=token_hash(token, request),
        proof=proof(challenge(over or request), signer, count),
        by=by,
    )


def after(state: State, facts: list[Event]) -> State:
    return folded(facts, state)


Detail = Mapping[str, str]
