"""Whether an operator has proven to be there: a passkey's signature over the exact act, or a one-time code.

The page verifies, and the daemon verifies again on its own. A passkey's challenge is the hash of the
request, so a signature for another act, or for another wording, is worth nothing (W3C WebAuthn Level 3,
section 7.2). A one-time code (RFC 6238) binds nothing and holds against outsiders only: the server could
compute it.
"""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from qgtm.adapters.files import write_atomic
from qgtm.core.request import Credential, Person, Proof, ProofKind

STEP_S: Final = 30
STEPS_AROUND: Final = 1  # a code of the step before or after passes: clocks differ
ISSUER: Final = "QGTM"
MOST_PROOF: Final = 16_384  # characters


@dataclass(frozen=True, slots=True)
class Site:
    """Under which name and from which addresses OpB's page is opened: what a passkey is bound to."""

    rp_id: str
    origins: tuple[str, ...]


def site_of(origin: str | None, port: int) -> Site:
    """Return the site of a configuration's `web.origin`; without one it is this machine's own `localhost`."""
    if origin:
        parts = urlsplit(origin)  # as a browser says it: small letters, and no port that goes without saying
        port_said = f":{parts.port}" if parts.port not in (None, 443) else ""
        return Site(parts.hostname or "", (f"{parts.scheme}://{parts.hostname}{port_said}",))
    return Site("localhost", (f"http://localhost:{port}",))


@dataclass(frozen=True, slots=True)
class Proven:
    """The proof holds. `count` is the key's own counter (0 when it has none), or the code's time step.

    Nothing with a count at or below the last one of the same key may count again.
    """

    credential_id: str
    count: int


@dataclass(frozen=True, slots=True)
class NotProven:
    """The proof does not hold."""

    reason: str


Judged = Proven | NotProven


@dataclass(frozen=True, slots=True)
class Prover:
    """Verify proofs for one site; `secrets` is the folder of the one-time secrets, 0600 each."""

    site: Site
    secrets: Path

    def judged(
        self, challenge: bytes, proof: Proof, credential: Credential, last_count: int, now: datetime
    ) -> Judged:
        """Return whether `proof` by `credential` holds for `challenge` at `now` (wall clock, aware).

        `last_count` is the highest count that this credential has proven with, 0 for none. Raises nothing:
        what cannot be judged is not proven.
        """
        if proof.credential_id != credential.credential_id or proof.kind is not credential.kind:
            return NotProven("it is by another key than it says")
        if len(proof.body) > MOST_PROOF:
            return NotProven("it is too long to be a proof")
        judge = PROVERS[proof.kind]
        return judge(self, challenge, proof, credential, last_count, now)

    def verify(
        self, challenge: bytes, proof: Proof, credential: Credential, last_count: int, now: datetime
    ) -> int | str:
        """Return the count that a proof shows, or why it does not hold; arguments as for `judged`."""
        found = self.judged(challenge, proof, credential, last_count, now)
        return found.count if isinstance(found, Proven) else found.reason

    def _passkey(
        self, challenge: bytes, proof: Proof, credential: Credential, last_count: int, now: datetime
    ) -> Judged:
        # Both imports take half a second, and a daemon needs them once in a fund's life.
        from webauthn import base64url_to_bytes, verify_authentication_response
        from webauthn.helpers.exceptions import WebAuthnException

        try:
            found = verify_authentication_response(
                credential=proof.body,
                expected_challenge=challenge,
                expected_rp_id=self.site.rp_id,
                expected_origin=list(self.site.origins),
                credential_public_key=base64url_to_bytes(credential.public_key),
                credential_current_sign_count=last_count,
                require_user_verification=True,
            )
            used = base64url_to_bytes(credential.credential_id)
        except WebAuthnException as problem:
            return NotProven(str(problem))
        except Exception as problem:  # noqa: BLE001 - a forged assertion may break the parser in any way
            return NotProven(f"it cannot be read: {type(problem).__name__}")
        if found.credential_id != used:
            return NotProven("it is by another key than it says")
        return Proven(credential.credential_id, found.new_sign_count)

    def _code(
        self, challenge: bytes, proof: Proof, credential: Credential, last_count: int, now: datetime
    ) -> Judged:
        secret = self._secret(credential)
        if secret is None:
            return NotProven("the secret of this key is gone: enroll it again")
        return code_judged(secret, proof, last_count, now)

    def _secret(self, credential: Credential) -> str | None:
        if not credential.secret_id.isalnum():  # it names a file of ours, and no path
            return None
        try:
            return (self.secrets / f"{credential.secret_id}.totp").read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None


PROVERS: Final[dict[ProofKind, Callable[[Prover, bytes, Proof, Credential, int, datetime], Judged]]] = {
    ProofKind.PASSKEY: Prover._passkey,
    ProofKind.TOTP: Prover._code,
}


def code_judged(secret: str, proof: Proof, last_step: int, now: datetime) -> Judged:
    """Return whether the six digits of `proof` are `secret`'s at `now`, or one step before or after.

    A step that has been used, and any before it, is refused. All steps are compared, each in constant time.
    """
    import pyotp

    code = "".join(proof.body.split())
    totp, found = pyotp.TOTP(secret, interval=STEP_S), 0
    for around in range(-STEPS_AROUND, STEPS_AROUND + 1):
        at = now + timedelta(seconds=around * STEP_S)
        is_it = hmac.compare_digest(totp.at(at).encode(), code.encode("utf-8", "surrogatepass"))
        found = int(at.timestamp()) // STEP_S if is_it else found
    if not found:
        return NotProven("the code is wrong, or its time is over")
    if found <= last_step:
        return NotProven("this code was used already: wait for the next one")
    return Proven(proof.credential_id, found)


# --- enrolling ----------------------------------------------------------------------------------


def passkey_from(registration: str, challenge: bytes, site: Site, person: Person) -> Credential | NotProven:
    """Return the passkey that a browser has just made for `person`, or why it cannot be believed.

    `registration` is the JSON of `navigator.credentials.create()`'s answer to `challenge`.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers import bytes_to_base64url
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        found = verify_registration_response(
            credential=registration,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=list(site.origins),
            require_user_verification=True,
        )
    except WebAuthnException as problem:
        return NotProven(str(problem))
    except Exception as problem:  # noqa: BLE001 - as above
        return NotProven(f"it cannot be read: {type(problem).__name__}")
    return Credential(
        person=person,
        kind=ProofKind.PASSKEY,
        credential_id=bytes_to_base64url(found.credential_id),
        public_key=bytes_to_base64url(found.credential_public_key),
        fingerprint=fingerprint(found.credential_public_key),
    )


def totp_for(person: Person, secret: str, secrets: Path) -> Credential:
    """Keep a one-time secret (base 32) in a file that only this user reads, and return its credential.

    Raises OSError when it cannot be written.
    """
    print_ = fingerprint(secret.encode("ascii"))
    name = sha256(secret.encode("ascii")).hexdigest()[:32]
    secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(secrets / f"{name}.totp", secret.encode("ascii") + b"\n", mode=0o600)
    return Credential(
        person=person,
        kind=ProofKind.TOTP,
        credential_id=f"totp-{name}",
        public_key="",
        fingerprint=print_,
        secret_id=name,
    )


def provisioning_uri(secret: str, person: Person) -> str:
    """Return what an authenticator app reads from a square of dots, for a one-time secret (base 32)."""
    import pyotp

    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=person.value, issuer_name=ISSUER)


def fingerprint(key: bytes) -> str:
    """Return what people compare of a key: sixteen hexadecimal digits in groups of four."""
    digits = sha256(key).hexdigest()[:16].upper()
    return " ".join(digits[at : at + 4] for at in range(0, 16, 4))


def asserted_key(body: str) -> str:
    """Return the id of the key that an assertion (JSON) says it is by, empty for none. Raises nothing."""
    try:
        found = json.loads(body)
        return str(found["id"])[:512] if isinstance(found, dict) else ""
    except (ValueError, KeyError, RecursionError):
        return ""
