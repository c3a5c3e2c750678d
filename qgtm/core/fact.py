"""A value with two times: the moment that it describes, and the moment from which it could be used."""

import math
from dataclasses import dataclass
from datetime import datetime

from qgtm.core.errors import FeedError
from qgtm.core.instant import aware_utc


@dataclass(frozen=True, slots=True)
class Fact:
    """One value of one series. `at` is what it describes, `known_at` when it could first be used; both UTC.

    A revision is another fact with the same `at` and a later `known_at`. Raises FeedError for a value
    that is no finite number and for one known before what it describes.
    """

    series: str
    at: datetime
    known_at: datetime
    value: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise FeedError(f"{self.series} {self.at:%Y-%m-%d}: {self.value} is no finite number; refused")
        if aware_utc(self.known_at) < aware_utc(self.at):
            raise FeedError(
                f"{self.series}: a value of {self.at:%Y-%m-%d %H:%M} cannot be known at "
                f"{self.known_at:%Y-%m-%d %H:%M}, before what it describes; refused"
            )
