"""Random challenges that a browser has to sign: each good for one proof, within five minutes of process time.

Nothing is kept of a challenge that is given out: its name carries it, sealed with a key of this process. So
nobody who asks for many can push another's out.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from struct import pack, unpack
from typing import Final

from qgtm.adapters.chance import random_bytes

GOOD_FOR_S: Final = 300.0
RANDOM: Final = 32  # bytes of a challenge
SEAL: Final = 32  # bytes
TIMED: Final = 8


@dataclass
class Challenges:
    """Give challenges out under names that go into a form, and take each back until it is proven with."""

    monotonic: Callable[[], float]
    _key: bytes = field(default_factory=lambda: random_bytes(32), repr=False)
    _spent: dict[str, float] = field(default_factory=dict)

    def give(self) -> tuple[str, bytes]:
        """Return a name and its challenge of 32 random bytes."""
        challenge, at = random_bytes(RANDOM), pack(">d", self.monotonic())
        return (challenge + at + self._seal(challenge + at)).hex(), challenge

    def open(self, name: str) -> bytes | None:
        """Return the challenge of a name; None when it is spent, too old, or was never given here."""
        try:
            said = bytes.fromhex(name)
        except ValueError:
            return None
        told, seal = said[: RANDOM + TIMED], said[RANDOM + TIMED :]
        if len(seal) != SEAL or not hmac.compare_digest(seal, self._seal(told)) or said.hex() in self._spent:
            return None
        (at_s,) = unpack(">d", told[RANDOM:])
        return told[:RANDOM] if 0 <= self.monotonic() - at_s < GOOD_FOR_S else None

    def spend(self, name: str) -> None:
        """Let a name that was proven with open nothing again."""
        now_s = self.monotonic()
        young = {each: at_s for each, at_s in self._spent.items() if now_s - at_s < GOOD_FOR_S}
        self._spent = {**young, bytes.fromhex(name).hex(): now_s}

    def _seal(self, told: bytes) -> bytes:
        return hmac.digest(self._key, told, "sha256")
