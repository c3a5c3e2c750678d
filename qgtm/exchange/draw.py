"""Numbers and names that look random and follow from the seed alone."""

from functools import cache
from hashlib import sha1
from uuid import UUID, uuid5

_SPACE = UUID("5a6b1f0e-6f0c-5d0a-9d0e-71746d000001")
_MASK = (1 << 64) - 1


def space_of(seed: int) -> UUID:
    """Return the name space in which an exchange with this seed makes its ids."""
    return uuid5(_SPACE, f"seed {seed}")


def id_in(space: UUID, name: str) -> str:
    """Return `str(uuid5(space, name))`, without the price of the UUID class: an order makes several."""
    text = sha1(_bytes_of(space) + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


@cache
def _bytes_of(space: UUID) -> bytes:
    return space.bytes


def uniform(seed: int, *keys: int) -> float:
    """Return a number in [0, 1) that follows from seed and keys alone (splitmix64, Steele et al. 2014)."""
    state = seed & _MASK
    for key in keys:
        state = _mix(state ^ (key & _MASK))
    return _mix(state) / 2.0**64


def _mix(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
