"""Denied, rejected and unknown are three words: values, not exceptions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowed:
    """Every check let the order pass."""


@dataclass(frozen=True, slots=True)
class Denied:
    """We refuse the order; `check` names the check."""

    check: str
    reason: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker has the order."""

    broker_order_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The broker refused the order, and says so in a way that can be believed."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer that can be believed: the order may be working. Ask; never send it under a new id.

    `is_held_back`: a call limit, ours or the broker's, kept this sending back. It came to nothing,
    the order's state stays what it was, and the same order may be sent again later.
    """

    reason: str
    is_held_back: bool = False


Verdict = Allowed | Denied
Outcome = Accepted | Rejected | Unknown
