"""What nobody can guess: the one place that asks the machine for chance, as the clock's asks for time."""

from secrets import choice, token_bytes, token_hex, token_urlsafe

__all__ = ["random_bytes", "random_fraction", "random_hex", "random_letters", "random_text"]


def random_bytes(count: int = 32) -> bytes:
    """Return so many random bytes."""
    return token_bytes(count)


def random_fraction() -> float:
    """Return a number from 0 to 1, so that not everybody asks again at one moment."""
    return int.from_bytes(token_bytes(4)) / 2**32


def random_hex(count: int = 32) -> str:
    """Return so many random bytes in hex."""
    return token_hex(count)


def random_text(count: int = 32) -> str:
    """Return so many random bytes as text that an address may hold."""
    return token_urlsafe(count)


def random_letters(letters: str, count: int) -> str:
    """Return so many letters, each drawn from `letters`."""
    return "".join(choice(letters) for _ in range(count))
