"""What can be set on an exchange: how it is seeded, its habits, and the account's own switches."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How the exchange behaves where Alpaca's paper side is random or slow.

    `partial_fill_frac`: how often a fill that could be whole comes in two parts.
    `slow_cancel_frac`: how often a cancel asked out of hours stays pending to the next open.
    `participation_frac`: share of a minute's volume that a resting order may take.
    """

    partial_fill_frac: float = 0.1
    slow_cancel_frac: float = 0.0
    participation_frac: Decimal = Decimal("0.1")
    activation_s: float = 0.01
    cancel_s: float = 0.02
    refill_s: float = 2.0
    pays_dividends: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """The account's own limits at the broker, which hold even if the client's code is wrong."""

    suspend_trade: bool = False
    no_shorting: bool = False
    fractional_trading: bool = True
    max_margin_multiplier: Decimal = Decimal(2)
    disable_overnight_trading: bool = False
    trading_blocked: bool = False
    account_blocked: bool = False
