"""OpB's three acts: approve or reject a request, end an override, halt and flatten. All through the inbox.

The token of a request is made here when OpB opens it and never leaves this process but on OpB's own page:
the inbox gets its hash. The daemon verifies everything again.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from qgtm.adapters.chance import random_letters, random_text
from qgtm.adapters.proof import NotProven, Proven, Prover
from qgtm.core.commands import Approve, Command, Flatten, NoteAttempt, OpenRequest, Reject, RevokeOverride
from qgtm.core.request import (
    Credential,
    Person,
    Proof,
    ProofKind,
    Request,
    challenge,
    flatten_challenge,
    token_hash,
)
from qgtm.views.persons import Persons
from qgtm.web.visitor import Visitors

LETTERS: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # none that look alike
TOKEN_LETTERS: Final = 12  # 59 bits, against five tries in ten minutes
GOOD_FOR_S: Final = 600.0
TRIES: Final = 5
NOT_OPB: Final = "This is for OpB alone. It was written down."
LEAST_REASON: Final = 3  # characters
MOST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Done:
    """What was asked lies in the inbox; `sentence` says what comes next."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was sent."""

    sentence: str


@dataclass
class _Opened:
    request: Request
    token: str
    made_s: float
    tries: int = 0


@dataclass
class Acts:
    """Do OpB's acts; called from one thread, so that of two tries at once exactly one wins.

    `put` gives the daemon a command, `now` is the wall clock, `monotonic` process time in seconds.
    """

    visitors: Visitors
    prover: Prover
    put: Callable[[Command], None]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    _opened: _Opened | None = field(default=None)

    # -- a request -----------------------------------------------------------------------

    def open(self, person: Person, persons: Persons) -> str | Refused:
        """Return the token of the request that waits, made anew when it was not opened here before."""
        request = persons.request
        if person is not Person.OPB or request is None:
            return self._refused(person, "open a request", request, None if request else "Nothing waits.")
        known = self._known(request)
        if known is None:
            token = random_letters(LETTERS, TOKEN_LETTERS)
            known = _Opened(request, token, self.monotonic())
            self.put(
                OpenRequest(
                    request_id=request.request_id, token_hash=token_hash(token, request), by=person.value
                )
            )
            self._opened = known
        return grouped(known.token)

    def approve(
        self, person: Person, persons: Persons, request_id: str, typed: str, proof: Proof
    ) -> Done | Refused:
        """Send an approval: the right person, the right token, in time, with a proof over the exact text."""
        request = persons.request
        if person is not Person.OPB:
            return self._refused(person, "approve", request)
        if request is None or request.request_id != request_id or self.now() >= request.expires_at:
            return Refused("This request is over. Go back and read what waits now.")
        known = self._known(request)
        if known is None:
            return Refused("The token is ten minutes old or more. Open the request again.")
        return self._typed(known, persons, typed, proof)

    def _typed(self, known: _Opened, persons: Persons, typed: str, proof: Proof) -> Done | Refused:
        request = known.request
        known.tries += 1
        if known.tries > TRIES:
            return Refused("Five tries that did not hold ended this request. OpA has to ask again.")
        if not hmac.compare_digest(token_hash(typed, request), token_hash(known.token, request)):
            left = TRIES - known.tries
            self.put(_attempt(request, "wrong token"))
            return Refused(f"That is not the token. {left} {'try' if left == 1 else 'tries'} left.")
        judged = self._judged(challenge(request), persons, proof)
        if isinstance(judged, NotProven):
            self.put(_attempt(request, f"no proof: {judged.reason}"))
            return Refused(f"The proof does not hold: {judged.reason}.")
        self.put(
            Approve(
                request_id=request.request_id,
                token_hash=token_hash(known.token, request),
                proof=proof,
                by=Person.OPB.value,
            )
        )
        self._opened = None  # a token is good for one approval
        return Done("Sent. The system checks it once more by itself; the answer comes here in a moment.")

    def reject(self, person: Person, persons: Persons, request_id: str) -> Done | Refused:
        """Turn the request down; one tap, and no proof: it makes nothing riskier."""
        request = persons.request
        if person is not Person.OPB:
            return self._refused(person, "reject", request)
        if request is None or request.request_id != request_id:
            return Refused("This request is over.")
        self._opened = None
        self.put(Reject(request_id=request_id, reason="rejected on the page", by=person.value))
        return Done("Rejected. Nothing changes; OpA is told.")

    # -- what only adds caution ----------------------------------------------------------

    def revoke_override(self, person: Person, persons: Persons) -> Done | Refused:
        """End the soft cap's override."""
        if person is not Person.OPB:
            return self._refused(person, "revoke the override", None)
        if not persons.override:
            return Refused("No override is in force.")
        self.put(RevokeOverride(reason="revoked on the page", by=person.value))
        return Done("Sent. The soft cap acts again as soon as the system has taken it.")

    def flatten(
        self, person: Person, persons: Persons, reason: str, nonce: str, proof: Proof
    ) -> Done | Refused:
        """Halt and close everything."""
        if person is not Person.OPB:
            return self._refused(person, "halt and close everything", None)
        if len(reason.strip()) < LEAST_REASON:
            return Refused("Say why in a word or two; it is written down.")
        if len(reason) > MOST_REASON:
            return Refused(f"Say why in {MOST_REASON} characters at most.")
        judged = self._judged(flatten_challenge(reason, nonce), persons, proof)
        if isinstance(judged, NotProven):
            self.put(NoteAttempt(what="halt", by=person.value, reason=f"no proof: {judged.reason}"))
            return Refused(f"The proof does not hold: {judged.reason}.")
        self.put(Flatten(reason=reason, by=person.value, nonce=nonce, proof=proof))
        return Done(
            "Sent. Trading stops, and everything that is held is closed as soon as the market lets it."
        )

    @staticmethod
    def nonce() -> str:
        """Return what makes one halt differ from another."""
        return random_text(16)

    # -- within --------------------------------------------------------------------------

    def _known(self, request: Request) -> _Opened | None:
        known = self._opened
        is_it = known is not None and known.request == request
        is_young = known is not None and 0 <= self.monotonic() - known.made_s < GOOD_FOR_S
        return known if is_it and is_young else None

    def _judged(self, signed: bytes, persons: Persons, proof: Proof) -> Proven | NotProven:
        key = _key(persons, proof)
        if key is None:
            return NotProven("this key is not enrolled for OpB")
        if key.kind is ProofKind.PASSKEY:
            return self.prover.judged(
                signed, proof, key, persons.counts.get(key.credential_id, 0), self.now()
            )
        return self._judged_code(signed, persons, proof, key)

    def _judged_code(
        self, signed: bytes, persons: Persons, proof: Proof, key: Credential
    ) -> Proven | NotProven:
        """Judge six digits, which can be guessed: five wrong ones in a quarter of an hour end it."""
        who = f"codes of {key.person}"
        if self.visitors.wait_s(who):
            return NotProven("too many codes were wrong: use the passkey, or wait a quarter of an hour")
        last = max(self.visitors.last_step(key.credential_id), persons.counts.get(key.credential_id, 0))
        judged = self.prover.judged(signed, proof, key, last, self.now())
        if isinstance(judged, Proven):
            self.visitors.keep_step(key.credential_id, judged.count)
            self.visitors.succeeded(who)
        else:
            self.visitors.failed(who)
        return judged

    def _refused(
        self, person: Person, what: str, request: Request | None, instead: str | None = None
    ) -> Refused:
        if person is Person.OPB and instead:
            return Refused(instead)
        self.put(
            NoteAttempt(
                what=what,
                by=person.value,
                reason=f"{person.value} is not OpB",
                request_id=request.request_id if request else "",
            )
        )
        return Refused(NOT_OPB)


def _attempt(request: Request, reason: str) -> NoteAttempt:
    return NoteAttempt(what="approve", by=Person.OPB.value, reason=reason, request_id=request.request_id)


def _key(persons: Persons, proof: Proof) -> Credential | None:
    return next(
        (key for key in persons.keys_of(Person.OPB) if key.credential_id == proof.credential_id), None
    )


def grouped(token: str) -> str:
    """Return a token in groups of four, as people read."""
    return "-".join(token[at : at + 4] for at in range(0, len(token), 4))
