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
    """No answer that can be believed: the order may be working. Ask; never send it anew."""

    reason: str


Verdict = Allowed | Denied
Outcome = Accepted | Rejected | Unknown
