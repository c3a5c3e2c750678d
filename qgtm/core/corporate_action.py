"""What changes the scale of a price without anybody gaining or losing: a split, a dividend."""

import math
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from qgtm.core.errors import FeedError
from qgtm.core.instant import aware_utc


class ActionKind(StrEnum):
    """The two kinds, as the store writes them."""

    SPLIT = "split"
    DIVIDEND = "dividend"


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """One action of one symbol: new shares for an old one, or dollars a share, from the open of `ex_day` on.

    It may be known long before its day. A correction is another with the same day and a later `known_at`; a
    split of 1 or a dividend of 0 calls it off. Raises FeedError for an amount that cannot be.
    """

    symbol: str
    kind: ActionKind
    ex_day: date
    known_at: datetime
    amount: float

    def __post_init__(self) -> None:
        aware_utc(self.known_at)
        least_is_taken = self.kind is ActionKind.DIVIDEND
        if not math.isfinite(self.amount) or self.amount < 0 or (self.amount == 0 and not least_is_taken):
            raise FeedError(f"{self.symbol} {self.ex_day}: a {self.kind} of {self.amount} cannot be; refused")
