"""Everything that the exchange knows at a moment, in one place for rules, matching and storage."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from qgtm.exchange.account import Ledger
from qgtm.exchange.asset import Asset
from qgtm.exchange.draw import id_in, space_of
from qgtm.exchange.event import Activity, Execution, TradeUpdate
from qgtm.exchange.order_book import OrderBook
from qgtm.exchange.price import Prices
from qgtm.exchange.setting import Habits, Switches


@dataclass(frozen=True, slots=True)
class Halt:
    """A stop of trading in a symbol until `until_at`, or until it is lifted."""

    symbol: str
    from_at: datetime
    until_at: datetime | None
    code: str = "T1"
    reason: str = "Halt News Pending"


@dataclass(slots=True)
class Desk:
    """The exchange's whole state; `now` is the latest moment that it has seen."""

    seed: int
    prices: Prices
    assets: dict[str, Asset]
    ledger: Ledger
    now: datetime
    switches: Switches = field(default_factory=Switches)
    habits: Habits = field(default_factory=Habits)
    book: OrderBook = field(default_factory=OrderBook)
    executions: list[Execution] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    halts: dict[str, Halt] = field(default_factory=dict)
    past_halts: list[Halt] = field(default_factory=list)
    updates: list[TradeUpdate] = field(default_factory=list)
    update_count: int = 0
    dawned: date | None = None
    space: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.name_space()

    def name_space(self) -> None:
        """Set the space of ids by the seed."""
        self.space = space_of(self.seed)

    def new_id(self, what: str, number: int) -> str:
        """Return the id of the `number`-th thing of its kind; the same seed gives the same ids."""
        return id_in(self.space, f"{what} {number}")

    def halt_at(self, symbol: str, at: datetime) -> Halt | None:
        """Return the halt that stops a symbol at that moment, None when it trades."""
        halt = self.halts.get(symbol) if self.halts else None
        if halt is None or at < halt.from_at or (halt.until_at is not None and at >= halt.until_at):
            return None
        return halt

    def mark(self, symbol: str) -> Decimal:
        """Return a symbol's last price now, in dollars."""
        return self.prices.mark(symbol, self.now)
