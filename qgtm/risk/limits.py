# A print of notebooks/risk/limits.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Limits.

How much the fund may hold, trade and lose: read from the configuration, inside bounds that no configuration
can pass.
"""

# cell 5 of notebooks/risk/limits.ipynb
import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from qgtm.core.codec import canonical
from qgtm.core.errors import ConfigError
from qgtm.core.universe import TRADED


# cell 6 of notebooks/risk/limits.ipynb
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Hold every limit: fractions (of equity, unless said otherwise) and basis points as Decimal, counts int.

    `order_adv_frac` is of the 20-session average volume; `factor_share_frac` is the share of the portfolio's
    risk by factor; the two caps are falls from the peak, written as positive numbers.
    """

    single_name_frac: Decimal
    single_name_override_frac: Mapping[str, Decimal]  # by symbol, in place of the line above
    sector_frac: Decimal
    gross_frac: Decimal
    net_frac: Decimal
    order_frac: Decimal
    order_shares: int
    order_adv_frac: Decimal
    spread_bps: Decimal
    collar_frac: Decimal
    orders_per_minute: int
    orders_per_day: int
    same_order_per_minute: int
    turnover_day_frac: Decimal
    daily_loss_frac: Decimal
    weekly_loss_frac: Decimal
    value_at_risk_frac: Decimal  # 99%, one day
    factor_share_frac: Mapping[str, Decimal]  # by factor
    soft_cap_frac: Decimal
    hard_cap_frac: Decimal
    volatility_target_frac: Decimal  # a year
    no_trade_band_frac: Decimal

    def single_name(self, symbol: str) -> Decimal:
        """Return the fraction of equity that `symbol` may reach."""
        return self.single_name_override_frac.get(symbol, self.single_name_frac)


# cell 8 of notebooks/risk/limits.ipynb
class Kind(StrEnum):
    """What a limit's number counts."""

    FRACTION = "fraction"
    BPS = "basis points"
    COUNT = "whole number"


DECIDED: Final[dict[str, tuple[str, Kind]]] = {
    "single_name_frac": ("0.25", Kind.FRACTION),
    "single_name_override_frac.GLD": ("0.50", Kind.FRACTION),
    "single_name_override_frac.SLV": ("0.35", Kind.FRACTION),
    "sector_frac": ("0.60", Kind.FRACTION),
    "gross_frac": ("2.0", Kind.FRACTION),
    "net_frac": ("1.5", Kind.FRACTION),
    "order_frac": ("0.10", Kind.FRACTION),
    "order_shares": ("50000", Kind.COUNT),
    "order_adv_frac": ("0.05", Kind.FRACTION),
    "spread_bps": ("25", Kind.BPS),
    "collar_frac": ("0.02", Kind.FRACTION),
    "orders_per_minute": ("30", Kind.COUNT),
    "orders_per_day": ("300", Kind.COUNT),
    "same_order_per_minute": ("2", Kind.COUNT),
    "turnover_day_frac": ("2.0", Kind.FRACTION),
    "daily_loss_frac": ("0.03", Kind.FRACTION),
    "weekly_loss_frac": ("0.05", Kind.FRACTION),
    "value_at_risk_frac": ("0.03", Kind.FRACTION),
    "factor_share_frac.real_rate": ("0.40", Kind.FRACTION),
    "factor_share_frac.dollar": ("0.30", Kind.FRACTION),
    "factor_share_frac.gold_volatility": ("0.25", Kind.FRACTION),
    "factor_share_frac.silver_volatility": ("0.20", Kind.FRACTION),
    "factor_share_frac.curve": ("0.15", Kind.FRACTION),
    "factor_share_frac.equity": ("0.15", Kind.FRACTION),
    "soft_cap_frac": ("0.08", Kind.FRACTION),
    "hard_cap_frac": ("0.12", Kind.FRACTION),
    "volatility_target_frac": ("0.12", Kind.FRACTION),
    "no_trade_band_frac": ("0.005", Kind.FRACTION),
}
OUTER_FACTOR: Final = 2
OVERRIDES: Final = "single_name_override_frac"
TABLES: Final = (OVERRIDES, "factor_share_frac")


def outer_bound(name: str) -> Decimal:
    """Return the value that the limit called `name` (dotted inside a table) can never pass.

    Raises KeyError for a name that is no limit.
    """
    return OUTER_FACTOR * Decimal(DECIDED[_decided_as(name)][0])


def _decided_as(name: str) -> str:
    # Any traded symbol may have a line of its own; without a decision about it, every symbol's holds.
    table, _, symbol = name.partition(".")
    return "single_name_frac" if table == OVERRIDES and name not in DECIDED and symbol in TRADED else name


# cell 10 of notebooks/risk/limits.ipynb
def limits_from(table: Mapping[str, object]) -> Limits:
    """Return the limits that the configuration's `[limits]` table holds.

    Numbers are Decimal or int, as TOML gives them under `parse_float=Decimal`. Raises ConfigError with one
    sentence a problem, each naming the next step: a limit that is missing, a key that nobody knows, a value
    that is no number, a value past its outer bound, two limits that contradict each other.
    """
    found = dict(_flat(table))
    problems = [*_key_problems(found), *(_problem(name, value) for name, value in found.items())]
    told = [problem for problem in problems if problem]
    if not told:
        limits = _built({name: value for name, value in found.items() if isinstance(value, Decimal | int)})
        told = list(contradictions(limits))
        if not told:
            return limits
    raise ConfigError("\n".join(told))


def _flat(table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and key in TABLES:
            yield from ((f"{key}.{inner}", item) for inner, item in value.items())
        else:
            yield key, value


def _key_problems(found: Mapping[str, object]) -> Iterator[str]:
    for name in DECIDED:
        if name not in found:
            said = f"limits.{name} is missing, and a limit has no default"
            yield f"{said}: write it under [limits] (both operators decided on {DECIDED[name][0]})."
    for name in found:
        if _decided_as(name) not in DECIDED:
            yield f"limits.{name} is no limit that we know; {_nearest(name)}."


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, DECIDED, n=1, cutoff=0.5)
    return f"did you mean {near[0]}? Correct the key" if near else "delete the key"


def _problem(name: str, value: object) -> str | None:
    if _decided_as(name) not in DECIDED:
        return None
    kind = DECIDED[_decided_as(name)][1]
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        return f"limits.{name} is {value!r}, which is no number: write a {kind}, without quotes."
    number = Decimal(value)
    if not number.is_finite() or number <= 0:
        return f"limits.{name} is {value}, and a limit is above zero, also one on a loss: write a {kind}."
    if kind is Kind.COUNT and number != number.to_integral_value():
        return f"limits.{name} is {value}, and it counts: write a whole number."
    return _unit_problem(name, number, kind)


def _unit_problem(name: str, number: Decimal, kind: Kind) -> str | None:
    bound = outer_bound(name)
    if kind is Kind.BPS and _is_likely(number * 10_000, bound):
        return f"limits.{name} is {number}, but it is in basis points: did you mean {_text(number * 10_000)}?"
    if number <= bound:
        return None
    if kind is Kind.FRACTION and _is_likely(number / 100, bound):
        said = f"limits.{name} is {number}, but it is a fraction and no percentage"
        return f"{said}: did you mean {_text(number / 100)}?"
    said = f"limits.{name} is {number}, past its outer bound {_text(bound)}"
    return f"{said}, which only the code can move: write at most {_text(bound)}."


def _is_likely(number: Decimal, bound: Decimal) -> bool:
    return bound / 20 <= number <= bound


def _text(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _built(found: Mapping[str, Decimal | int]) -> Limits:
    values: dict[str, Any] = {table: {} for table in TABLES}
    for name, value in found.items():
        kind = DECIDED[_decided_as(name)][1]
        number = int(value) if kind is Kind.COUNT else Decimal(value)
        table, dot, inner = name.partition(".")
        (values[table] if dot else values)[inner or name] = number
    return Limits(**values)


# cell 12 of notebooks/risk/limits.ipynb
MUST_BE_BELOW: Final = (
    ("soft_cap_frac", "hard_cap_frac", "the soft cap would never act"),
    ("no_trade_band_frac", "order_frac", "every order would be too small or too large"),
)
MUST_NOT_EXCEED: Final = (
    ("single_name_frac", "sector_frac", "a single name would never be stopped by its own limit"),
    ("single_name_override_frac.*", "sector_frac", "a single name would never be stopped by its own limit"),
    ("sector_frac", "gross_frac", "a sector would never be stopped by its own limit"),
    ("net_frac", "gross_frac", "the net exposure cannot pass the gross one"),
    ("order_frac", "turnover_day_frac", "one order would pass the day's turnover"),
    ("same_order_per_minute", "orders_per_minute", "a repeat would never be stopped by its own limit"),
    ("orders_per_minute", "orders_per_day", "a minute would never be stopped by its own limit"),
    ("daily_loss_frac", "weekly_loss_frac", "the day's loss would never be stopped by its own limit"),
    ("weekly_loss_frac", "hard_cap_frac", "the hard cap would come before the week's loss"),
)
SESSIONS_A_YEAR: Final = 252
NORMAL_99: Final = Decimal("2.326")  # the normal distribution's 99th percentile, in standard deviations


def contradictions(limits: Limits) -> tuple[str, ...]:
    """Return a sentence for every two limits of which one can never act beside the other."""
    number = numbers(limits)
    found = [
        f"limits.{low} ({number[low]}) must be {word} limits.{high} ({number[high]}): {why}. Change one."
        for pairs, word in ((MUST_BE_BELOW, "below"), (MUST_NOT_EXCEED, "at most"))
        for pattern, high, why in pairs
        for low in _names_like(pattern, number)
        if number[low] > number[high] or (word == "below" and number[low] == number[high])
    ]
    return (*found, *_volatility_problem(limits))


def _names_like(pattern: str, number: Mapping[str, Decimal | int]) -> list[str]:
    stem = pattern.removesuffix("*")
    return [name for name in number if name.startswith(stem)] if stem != pattern else [pattern]


def _volatility_problem(limits: Limits) -> Iterator[str]:
    # A book at its volatility target must fit under the value at risk, if only returns were normal.
    at_risk = limits.volatility_target_frac * NORMAL_99 / Decimal(SESSIONS_A_YEAR).sqrt()
    if at_risk > limits.value_at_risk_frac:
        said = f"limits.volatility_target_frac ({limits.volatility_target_frac}) means a value at risk of"
        limit = f"limits.value_at_risk_frac ({limits.value_at_risk_frac})"
        yield f"{said} {at_risk:.4f} a day, past {limit}: lower the target, or nothing could be bought."


# cell 14 of notebooks/risk/limits.ipynb
def numbers(limits: Limits) -> dict[str, Decimal | int]:
    """Return every limit by its name, dotted inside a table."""
    found: dict[str, Decimal | int] = {}
    for field in dataclasses.fields(limits):
        value = getattr(limits, field.name)
        if isinstance(value, Mapping):
            found |= {f"{field.name}.{inner}": value[inner] for inner in value}
        else:
            found[field.name] = value
    return found


def texts(limits: Limits) -> dict[str, str]:
    """Return every limit by its name as the journal and a request hold it."""
    return {name: f"{Decimal(value):f}" for name, value in numbers(limits).items()}


def limits_sha(limits: Limits) -> str:
    """Return the sha256 in hex of all limits, however they are written."""
    plain = {name: _text(Decimal(value)) for name, value in numbers(limits).items()}
    return sha256(canonical(plain).encode("ascii")).hexdigest()


def changed_limits(limits: Limits | None, news: Mapping[str, str]) -> Limits:
    """Return the limits with new values by name; without `limits` the news hold every one of them.

    Judges nothing: that was done before it was written down. Raises TypeError when one is missing.
    """
    before = {} if limits is None else numbers(limits)
    return _built({**before, **{name: Decimal(value) for name, value in news.items()}})


def wished_limits(limits: Limits, news: Mapping[str, str]) -> Limits:
    """Return the limits with new values by name, as a person types them; raises as `limits_from`."""
    found: dict[str, object] = {**numbers(limits), **{name: _number(text) for name, text in news.items()}}
    table: dict[str, Any] = {}
    for name, value in found.items():
        outer, dot, inner = name.partition(".")
        if dot and outer in TABLES:
            table.setdefault(outer, {})[inner] = value
        else:
            table[name] = value
    return limits_from(table)


def _number(text: str) -> object:
    try:
        return Decimal(text.replace("_", ""))
    except ArithmeticError:
        return text


def beside(limits: Limits, other: Limits) -> dict[str, Decimal | int]:
    """Return every limit, with an override for each symbol that either has."""
    symbols = (*limits.single_name_override_frac, *other.single_name_override_frac)
    return numbers(limits) | {f"{OVERRIDES}.{symbol}": limits.single_name(symbol) for symbol in symbols}


def loosened(new: Limits, old: Limits) -> tuple[str, ...]:
    """Return the names of the limits that `new` has looser than `old`, sorted; empty when there are none."""
    before = beside(old, new)
    return tuple(sorted(name for name, value in beside(new, old).items() if value > before[name]))


def tighter_of(first: Limits, second: Limits) -> Limits:
    """Return the limits that take the tighter of both, line by line."""
    other = beside(second, first)
    return _built({name: min(value, other[name]) for name, value in beside(first, second).items()})


__all__ = [
    "DECIDED",
    "MUST_BE_BELOW",
    "MUST_NOT_EXCEED",
    "NORMAL_99",
    "OUTER_FACTOR",
    "OVERRIDES",
    "SESSIONS_A_YEAR",
    "TABLES",
    "Kind",
    "Limits",
    "beside",
    "changed_limits",
    "contradictions",
    "limits_from",
    "limits_sha",
    "loosened",
    "numbers",
    "outer_bound",
    "texts",
    "tighter_of",
    "wished_limits",
]
