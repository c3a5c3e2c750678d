# A print of notebooks/engine/desk.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Desk.

What the loop works with and never changes: its own knobs, the limits, the strategies, the bars.
"""

# cell 4 of notebooks/engine/desk.ipynb
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.seen import Seen
from qgtm.risk.limits import Limits


# cell 6 of notebooks/engine/desk.ipynb
@dataclass(frozen=True)
class Params:
    """The knobs of this module, in seconds of venue time but for the samples (process time)."""

    settle_s: int
    last_call_s: int
    round_every_s: int
    order_patience_s: int
    shrink_patience_s: int
    sample_every_s: int
    sample_closed_s: int
    account_mute_s: int
    cap_share: float
    resend_after_s: int
    shrink_every_s: int
    clock_off_s: int


PARAMS = Params(
    settle_s=300,  # venue seconds after the open before the first order [0, 3600]
    last_call_s=600,  # venue seconds before the close without new orders [0, 3600]
    round_every_s=60,  # venue seconds between two rounds of orders [10, 900]
    order_patience_s=900,  # venue seconds an order may rest before it is cancelled [30, 3600]
    shrink_patience_s=60,  # the same past the soft cap, where the book has to shrink [30, 600]
    sample_every_s=10,  # process seconds between two samples of the account in a session [10, 60]
    sample_closed_s=600,  # process seconds between two samples out of hours, which confirm nothing [10, 3600]
    account_mute_s=30,  # process seconds without the account until the book is valued without it [20, 300]
    cap_share=0.98,  # part of each cap that the book aims at: the gate counts at the limit price [0.90, 1.00]
    resend_after_s=30,  # venue seconds until an order that the broker does not know is sent again [5, 300]
    shrink_every_s=5,  # venue seconds between two rounds past the soft cap: the next follows the last [2, 60]
    clock_off_s=60,  # seconds between our clock and the broker's past which no session turns over [10, 300]
)


class Views(Protocol):
    """A strategy as the loop sees it."""

    @property
    def name(self) -> str: ...
    @property
    def symbols(self) -> tuple[str, ...]: ...
    @property
    def feeds(self) -> tuple[str, ...]: ...
    @property
    def warm_up(self) -> int: ...
    @property
    def is_stateful(self) -> bool: ...
    def step(self, carried: object | None, seen: Seen) -> tuple[object | None, FloatArray]: ...
    def encode(self, carried: object | None) -> Any: ...
    def decode(self, written: Any) -> object | None: ...


class Past(Protocol):
    """What is known so far; the newest session is the last row."""

    def __len__(self) -> int: ...
    def seen(self) -> Seen: ...
    def closes(self, symbols: Sequence[str], n: int) -> FloatArray: ...
    def average_volume(self, symbol: str, sessions: int) -> float | None: ...


@dataclass(frozen=True)
class Desk:
    """What the loop works with and never changes: limits, strategies, the bars, the account's rules."""

    limits: Limits
    strategies: tuple[Views, ...]
    history: Past
    is_shorting_allowed: bool = True
    regime: Feature | None = None  # the fitted model's odds; without them no regime is told
    tape_share_frac: float = 1.0  # part of the market's volume that the bars' feed sees
    params: Params = PARAMS


__all__ = [
    "PARAMS",
    "Desk",
    "Params",
    "Past",
    "Views",
]
