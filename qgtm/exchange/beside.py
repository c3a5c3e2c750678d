"""All that is published beside one market's prices, made when somebody asks for it."""

from functools import cached_property

from qgtm.exchange.cot_form import CotTable
from qgtm.exchange.market.macro import Macro
from qgtm.exchange.market.port import Market
from qgtm.exchange.market.positioning import CotHistory
from qgtm.exchange.market.talk import Talk
from qgtm.exchange.market.vintage import FredHistory


class Beside:
    """Macro, positioning and talk of a market: a pure function of the market's closes and the seed."""

    def __init__(self, market: Market, seed: int) -> None:
        self.market = market
        self.seed = seed

    @cached_property
    def macro(self) -> Macro:
        """Return yields, spreads, the dollar and volatilities."""
        return Macro(self.market, self.seed)

    @cached_property
    def fred(self) -> FredHistory:
        """Return FRED's series with their vintages."""
        return FredHistory(self.macro, self.seed)

    @cached_property
    def cot(self) -> CotTable:
        """Return the weekly reports on positions in futures."""
        return CotTable(CotHistory(self.macro, self.seed))

    @cached_property
    def talk(self) -> Talk:
        """Return what is written on Reddit."""
        return Talk(self.macro, self.seed)
