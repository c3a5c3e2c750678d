# A print of notebooks/risk/exposure.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Exposure.

What the book could come to hold, in the worst case over every order that may still fill.
"""

# cell 5 of notebooks/risk/exposure.ipynb
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Final

from qgtm.core.order import ZERO, Order, Side
from qgtm.core.universe import LEVERAGE

# cell 6 of notebooks/risk/exposure.ipynb
NOT_KNOWN: Final = Decimal("NaN")


@dataclass(frozen=True, kw_only=True)
class Book:
    """Hold the portfolio: equity, signed shares and dollar marks by symbol, and orders that may still fill.

    An order whose answer is unknown may still fill.
    """

    equity_usd: Decimal
    positions: Mapping[str, Decimal]
    orders: tuple[Order, ...]
    marks: Mapping[str, Decimal]

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return every symbol that is held or ordered, sorted."""
        return tuple(sorted({*self.positions, *self.live}))

    @cached_property
    def live(self) -> Mapping[str, list[Order]]:
        """Return the orders by symbol."""
        found: dict[str, list[Order]] = {}
        for order in self.orders:
            found.setdefault(order.symbol, []).append(order)
        return found

    @cached_property
    def prices(self) -> Mapping[str, Decimal]:
        """Return the highest of mark and live orders' prices by symbol, in dollars; NaN for none."""
        return {symbol: self._highest(symbol) for symbol in self.symbols}

    def _highest(self, symbol: str) -> Decimal:
        asked = (_asked(order) for order in self.live.get(symbol, ()))
        prices = [
            price for price in (self.marks.get(symbol), *asked) if price is not None and is_price(price)
        ]
        return max(prices, default=NOT_KNOWN)


def with_order(book: Book, order: Order) -> Book:
    """Return the book with one more live order."""
    return replace(book, orders=(*book.orders, order))


def is_price(price: Decimal | None) -> bool:
    """Return whether `price` is a finite number above zero."""
    return price is not None and price.is_finite() and price > 0


def highest_price(symbol: str, book: Book) -> Decimal:
    """Return the highest of the mark and the prices of live orders, in dollars; NaN when none is known.

    Only what is held or ordered has a price here.
    """
    return book.prices.get(symbol, NOT_KNOWN)


def _asked(order: Order) -> Decimal:
    return order.arrival_price if order.limit_price is None else order.limit_price


# cell 8 of notebooks/risk/exposure.ipynb
def reach(symbol: str, book: Book) -> tuple[Decimal, Decimal]:
    """Return the lowest and the highest signed position in shares that live orders can leave in `symbol`."""
    held = book.positions.get(symbol, ZERO)
    live = book.live.get(symbol, ())
    bought = sum((order.remaining for order in live if order.side is Side.BUY), ZERO)
    sold = sum((order.remaining for order in live if order.side is Side.SELL), ZERO)
    return held - sold, held + bought


def worst_held_usd(symbol: str, book: Book) -> Decimal:
    """Return the largest holding in `symbol`, long or short, in its own dollars; NaN when it is not known."""
    low, high = reach(symbol, book)
    if not (low.is_finite() and high.is_finite()):
        return NOT_KNOWN
    largest = max(abs(low), abs(high))
    return largest * highest_price(symbol, book) if largest else ZERO


def worst_gross_usd(book: Book, symbols: Iterable[str]) -> Decimal:
    """Return the largest gross exposure in `symbols`, by leverage; NaN when something is not known."""
    return sum((worst_held_usd(symbol, book) * abs(LEVERAGE.get(symbol, 1)) for symbol in symbols), ZERO)


def worst_net_usd(book: Book, symbols: Iterable[str]) -> Decimal:
    """Return the largest net exposure, long or short, by signed leverage; NaN when something is not known."""
    ranges = [_range_usd(symbol, book) for symbol in symbols]
    lowest, highest = sum((low for low, _ in ranges), ZERO), sum((high for _, high in ranges), ZERO)
    return max(-lowest, highest) if lowest.is_finite() and highest.is_finite() else NOT_KNOWN


def _range_usd(symbol: str, book: Book) -> tuple[Decimal, Decimal]:
    ends = [LEVERAGE.get(symbol, 1) * end for end in reach(symbol, book)]
    if not all(end.is_finite() for end in ends):
        return NOT_KNOWN, NOT_KNOWN
    price = highest_price(symbol, book) if any(ends) else ZERO
    return min(ends) * price, max(ends) * price


def recomputed_usd(
    cash_usd: Decimal, positions: Mapping[str, Decimal], marks: Mapping[str, Decimal]
) -> Decimal | None:
    """Return our own count of the equity in dollars: cash and every position at its mark.

    None when a position that is held has no mark that can be believed.
    """
    held = {symbol: quantity for symbol, quantity in positions.items() if quantity != 0}
    if not all(is_price(marks.get(symbol)) for symbol in held):
        return None
    return sum((quantity * marks[symbol] for symbol, quantity in held.items()), cash_usd)


__all__ = [
    "NOT_KNOWN",
    "Book",
    "highest_price",
    "is_price",
    "reach",
    "recomputed_usd",
    "with_order",
    "worst_gross_usd",
    "worst_held_usd",
    "worst_net_usd",
]
