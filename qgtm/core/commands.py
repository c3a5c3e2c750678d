"""What an operator wants, in the imperative: rows of the inbox, folded by the daemon alone."""

from dataclasses import dataclass

command_registry: dict[str, type["Command"]] = {}


class Command:
    """A wish. Every subclass is a frozen dataclass and registers its name."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        command_registry[cls.__name__] = cls


@dataclass(frozen=True, kw_only=True)
class Deploy(Command):
    """Put the prints of this manifest to work."""

    manifest_sha: str
    by: str


@dataclass(frozen=True, kw_only=True)
class AcceptBreak(Command):
    """Take the broker's number for ours."""

    subject: str
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class Acknowledge(Command):
    """Clear a latch after looking."""

    latch: str
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class Halt(Command):
    """Stop new orders; either operator alone may."""

    reason: str
    by: str
