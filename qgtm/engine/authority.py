# A print of notebooks/engine/authority.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Authority.

Who may let the fund take more risk: whose keys count, what waits for the second person, and what makes a yes.
"""

# cell 5 of notebooks/engine/authority.ipynb
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from qgtm.core.commands import Approve
from qgtm.core.record import renewed
from qgtm.core.request import Act, Credential, Person, Proof, Request, challenge


# cell 6 of notebooks/engine/authority.ipynb
@dataclass(frozen=True)
class Params:
    """Name the knobs of this notebook; `PARAMS` holds their values."""

    attempts: int
    lifetime_s: int


PARAMS = Params(
    attempts=5,  # refused approvals that end a request [1, 10]
    lifetime_s=600,  # seconds a request waits for its approval [60, 3600]
)
NONCES_KEPT: Final = 200
Verify = Callable[[bytes, Proof, Credential, int, datetime], int | str]
"""Return the count that a proof of the challenge shows, or why it does not hold: (challenge, proof,
credential, highest count so far, the wall's now). Verified outside, since keys are no matter of ours."""


# cell 8 of notebooks/engine/authority.ipynb
@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Hold a request that waits: which daemon made it (its epoch), at what process time, and what came since.

    `token_hash` is empty until the other person's page has opened it.
    """

    request: Request
    epoch: int
    made_s: float
    token_hash: str = ""
    attempts: int = 0


@dataclass(frozen=True, kw_only=True)
class Authority:
    """Hold the enrolled keys and the requests that stand, both by their id.

    `counts` is the highest count that each key has proven with. `ever` names who has ever had a key: to
    such a person a key without the other's yes is never enrolled again. `made` counts requests.
    """

    credentials: Mapping[str, Credential] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    ever: tuple[Person, ...] = ()
    standing: Mapping[str, Standing] = field(default_factory=dict)
    made: int = 0
    nonces: tuple[str, ...] = ()

    def keys_of(self, person: Person) -> tuple[Credential, ...]:
        """Return the person's keys, in the order of their ids."""
        return tuple(key for _, key in sorted(self.credentials.items()) if key.person is person)

    def standing_for(self, act: Act) -> tuple[Standing, ...]:
        """Return the requests for `act` that stand, in the order in which they were made."""
        return tuple(each for each in self.standing.values() if each.request.act is act)


# cell 10 of notebooks/engine/authority.ipynb
def enrolled(authority: Authority, credential: Credential) -> Authority:
    """Return the authority with a key more."""
    ever = tuple(sorted({*authority.ever, credential.person}))
    keys = {**authority.credentials, credential.credential_id: credential}
    return renewed(authority, credentials=keys, ever=ever)


def revoked(authority: Authority, credential_id: str) -> Authority:
    """Return the authority without a key; its count stays, so that nothing old counts if it comes back."""
    keys = {name: key for name, key in authority.credentials.items() if name != credential_id}
    return renewed(authority, credentials=keys)


def made(authority: Authority, request: Request, epoch: int, monotonic_s: float) -> Authority:
    """Return the authority with a request that stands, made by the daemon of `epoch` at a process time."""
    waiting = Standing(request=request, epoch=epoch, made_s=monotonic_s)
    return renewed(
        authority,
        standing={**authority.standing, request.request_id: waiting},
        made=authority.made + 1,
        nonces=(*authority.nonces, request.nonce)[-NONCES_KEPT:],
    )


def opened(authority: Authority, request_id: str, token_hash: str) -> Authority:
    """Return the authority with the request's token known by its hash; attempts that were made stay made."""
    return _with(authority, request_id, token_hash=token_hash)


def attempted(authority: Authority, request_id: str) -> Authority:
    """Return the authority after an approval was refused; a request that does not stand counts nothing."""
    waiting = authority.standing.get(request_id)
    return authority if waiting is None else _with(authority, request_id, attempts=waiting.attempts + 1)


def _with(authority: Authority, request_id: str, **news: object) -> Authority:
    waiting = authority.standing.get(request_id)
    if waiting is None:
        return authority
    standing = {**authority.standing, request_id: replace(waiting, **news)}  # type: ignore[arg-type]
    return renewed(authority, standing=standing)


def ended(authority: Authority, request_id: str, proof: Proof | None = None, count: int = 0) -> Authority:
    """Return the authority after a request ended; the key that proved has `count` behind it."""
    standing = {name: each for name, each in authority.standing.items() if name != request_id}
    after = renewed(authority, standing=standing)
    return after if proof is None else proven(after, proof.credential_id, count)


def proven(authority: Authority, credential_id: str, count: int, nonce: str = "") -> Authority:
    """Return the authority after a key has proven with `count`, over `nonce` where the act was no request."""
    highest = max(count, authority.counts.get(credential_id, 0))
    nonces = (*authority.nonces, nonce)[-NONCES_KEPT:] if nonce else authority.nonces
    return renewed(authority, counts={**authority.counts, credential_id: highest}, nonces=nonces)


# cell 12 of notebooks/engine/authority.ipynb
@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Hold what the clocks say: venue time, the wall's (both aware), and process time in seconds.

    `epoch` is the lease of the daemon whose process time it is.
    """

    now: datetime
    wall_at: datetime
    monotonic_s: float
    epoch: int


@dataclass(frozen=True, slots=True)
class Yes:
    """Hold an approval that counts: of which request, and what the key's count is now."""

    waiting: Standing
    count: int


def why_over(waiting: Standing, at: Moment) -> str | None:
    """Return why a request's time is over, None while it stands.

    By the wall, or by process time: whichever is first. A restart ends it, since process time began anew.
    """
    request = waiting.request
    if waiting.epoch != at.epoch:
        return "the daemon has been started anew since it was made"
    is_late = at.monotonic_s - waiting.made_s >= PARAMS.lifetime_s or at.wall_at >= request.expires_at
    return f"it waited for {PARAMS.lifetime_s // 60} minutes" if is_late else None


def judged(authority: Authority, approval: Approve, at: Moment, verify: Verify | None) -> Yes | str:
    """Return the yes that an approval is, or why it is none. Raises nothing that `verify` does not."""
    waiting = authority.standing.get(approval.request_id)
    if waiting is None:
        return f"no request {approval.request_id[:40]!r} stands: it has ended, or there never was one"
    return (
        _why_not_the_other(waiting, approval)
        or why_over(waiting, at)
        or _why_not_the_token(waiting, approval)
        or _proven(authority, waiting, approval, at, verify)
    )


def _why_not_the_other(waiting: Standing, approval: Approve) -> str | None:
    if approval.by not in list(Person):
        return f"{approval.by[:40]!r} is no operator"
    is_same = approval.by == waiting.request.by
    return f"{approval.by} asked for it and cannot approve it as well" if is_same else None


def _why_not_the_token(waiting: Standing, approval: Approve) -> str | None:
    if not waiting.token_hash:
        return "it has not been opened on the page yet, so no token can be right"
    told, known = (
        each.encode("utf-8", "surrogatepass") for each in (approval.token_hash, waiting.token_hash)
    )
    return None if hmac.compare_digest(told, known) else "the token is wrong"


def _proven(
    authority: Authority, waiting: Standing, approval: Approve, at: Moment, verify: Verify | None
) -> Yes | str:
    proof = approval.proof
    found = proof_count(authority, Person(approval.by), challenge(waiting.request), proof, at, verify)
    return Yes(waiting, found) if isinstance(found, int) else found


def proof_count(
    authority: Authority, person: Person, challenged: bytes, proof: Proof, at: Moment, verify: Verify | None
) -> int | str:
    """Return the count of a proof by one of the person's enrolled keys, or why it does not hold."""
    key = authority.credentials.get(proof.credential_id)
    if key is None:
        return "the key is not enrolled"
    if key.person is not person:
        return f"the key is {key.person}'s and not {person}'s"
    if key.kind is not proof.kind:
        return f"the key is enrolled as a {key.kind}, and the proof is by {proof.kind}"
    if verify is None:
        return "no proof can be verified here: name the page's address in the configuration"
    return verify(challenged, proof, key, authority.counts.get(key.credential_id, 0), at.wall_at)


__all__ = [
    "NONCES_KEPT",
    "PARAMS",
    "Authority",
    "Moment",
    "Params",
    "Standing",
    "Verify",
    "Yes",
    "attempted",
    "ended",
    "enrolled",
    "judged",
    "made",
    "opened",
    "proof_count",
    "proven",
    "revoked",
    "why_over",
]
