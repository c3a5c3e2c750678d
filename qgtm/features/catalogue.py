"""Every feature by its name: the families joined, each name once."""

from collections.abc import Iterable
from itertools import chain
from typing import Final

from qgtm.features import (
    calendar,
    change_point,
    correlation,
    curve,
    dollar,
    drawdowns,
    macro,
    options_vol,
    overnight,
    positioning,
    real_rates,
    regime,
    relative_value,
    returns,
    sentiment,
    stress,
    trend,
    volatility,
    volume,
)
from qgtm.features.feature import Feature

FAMILIES: Final[tuple[tuple[Feature, ...], ...]] = (
    returns.FEATURES,
    trend.FEATURES,
    volatility.FEATURES,
    volume.FEATURES,
    relative_value.FEATURES,
    macro.FEATURES,
    real_rates.FEATURES,
    dollar.FEATURES,
    curve.FEATURES,
    positioning.FEATURES,
    options_vol.FEATURES,
    sentiment.FEATURES,
    calendar.FEATURES,
    overnight.FEATURES,
    drawdowns.FEATURES,
    correlation.FEATURES,
    stress.FEATURES,
    regime.FEATURES,
    change_point.FEATURES,
)


def by_name(features: Iterable[Feature]) -> dict[str, Feature]:
    """Return the features by their names. Raises ValueError for a name that two of them have."""
    found: dict[str, Feature] = {}
    for feature in features:
        if feature.name in found:
            raise ValueError(
                f"two features are called {feature.name}, of {found[feature.name].family} and "
                f"{feature.family}: rename one in its notebook"
            )
        found[feature.name] = feature
    return found


CATALOGUE: Final[dict[str, Feature]] = by_name(chain.from_iterable(FAMILIES))
