# A print of notebooks/risk/drawdown.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Drawdown.

How far the fund has fallen from its peak: per unit, so that money in and out does not count, and never on one
sample.
"""

# cell 5 of notebooks/risk/drawdown.ipynb
from dataclasses import dataclass
from decimal import Decimal

from qgtm.core.money import exact
from qgtm.core.record import renewed


# cell 6 of notebooks/risk/drawdown.ipynb
@dataclass(frozen=True)
class Params:
    """Name the knobs of this notebook; `PARAMS` holds their values."""

    needed: int
    apart_s: float
    window_s: float
    tolerance_frac: float


PARAMS = Params(
    needed=3,  # samples that must agree [3, 10]
    apart_s=10.0,  # seconds between two samples, at least [10.0, 60.0]
    window_s=180.0,  # seconds that the samples may span, at most [30.0, 900.0]
    tolerance_frac=0.01,  # by which the two sources may differ [0.001, 0.02]
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Hold one believed sample: when (process time, seconds) and the unit value in dollars."""

    monotonic_s: float
    unit_value_usd: Decimal


@dataclass(frozen=True, kw_only=True)
class Drawdown:
    """Hold the fund per unit: how many units, what one is worth, its peak, and the samples on trial.

    `unit_value_usd` is confirmed; `seen_usd` is that of the last sample on which both sources agreed, at
    any hour. `high_water_mark_usd` is the peak since the last reset, `lifetime_peak_usd` since the beginning,
    both confirmed and per unit. `doubt` says why the last sample was not believed, None when it was.
    """

    units: Decimal
    unit_value_usd: Decimal
    high_water_mark_usd: Decimal
    lifetime_peak_usd: Decimal
    seen_usd: Decimal
    samples: tuple[Sample, ...] = ()
    doubt: str | None = None

    @property
    def drawdown_frac(self) -> Decimal:
        """Return the confirmed fall from the peak, a fraction >= 0."""
        return fall_frac(self.unit_value_usd, self.high_water_mark_usd)

    @property
    def seen_frac(self) -> Decimal:
        """Return the fall as last seen, confirmed or not: for alerts and screens, a fraction >= 0."""
        return fall_frac(self.seen_usd, self.high_water_mark_usd)

    @property
    def lifetime_frac(self) -> Decimal:
        """Return the confirmed fall from the highest unit value there ever was, a fraction >= 0."""
        return fall_frac(self.unit_value_usd, self.lifetime_peak_usd)


def fall_frac(unit_value_usd: Decimal, peak_usd: Decimal) -> Decimal:
    """Return the fall from `peak_usd` (> 0) as a fraction, 0 at or above it."""
    return max(Decimal(0), 1 - unit_value_usd / peak_usd)


def started(equity_usd: Decimal) -> Drawdown:
    """Return the count at its beginning: one unit a dollar. Raises ValueError unless equity is above zero."""
    if not equity_usd.is_finite() or equity_usd <= 0:
        raise ValueError(f"a fund starts with money, not with {equity_usd}; look at the account first")
    one = Decimal(1)
    return Drawdown(
        units=equity_usd, unit_value_usd=one, high_water_mark_usd=one, lifetime_peak_usd=one, seen_usd=one
    )


# cell 8 of notebooks/risk/drawdown.ipynb
def sampled(
    state: Drawdown,
    account_usd: Decimal | None,
    own_usd: Decimal | None,
    monotonic_s: float,
    *,
    is_regular: bool,
) -> Drawdown:
    """Return the state after a sample: the account's equity and our own count of it, in dollars.

    `is_regular` says that the regular session is open: outside it a sample is seen, and confirms nothing.
    Raises nothing.
    """
    doubt = why_not_believed(account_usd, own_usd)
    if account_usd is None or own_usd is None or doubt is not None:
        return renewed(state, doubt=doubt)
    unit_value_usd = min(account_usd, own_usd) / state.units
    seen = renewed(state, doubt=None, seen_usd=unit_value_usd)
    return _on_trial(seen, Sample(monotonic_s, unit_value_usd)) if is_regular else seen


def why_not_believed(account_usd: Decimal | None, own_usd: Decimal | None) -> str | None:
    """Return why two counts of one equity, in dollars, cannot be believed; None when they agree."""
    if account_usd is None or not account_usd.is_finite():
        return f"the account's equity is {account_usd}"
    if own_usd is None or not own_usd.is_finite():
        return "our own count of the equity lacks a price"
    if abs(account_usd - own_usd) > exact(PARAMS.tolerance_frac) * max(abs(account_usd), abs(own_usd)):
        return f"the account says {account_usd:.2f} and our own count {own_usd:.2f}"
    return None


def _on_trial(state: Drawdown, sample: Sample) -> Drawdown:
    ages = ((sample.monotonic_s - before.monotonic_s, before) for before in state.samples)
    kept = tuple(before for age_s, before in ages if 0 <= age_s <= PARAMS.window_s)
    if kept and sample.monotonic_s - kept[-1].monotonic_s < PARAMS.apart_s:
        return state
    samples = (*kept, sample)[-PARAMS.needed :]
    fresh = renewed(state, samples=samples)
    return _confirmed(fresh) if len(samples) == PARAMS.needed else fresh


def _confirmed(state: Drawdown) -> Drawdown:
    values = [sample.unit_value_usd for sample in state.samples]
    unit_value_usd = min(max(state.unit_value_usd, min(values)), max(values))
    return renewed(
        state,
        unit_value_usd=unit_value_usd,
        high_water_mark_usd=max(state.high_water_mark_usd, unit_value_usd),
        lifetime_peak_usd=max(state.lifetime_peak_usd, unit_value_usd),
    )


# cell 10 of notebooks/risk/drawdown.ipynb
# Alpaca's activity types: deposit, withdrawal, journal of cash, transfer between brokers, cash transaction.
FLOW_KINDS = ("CSD", "CSW", "JNLC", "ACATC", "TRANS")


def is_flow(kind: str) -> bool:
    """Return whether a cash activity of this kind is money of the owners, and no income or cost."""
    return kind in FLOW_KINDS


def flowed(state: Drawdown, amount_usd: Decimal) -> Drawdown:
    """Return the state after `amount_usd` came in (+) or went out (-), at the unit value last seen.

    A flow that would leave no units (or meets a fund worth nothing) changes nothing and leaves a doubt.
    """
    units = state.units + amount_usd / state.seen_usd if state.seen_usd > 0 else Decimal(0)
    if units <= 0:
        return renewed(state, doubt=f"a flow of {amount_usd:.2f} leaves no unit to count in")
    return renewed(state, units=units)


def restarted(state: Drawdown) -> Drawdown:
    """Return the state with its peak at the present unit value, as a confirmed reset sets it."""
    return renewed(state, high_water_mark_usd=state.unit_value_usd, samples=())


def booted(state: Drawdown) -> Drawdown:
    """Return the state without the samples on trial: their clock belonged to another process."""
    return renewed(state, samples=())


__all__ = [
    "FLOW_KINDS",
    "PARAMS",
    "Drawdown",
    "Params",
    "Sample",
    "booted",
    "fall_frac",
    "flowed",
    "is_flow",
    "restarted",
    "sampled",
    "started",
    "why_not_believed",
]
