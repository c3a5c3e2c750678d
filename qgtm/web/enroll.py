"""Enrolling a key with an invitation: a passkey, or a password and a one-time code. The daemon decides."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from qgtm.adapters.proof import NotProven, Site, code_judged, passkey_from, provisioning_uri, totp_for
from qgtm.core.commands import Command, Enroll
from qgtm.core.request import Person, Proof, ProofKind
from qgtm.views.persons import Persons
from qgtm.web.act import Refused
from qgtm.web.challenge import Challenges
from qgtm.web.visitor import Visitors

OVER = "This invitation is over. OpA makes another: qgtm operators enroll."


@dataclass
class Enrolling:
    """Take a new key in and put it into the inbox; called from one thread.

    `secrets` is the folder of the one-time secrets. A secret that waits for its first code is kept in memory.
    """

    site: Site
    visitors: Visitors
    challenges: Challenges
    put: Callable[[Command], None]
    now: Callable[[], datetime]
    secrets: Path
    _waiting: dict[str, tuple[str, str]] = field(default_factory=dict)  # code -> (password, secret)

    def passkey(self, persons: Persons, code: str, name: str, registration: str) -> Person | Refused:
        """Enroll the passkey that a browser made for the challenge given under `name`."""
        person, challenge = self.visitors.invited(code), self.challenges.open(name)
        if person is None or challenge is None:
            return Refused(OVER)
        made = passkey_from(registration, challenge, self.site, person)
        if isinstance(made, NotProven):
            return Refused(f"This passkey cannot be used: {made.reason}.")
        self.put(Enroll(credential=made, by=asked_by(persons, person)))
        self.visitors.use(code)
        self.challenges.spend(name)
        return person

    def password(self, code: str, password: str) -> tuple[str, str] | Refused:
        """Return a new one-time secret, and its address for an authenticator app."""
        import pyotp

        person = self.visitors.invited(code)
        if person is None:
            return Refused(OVER)
        if problem := self.visitors.why_not_password(password):
            return Refused(problem)
        secret = pyotp.random_base32()
        self._waiting = {code: (password, secret)}  # one at a time is enough
        return secret, provisioning_uri(secret, person)

    def code(self, persons: Persons, code: str, typed: str) -> Person | Refused:
        """Enroll the one-time secret whose first code was typed, and keep the password that goes with it.

        The password counts with these codes alone, so with them it waits for the other's approval.
        """
        person, waiting = self.visitors.invited(code), self._waiting.get(code)
        if person is None or waiting is None:
            return Refused(OVER)
        password, secret = waiting
        proof = Proof(kind=ProofKind.TOTP, credential_id="", body=typed)
        if isinstance(code_judged(secret, proof, 0, self.now()), NotProven):
            return Refused("These six digits are not the app's. Go back and type the ones that it shows now.")
        made = totp_for(person, secret, self.secrets)
        self.visitors.set_password(made.credential_id, password)
        self.put(Enroll(credential=made, by=asked_by(persons, person)))
        self.visitors.use(code)
        self._waiting.clear()
        return person


def asked_by(persons: Persons, person: Person) -> str:
    """Return who asks for a new key: its owner for his first; then OpA, who invited, and OpB approves."""
    return Person.OPA.value if persons.keys_of(person) else person.value
