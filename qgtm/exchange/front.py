"""The other vendors on the same port: the CFTC, FRED and Reddit, each in its own words.

A front knows its paths, its limit of calls and how it says no; what it answers is a pure function of
the exchange, the request and venue time, like the broker's own wire.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from qgtm.exchange import front_cftc, front_fred, front_reddit
from qgtm.exchange.rate_limit import Allowance
from qgtm.exchange.wire import Call, Response


@dataclass(frozen=True, slots=True)
class Front:
    """One vendor: where its paths begin, how it answers, and what it allows in `window_s` process seconds."""

    name: str
    prefixes: tuple[str, ...]
    answer: Callable[[Call], Response]
    limited: Response
    per_window: int
    window_s: float = 60.0
    headers: Callable[[Allowance], dict[str, str]] = lambda _: {}
    renamed: tuple[str, str] = ("", "")
    scaled: tuple[tuple[str, ...], float] = ((), 100.0)

    def usual(self, action: str) -> dict[str, Any]:
        """Return what a fault renames or multiplies here unless it says so itself."""
        if action == "rename":
            return {"from": self.renamed[0], "to": self.renamed[1]}
        return {"fields": self.scaled[0], "factor": self.scaled[1]} if action == "scale" else {}


FRONTS: Final = (
    Front(
        name="cftc",
        prefixes=front_cftc.PREFIXES,
        answer=front_cftc.answer,
        limited=front_cftc.LIMITED,
        per_window=600,
        renamed=("m_money_positions_long_all", "mm_positions_long_all"),
        scaled=(front_cftc.AMOUNTS, 100.0),
    ),
    Front(
        name="fred",
        prefixes=front_fred.PREFIXES,
        answer=front_fred.answer,
        limited=front_fred.LIMITED,
        per_window=120,
        renamed=("value", "val"),
        scaled=(("value",), 100.0),
    ),
    Front(
        name="reddit",
        prefixes=front_reddit.PREFIXES,
        answer=front_reddit.answer,
        limited=front_reddit.LIMITED,
        per_window=1000,
        window_s=600.0,
        headers=front_reddit.limit_headers,
        renamed=("created_utc", "created_at"),
        scaled=(("created_utc",), 1000.0),
    ),
)


def front_of(path: str) -> Front | None:
    """Return the vendor whose path this is, None for the broker's own."""
    return next((front for front in FRONTS if path.startswith(front.prefixes)), None)
