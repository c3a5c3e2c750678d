"""Random challenges that a browser has to sign: each once, within five minutes of process time."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_bytes, token_urlsafe
from typing import Final

GOOD_FOR_S: Final = 300.0
MOST: Final = 500  # outstanding at once; a flood pushes its own out


@dataclass
class Challenges:
    """Give challenges out under names that go into a form, and take each back once."""

    monotonic: Callable[[], float]
    _given: OrderedDict[str, tuple[bytes, float]] = field(default_factory=OrderedDict)

    def give(self, challenge: bytes | None = None) -> tuple[str, bytes]:
        """Return a name and its challenge: 32 random bytes, or the one that is passed in."""
        name, given = token_urlsafe(16), challenge or token_bytes(32)
        self._given[name] = (given, self.monotonic())
        while len(self._given) > MOST:
            self._given.popitem(last=False)
        return name, given

    def take(self, name: str) -> bytes | None:
        """Return the challenge of a name, None when it was taken, is too old, or never was."""
        given, at_s = self._given.pop(name, (b"", 0.0))
        return given if given and 0 <= self.monotonic() - at_s < GOOD_FOR_S else None
