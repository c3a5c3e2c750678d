"""Signing in: by a passkey first, or a password and a one-time code. All refusals sound alike, and count."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from qgtm.adapters.proof import NotProven, Proven, Prover, asserted_key
from qgtm.core.commands import Command, NoteAttempt
from qgtm.core.request import Credential, Person, Proof, ProofKind
from qgtm.web.challenge import Challenges
from qgtm.web.visitor import Visitors

WRONG: Final = "That was not right. Nothing else is said about why."
PASSKEYS: Final = "passkeys"  # whoever fails with one is counted here, and only for the journal's sake
MOST_NOTED: Final = 5  # in a quarter of an hour


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The door is open: `session` is what the browser keeps."""

    person: Person
    session: str


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """The door stays shut; with `wait_s` above zero nothing was looked at."""

    reason: str
    wait_s: float = 0.0


@dataclass
class SignIn:
    """Judge who stands at the door. `put` gives the daemon a command; `now` is the wall clock."""

    visitors: Visitors
    prover: Prover
    challenges: Challenges
    put: Callable[[Command], None]
    now: Callable[[], datetime]

    def by_passkey(
        self, keys: Sequence[Credential], name: str, body: str, address: str, agent: str
    ) -> SignedIn | TurnedAway:
        """Judge an assertion to the challenge that was given under `name`.

        Every one is looked at, however many failed before: a signature cannot be guessed, and nobody can
        lock another out. Only the first few failures are written down.
        """
        challenge, key = self.challenges.open(name), _named(keys, asserted_key(body), ProofKind.PASSKEY)
        if challenge is None or key is None:
            return self._strange("somebody", f"no open challenge, or a key that is not enrolled ({address})")
        proof = Proof(kind=ProofKind.PASSKEY, credential_id=key.credential_id, body=body)
        judged = self.prover.judged(challenge, proof, key, 0, self.now())
        if isinstance(judged, NotProven):
            return self._strange(key.person.value, f"passkey: {judged.reason} ({address})")
        self.challenges.spend(name)
        return self._in(key, agent)

    def by_password(
        self, keys: Sequence[Credential], name: str, password: str, code: str, address: str, agent: str
    ) -> SignedIn | TurnedAway:
        """Judge a name, a password and the six digits of the moment; all are looked at before a word."""
        person = next((each for each in Person if each.value.lower() == name.strip().lower()), None)
        who = (f"password of {person or 'nobody'}", f"password from {address}")
        wait_s = self.visitors.wait_s(*who)
        if wait_s:
            return TurnedAway(_wait(wait_s), wait_s)
        mine = [key for key in keys if key.person is person and key.kind is ProofKind.TOTP]
        named = [key.credential_id for key in mine] or [""]  # nobody's: no name is quicker than another
        matching = [each for each in named if self.visitors.is_password(each, password)]
        key = self._by_code(mine, code)
        if key is None or key.credential_id not in matching:
            said = "wrong code" if matching else "wrong password"
            return self._turned_away(person.value if person else "somebody", f"{said} ({address})", *who)
        return self._in(key, agent, *who)

    def _by_code(self, keys: Sequence[Credential], code: str) -> Credential | None:
        """Return the key whose code holds now, None for none. Each step signs in once."""
        for key in keys:
            proof = Proof(kind=ProofKind.TOTP, credential_id=key.credential_id, body=code)
            last = self.visitors.last_step(key.credential_id)
            judged = self.prover.judged(b"", proof, key, last, self.now())
            if isinstance(judged, Proven):
                self.visitors.keep_step(key.credential_id, judged.count)
                return key
        return None

    def _in(self, key: Credential, agent: str, *who: str) -> SignedIn:
        self.visitors.succeeded(*who)
        return SignedIn(key.person, self.visitors.begin(key.person, key.credential_id, agent))

    def _strange(self, by: str, reason: str) -> TurnedAway:
        """Turn a passkey away; a flood of them fills neither the journal nor the operators' mail."""
        noted = self.visitors.failures(PASSKEYS) + 1
        if noted > MOST_NOTED:
            return TurnedAway(WRONG)
        last = "; what follows in the next quarter of an hour is not written down"
        return self._turned_away(by, f"{reason}{last if noted == MOST_NOTED else ''}", PASSKEYS)

    def _turned_away(self, by: str, reason: str, *who: str) -> TurnedAway:
        self.visitors.failed(*who)
        self.put(NoteAttempt(what="sign-in", by=by, reason=reason))
        return TurnedAway(WRONG)


def _named(keys: Sequence[Credential], credential_id: str, kind: ProofKind) -> Credential | None:
    return next((key for key in keys if key.credential_id == credential_id and key.kind is kind), None)


def _wait(wait_s: float) -> str:
    minutes = f"{wait_s / 60:.0f} minutes" if wait_s >= 90 else f"{max(1, round(wait_s))} seconds"
    return f"Too many tries: wait {minutes}, then try again."
