"""What goes wrong now: the chances and switches that the day's plan sets and everything in between asks.

The letters are the rows of the fault catalogue. All chance comes from one seeded stream, so that the same
plan on the same world strikes the same calls.
"""

from collections import Counter
from dataclasses import dataclass, field, fields
from random import Random
from typing import Final


@dataclass
class Weather:
    """Chances are of one call or one frame, in [0, 1]; seconds are process seconds."""

    # A: the broker's REST
    refused: float = 0.0  # A1, A11: nobody there
    hang: float = 0.0  # A2: no answer until the time limit, not applied
    lost: float = 0.0  # A3: applied, and the reply lost
    gateway: float = 0.0  # A4: 504 after it was applied
    limited: float = 0.0  # A6: 429
    rejected: float = 0.0  # A7, A8, A9: a clean refusal of an order
    revoked: bool = False  # A10: the keys
    failing: float = 0.0  # A11: a 5xx, not applied
    garbled: float = 0.0  # A12: HTML, empty or cut, after it was applied
    strange: float = 0.0  # A13: a status that nobody knows
    lag_s: float = 0.0  # A14: reads older than the last write
    blocked: bool = False  # A16
    equity_times: float = 1.0  # A17
    # B: the streams
    stream_refused: bool = False  # B2, B5, B6
    stream_mute: bool = False  # B3, B4
    # C: frames
    frame_twice: float = 0.0  # C1
    frame_late: float = 0.0  # C2
    frame_lost: float = 0.0  # C3
    # E: data
    quotes_fail: float = 0.0  # E1
    quotes_missing: float = 0.0  # E14: one symbol
    quotes_stale_s: float = 0.0  # E1
    quotes_spoilt: float = 0.0  # E3, E4, E15
    bars_fail: float = 0.0  # E6, E13
    bars_late: bool = False  # E2: those of the newest session are not there yet
    bars_times: float = 1.0  # E2, E5: the vendor tells some of the history on another scale
    pages_endless: float = 0.0  # E10: the bars' page token comes again
    # F: time
    closed_by_broker: bool = False  # F3
    slow_s: float = 0.0  # A2: every answer takes so long
    fired: Counter[str] = field(default_factory=Counter)

    def strikes(self, name: str, chance: Random) -> bool:
        """Return whether the fault `name` strikes now; count it."""
        likely = float(getattr(self, name))
        is_struck = likely > 0.0 and chance.random() < likely
        if is_struck:
            self.fired[name] += 1
        return is_struck

    @property
    def is_bad(self) -> bool:
        """Return whether anything but the stream and its frames is not as it should be."""
        now = self.__dict__
        return any(now[name] != usual for name, usual in USUAL)

    def note(self, name: str) -> None:
        """Count a fault that struck without a draw."""
        self.fired[name] += 1

    def clear(self) -> None:
        """Let everything be well again; the counts stay."""
        for each in fields(self):
            if each.name != "fired":
                setattr(self, each.name, each.default)


USUAL: Final = tuple(
    (each.name, each.default)
    for each in fields(Weather)
    if each.name != "fired" and not each.name.startswith(("frame", "stream"))
)
