"""What an operator wants, in the imperative: rows of the inbox, folded by the daemon alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from qgtm.core.request import Credential, Proof

command_registry: dict[str, type["Command"]] = {}


class Command:
    """A wish. Every subclass is a frozen dataclass and registers its name."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        command_registry[cls.__name__] = cls


@dataclass(frozen=True, kw_only=True)
class Deploy(Command):
    """Put the prints of this manifest to work, and the code of this hash that connects them."""

    manifest_sha: str
    by: str
    code_sha: str = ""


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


# --- the kill switch ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Flatten(Command):
    """Halt and close everything; either operator alone may, OpB with a proof over `flatten_challenge`."""

    reason: str
    by: str
    nonce: str = ""
    proof: Proof | None = None


@dataclass(frozen=True, kw_only=True)
class OverrideSoft(Command):
    """Let the book be whole again past the soft cap, until the next close at most."""

    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class RevokeOverride(Command):
    """End an override; either operator alone may."""

    reason: str
    by: str


# --- what takes both ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class RequestReset(Command):
    """Ask to trade again after a hard cap."""

    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class SetLimits(Command):
    """Change limits by name (dotted inside a table): tighter at once, looser after OpB's approval."""

    limits: Mapping[str, str]
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class Enroll(Command):
    """Enroll an operator's key; one in the place of another takes both."""

    credential: Credential
    by: str


@dataclass(frozen=True, kw_only=True)
class RevokeKey(Command):
    """Take an operator's key away; that takes both, but for one's own while another of it stays."""

    credential_id: str
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class OpenRequest(Command):
    """Say that OpB has opened a request: from now on this token's hash opens it, and no other's."""

    request_id: str
    token_hash: str
    by: str


@dataclass(frozen=True, kw_only=True)
class Approve(Command):
    """Approve a request: the token that was typed, and the proof over the request's exact text."""

    request_id: str
    token_hash: str
    proof: Proof
    by: str


@dataclass(frozen=True, kw_only=True)
class Reject(Command):
    """Turn a request down; one tap."""

    request_id: str
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class NoteAttempt(Command):
    """Write down what the page refused: a wrong token for a request, or a sign-in."""

    what: str
    by: str
    reason: str
    request_id: str = ""


# --- the rest -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class EnableStrategy(Command):
    """Let a disabled strategy try again; its carried state warms up anew."""

    strategy: str
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class ReleaseData(Command):
    """Take a value that was held back for being off its scale: a person has found it true."""

    item: str
    reason: str
    by: str


@dataclass(frozen=True, kw_only=True)
class SendTestOrder(Command):
    """Send one share of GLD at a limit far below the market, see it at the broker, and cancel it."""

    by: str
