"""A passkey in software, for the simulation and the tests: it signs as a phone would, or as a forger.

W3C WebAuthn Level 3, sections 6.1 (authenticator data) and 6.5 (attestation, "none").
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Final

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import bytes_to_base64url

from qgtm.core.request import Credential, Person, Proof, ProofKind

PRESENT: Final = 0x01
VERIFIED: Final = 0x04
ATTESTED: Final = 0x40
ES256: Final = -7


@dataclass
class Authenticator:
    """Hold one P-256 key for one site; `seed` (above zero) makes the same key again."""

    rp_id: str
    origin: str
    seed: int
    flags: int = PRESENT | VERIFIED
    count: int = 0
    _key: ec.EllipticCurvePrivateKey = field(init=False)

    def __post_init__(self) -> None:
        self._key = ec.derive_private_key(self.seed, ec.SECP256R1())

    @property
    def credential_id(self) -> bytes:
        """Return the 32 bytes by which the site knows the key."""
        return hashlib.sha256(b"credential" + self.public_key).digest()

    @property
    def public_key(self) -> bytes:
        """Return the public half in COSE form."""
        numbers = self._key.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        return bytes(cbor2.dumps({1: 2, 3: ES256, -1: 1, -2: x, -3: y}))

    def credential(self, person: Person) -> Credential:
        """Return the key as it stands in the journal."""
        return Credential(
            person=person,
            kind=ProofKind.PASSKEY,
            credential_id=bytes_to_base64url(self.credential_id),
            public_key=bytes_to_base64url(self.public_key),
            fingerprint="",
        )

    def registration(self, challenge: bytes) -> str:
        """Return what `navigator.credentials.create()` answers, as JSON."""
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        data = self._data(self.flags | ATTESTED) + attested + self.public_key
        response = {
            "clientDataJSON": bytes_to_base64url(self._client_data("webauthn.create", challenge)),
            "attestationObject": bytes_to_base64url(
                cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
            ),
        }
        return self._answer(response)

    def assertion(self, challenge: bytes) -> str:
        """Return what `navigator.credentials.get()` answers, as JSON."""
        data, client = self._data(self.flags), self._client_data("webauthn.get", challenge)
        signed = data + hashlib.sha256(client).digest()
        response = {
            "clientDataJSON": bytes_to_base64url(client),
            "authenticatorData": bytes_to_base64url(data),
            "signature": bytes_to_base64url(
                self._key.sign(signed, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
            ),
        }
        return self._answer(response)

    def proof(self, challenge: bytes) -> Proof:
        """Return the proof that an approval carries."""
        return Proof(
            kind=ProofKind.PASSKEY,
            credential_id=bytes_to_base64url(self.credential_id),
            body=self.assertion(challenge),
        )

    def _data(self, flags: int) -> bytes:
        site = hashlib.sha256(self.rp_id.encode()).digest()
        return site + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client_data(self, kind: str, challenge: bytes) -> bytes:
        said = {"type": kind, "challenge": bytes_to_base64url(challenge), "origin": self.origin}
        return json.dumps(said, separators=(",", ":")).encode()

    def _answer(self, response: dict[str, str]) -> str:
        name = bytes_to_base64url(self.credential_id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})
