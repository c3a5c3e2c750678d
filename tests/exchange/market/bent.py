"""A market that is another's until a session, and from then on has other prices."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from qgtm.exchange.market.synthetic import SyntheticMarket


@dataclass
class BentMarket:
    """`market`, whose last prices from `since` on are what `bend` makes of them."""

    market: SyntheticMarket
    since: date
    bend: Callable[[str, Decimal], Decimal]

    def last_price(self, symbol: str, at: datetime) -> Decimal | None:
        price = self.market.last_price(symbol, at)
        return price if price is None or at.date() < self.since else self.bend(symbol, price)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.market, name)
