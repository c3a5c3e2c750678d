"""Faults on order: what goes wrong, where, how often. Set through the control port, drawn from a seed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from qgtm.exchange.draw import uniform
from qgtm.exchange.spoil import check_parameters

Stage = Literal["before_apply", "after_apply", "during_reply", "stream"]
STAGES: Final = ("before_apply", "after_apply", "during_reply", "stream")

# What each action does at the REST port, whatever the stage: before_apply the exchange never
# sees the request, after_apply it has done it, during_reply its own answer is spoilt on the way.
REST_ACTIONS: Final = {
    "refuse": "close the connection without a byte",
    "drop": "reset the connection without a byte",
    "hang": "answer nothing for `seconds`, then as usual",
    "status": "answer with `status` and `body`",
    "429": "answer 429",
    "504": "answer 504 with an HTML body",
    "redirect": "answer 307 to another path",
    "html": "answer 200 with an HTML body",
    "empty": "answer 200 with no body",
    "cut": "send half of the answer, then close",
    "drip": "send the answer a byte at a time over `seconds`",
    "lag": "show reads as they were `seconds` of process time ago",
    "stale": "publish nothing new from now on (the fronts beside the broker's)",
    "rename": "give a field another name: `body` {from, to}",
    "scale": "multiply fields: `body` {fields, factor}",
    "half": "leave out every second row",
    "endless": "go on with pages for ever: the first one again, under new tokens",
    "garbled": "send bytes that are no text",
}
_OF_REPLIES: Final = ("lag", "stale", "rename", "scale", "half", "endless", "garbled")
STREAM_ACTIONS: Final = {
    "drop": "close the socket",
    "mute": "keep the socket, send nothing",
    "duplicate": "send each frame twice",
    "reorder": "send a frame after the next one",
    "lose": "leave the frame out",
    "refuse": "refuse the handshake with `status`, 429 unless given",
    "auth_refuse": "refuse the keys",
    "half_open": "stop reading and answering, pings too",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: `count` uses are left (None: without end), each with `probability`.

    `method` and `path` are regular expressions over the whole; for streams `path` names
    `trade_updates` or `data`. `seconds` are process seconds.
    """

    name: str
    stage: Stage
    action: str
    method: str = ".*"
    path: str = ".*"
    count: int | None = 1
    probability: float = 1.0
    seconds: float = 0.0
    status: int = 500
    body: Any = None

    def fits(self, stage: Stage, method: str, path: str) -> bool:
        """Say whether the fault is meant for this request or stream."""
        return (
            self.stage == stage
            and re.fullmatch(self.method, method) is not None
            and re.fullmatch(self.path, path) is not None
        )


def fault_from(body: dict[str, Any], number: int) -> Fault:
    """Return the fault that a control request describes. Raises `ValueError` naming what is wrong."""
    known = set(Fault.__slots__)
    unknown = sorted(set(body) - known)
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}; a fault has {', '.join(sorted(known))}")
    fault = Fault(**{"name": f"fault {number}", "stage": "", "action": "", **body})
    _check_values(fault)
    if fault.stage not in STAGES:
        raise ValueError(f"stage is {fault.stage!r}; it must be one of {', '.join(STAGES)}")
    actions = STREAM_ACTIONS if fault.stage == "stream" else REST_ACTIONS
    if fault.action not in actions:
        raise ValueError(
            f"action is {fault.action!r}; for {fault.stage} it must be one of {', '.join(actions)}"
        )
    if fault.action in _OF_REPLIES and fault.stage != "during_reply":
        raise ValueError(f"{fault.action} strikes during_reply alone, not {fault.stage}")
    check_parameters(fault.action, fault.body)
    try:
        re.compile(fault.method), re.compile(fault.path)
    except re.error as error:
        raise ValueError(f"method and path must be regular expressions: {error}") from error
    return fault


def _check_values(fault: Fault) -> None:
    wrong = [name for name in ("name", "method", "path") if not isinstance(getattr(fault, name), str)]
    if wrong:
        raise ValueError(f"{wrong[0]} is {getattr(fault, wrong[0])!r}; it must be a text")
    whole: list[tuple[str, Any, int, int]] = [("status", fault.status, 200, 599)]
    whole += [] if fault.count is None else [("count", fault.count, 1, 10**9)]
    for name, value, low, high in whole:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{name} is {value!r}; it must be a whole number from {low} to {high}")
    parts: list[tuple[str, Any, int]] = [
        ("probability", fault.probability, 1),
        ("seconds", fault.seconds, 3600),
    ]
    for name, part, most in parts:
        if not isinstance(part, int | float) or isinstance(part, bool) or not 0 <= part <= most:
            raise ValueError(f"{name} is {part!r}; it must be a number from 0 to {most}")


class FaultTable:
    """The faults that are set; which of them strikes depends on seed and order of requests only."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._draws = 0
        self._made = 0
        self.faults: list[Fault] = []
        self._since: dict[str, datetime] = {}

    def add(self, body: dict[str, Any]) -> Fault:
        """Set a fault. Raises `ValueError` for one that cannot be."""
        fault = fault_from(body, self._made + 1)
        self._made += 1
        self._since.pop(fault.name, None)
        self.faults.append(fault)
        return fault

    def clear(self, names: Iterable[str] | None = None) -> None:
        """Take faults away, all of them unless named."""
        gone = None if names is None else set(names)
        self.faults = [] if gone is None else [f for f in self.faults if f.name not in gone]

    def since(self, fault: Fault, now: datetime) -> datetime:
        """Return when a fault that has struck did so first; `now` when this is the first time."""
        return self._since.setdefault(fault.name, now)

    def strike(self, stage: Stage, method: str, path: str, *actions: str) -> Fault | None:
        """Return the first fault that strikes here and use it up by one; only the given actions, if any."""
        for place, fault in enumerate(self.faults):
            if not fault.fits(stage, method, path) or (actions and fault.action not in actions):
                continue
            self._draws += 1
            if uniform(self._seed, 11, self._draws) >= fault.probability:
                continue
            self._use(place, fault)
            return fault
        return None

    def _use(self, place: int, fault: Fault) -> None:
        if fault.count is None:
            return
        if fault.count <= 1:
            del self.faults[place]
        else:
            self.faults[place] = replace(fault, count=fault.count - 1)
