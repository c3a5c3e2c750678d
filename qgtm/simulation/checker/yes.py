"""Whether an approval holds, judged from the record alone and by another way than the daemon's."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

VERIFIED: Final = 0x04  # the user was verified: bit 2 of the flags (W3C WebAuthn Level 3, section 6.1)


def why_no_yes(
    ended: Mapping[str, Any],
    requests: Mapping[str, Mapping[str, Any]],
    keys: Mapping[str, Mapping[str, Any]],
    used: set[str],
) -> str:
    """Return why an approval does not hold, "" when it does."""
    request, proof = requests.get(ended["request_id"]), ended["proof"]
    if request is None or proof is None:
        return "there is no such request, or no proof"
    key = keys.get(proof["credential_id"])
    if key is None or key["person"] == request["by"] or key["person"] != ended["by"]:
        return f"the key is {key and key['person']}'s, the request {request['by']}'s, the yes {ended['by']}'s"
    if request["nonce"] in used:
        return "the request was used before"
    text = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return _unsigned(json.loads(proof["body"])["response"], sha256(text.encode()).digest(), key["public_key"])


def _unsigned(response: Mapping[str, str], digest: bytes, public_key: str) -> str:
    client, data = _bytes(response["clientDataJSON"]), _bytes(response["authenticatorData"])
    if _bytes(json.loads(client)["challenge"]) != digest:
        return "what was signed is not the request"
    if not data[32] & VERIFIED:
        return "nobody proved to be there"
    cose = cbor2.loads(_bytes(public_key))
    x, y = (int.from_bytes(cose[name], "big") for name in (-2, -3))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    try:
        key.verify(_bytes(response["signature"]), data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return "the signature is not the key's"
    return ""


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
