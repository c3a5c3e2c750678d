# A print of notebooks/features/positioning.ipynb: do not edit it here.
# Edit the notebook and run `make export`, which writes this file and MANIFEST.json anew.
"""Positioning.

Who holds the futures: managed money, producers and swap dealers, as shares of what is open.
"""

# cell 4 of notebooks/features/positioning.ipynb
from collections.abc import Callable
from functools import partial

import numpy as np

from qgtm.core.series import COT_CODES
from qgtm.features.bars import FloatArray
from qgtm.features.feature import Feature
from qgtm.features.released import release_change, release_place, release_z
from qgtm.features.seen import Seen

METALS = tuple(COT_CODES)
YEAR = 300  # sessions in which 52 releases are looked for
MONTH = 40  # and in which 4 are
EXTREME = 2.0
HOLDERS = {"MM": "managed_money", "PROD": "producer", "SWAP": "swap_dealer"}
_PRESSURE = "de Roon, Nijman and Veld 2000, hedging pressure"
_of_positions = partial(
    Feature,
    family="positioning",
    symbols=METALS,
    missing="as first released; not known with too few releases, as after a long shutdown",
)


def _series(field: str) -> tuple[str, ...]:
    return tuple(f"COT_{metal}_{field}" for metal in METALS)


def _open(seen: Seen) -> FloatArray:
    interest = seen.known(*_series("OI"))
    return np.where(interest > 0, interest, np.nan)


def _net(seen: Seen, holder: str) -> FloatArray:
    net = seen.known(*_series(f"{holder}_LONG")) - seen.known(*_series(f"{holder}_SHORT"))
    return np.asarray(net / _open(seen))


def _days(seen: Seen) -> FloatArray:
    return seen.days(*_series("OI"))


def _reads(holder: str) -> tuple[str, ...]:
    return (*_series(f"{holder}_LONG"), *_series(f"{holder}_SHORT"), *_series("OI"))


def _share(holder: str) -> Feature:
    return _of_positions(
        name=f"{HOLDERS[holder]}_net",
        formula="(long − short) / open interest",
        unit="frac of open interest",
        source=_PRESSURE,
        reads=_reads(holder),
        warm_up=1,
        compute=lambda seen: _net(seen, holder).T,
    )


def _windowed(
    name: str,
    formula: str,
    unit: str,
    holder: str,
    releases: int,
    sessions: int,
    of: Callable[..., FloatArray],
) -> Feature:
    return _of_positions(
        name=f"{HOLDERS[holder]}_{name}",
        formula=formula,
        unit=unit,
        source=_PRESSURE if holder == "PROD" else "Moskowitz, Ooi and Pedersen 2012, section 5",
        reads=_reads(holder),
        warm_up=sessions + 1,
        compute=lambda seen: of(_net(seen, holder), _days(seen), releases, sessions).T,
    )


def _z(holder: str) -> Feature:
    return _windowed("z_52", "z(net, 52 releases)", "standard deviations", holder, 52, YEAR, release_z)


def _extreme(z: FloatArray) -> FloatArray:
    return np.where(np.isnan(z), np.nan, np.where(np.abs(z) > EXTREME, np.sign(z), 0.0))


_MANAGED_Z = _z("MM")


def _gross(seen: Seen) -> FloatArray:
    both = seen.known(*_series("MM_LONG")) + seen.known(*_series("MM_SHORT"))
    return np.asarray(both / _open(seen))


# cell 5 of notebooks/features/positioning.ipynb
FEATURES: tuple[Feature, ...] = (
    *(_share(holder) for holder in HOLDERS),
    _MANAGED_Z,
    _z("PROD"),
    _z("SWAP"),
    *(
        _windowed(
            f"change_{n}",
            f"net − net {n} releases before",
            "frac of open interest",
            holder,
            n,
            MONTH,
            release_change,
        )
        for holder, n in (("MM", 1), ("MM", 4), ("PROD", 4))
    ),
    _windowed(
        "place_52", "(net − least) / (most − least), 52 releases", "frac", "MM", 52, YEAR, release_place
    ),
    _windowed(
        "place_52", "(net − least) / (most − least), 52 releases", "frac", "PROD", 52, YEAR, release_place
    ),
    _of_positions(
        name="managed_money_extreme",
        formula="sign(z) where |z(net, 52 releases)| > 2, else 0",
        unit="−1, 0 or 1",
        source="this notebook's bound on the z-score",
        reads=_MANAGED_Z.reads,
        warm_up=_MANAGED_Z.warm_up,
        window=1,
        compute=lambda seen: _extreme(seen.get(_MANAGED_Z)),
    ),
    _of_positions(
        name="managed_money_gross",
        formula="(long + short) / open interest",
        unit="frac of open interest",
        source="Büyükşahin and Harris 2011, on who holds what",
        reads=_reads("MM"),
        warm_up=1,
        compute=lambda seen: _gross(seen).T,
    ),
    _of_positions(
        name="open_interest_change_4",
        formula="ln OI − ln OI 4 releases before",
        unit="log change",
        source="Hong and Yogo 2012, growth of open interest",
        reads=_series("OI"),
        warm_up=MONTH + 1,
        compute=lambda seen: release_change(np.log(_open(seen)), _days(seen), 4, MONTH).T,
    ),
)


__all__ = [
    "EXTREME",
    "FEATURES",
    "HOLDERS",
    "METALS",
    "MONTH",
    "YEAR",
]
