"""The one bridge between float (maths) and Decimal (money)."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

CENT = Decimal("0.01")
TENTH_OF_A_MILL = Decimal("0.0001")
ONE = Decimal(1)


def exact(value: float) -> Decimal:
    """Return the Decimal that prints as `value` does; raise ValueError unless it is finite."""
    return _finite(Decimal(repr(float(value))))


def _finite(number: Decimal) -> Decimal:
    if not number.is_finite():
        raise ValueError(f"{number} is not a finite number")
    return number


def usd(value: float | Decimal) -> Decimal:
    """Return dollars to the cent, halves to even; raise ValueError unless finite."""
    number = _finite(value) if isinstance(value, Decimal) else exact(value)
    return number.quantize(CENT, ROUND_HALF_EVEN)


def tick(price: Decimal) -> Decimal:
    """Return the least price step (SEC Rule 612): a cent from $1 up, a hundredth of one below."""
    return CENT if price >= ONE else TENTH_OF_A_MILL


def limit_price(price: float | Decimal) -> Decimal:
    """Return `price` rounded to the tick, as an order may carry it.

    Raises ValueError unless it is finite and, once rounded, above zero.
    """
    number = _finite(price) if isinstance(price, Decimal) else exact(price)
    rounded = number.quantize(tick(number), ROUND_HALF_EVEN)
    if not rounded > 0:
        raise ValueError(f"a limit price is above zero once rounded, not {number}")
    return rounded


def whole_shares(weight: float, equity_usd: Decimal, price: Decimal) -> Decimal:
    """Return the shares that `weight` of the account buys, rounded towards zero.

    Raises ValueError when the weight is not finite or the price is not above zero.
    """
    if not _finite(price) > 0:
        raise ValueError(f"a price is above zero, not {price}")
    return (exact(weight) * equity_usd / price).to_integral_value(rounding=ROUND_DOWN) + 0
