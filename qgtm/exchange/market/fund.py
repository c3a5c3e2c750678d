"""What the exchange knows of each symbol: what moves it, how much it trades and at what spread.

Levels, volatilities and volumes are rounded from public figures of 2015 to 2023; they have to be
plausible, not exact. Funds that decay begin high, as prices adjusted for their reverse splits do.
"""

from dataclasses import dataclass, field
from typing import Final

from qgtm.core.universe import LEVERAGE, SYMBOLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Fund:
    """One symbol of the universe.

    `loadings` are the fund's log return for a unit of each driver's; `own_vol` is what no driver
    explains, a year. A fund with `multiple` is rebalanced daily to that many times `base` instead.
    `volume` is shares in an ordinary session, `spread_bps` the whole quoted spread.
    """

    price_usd: float
    volume: int
    spread_bps: float
    fee_frac: float
    loadings: dict[str, float] = field(default_factory=dict)
    own_vol: float = 0.0
    yield_frac: float = 0.0
    base: str = ""
    multiple: int = 0


def _fund(price_usd: float, volume: int, spread_bps: float, fee_frac: float, **loadings: float) -> Fund:
    own_vol, yield_frac = loadings.pop("own", 0.0), loadings.pop("pays", 0.0)
    return Fund(
        price_usd=price_usd,
        volume=volume,
        spread_bps=spread_bps,
        fee_frac=fee_frac,
        loadings=loadings,
        own_vol=own_vol,
        yield_frac=yield_frac,
    )


def _leveraged(symbol: str, base: str, price_usd: float, volume: int, spread_bps: float) -> Fund:
    return Fund(
        price_usd=price_usd,
        volume=volume,
        spread_bps=spread_bps,
        fee_frac=0.0095,
        base=base,
        multiple=LEVERAGE[symbol],
    )


_FUNDS: Final[dict[str, Fund]] = {
    "GLD": _fund(114.0, 8_000_000, 0.6, 0.0040, gold=1.0),
    "IAU": _fund(21.9, 6_000_000, 4.0, 0.0025, gold=1.0),
    "SGOL": _fund(11.4, 2_500_000, 8.0, 0.0017, gold=1.0),
    "GLDM": _fund(22.8, 2_200_000, 4.0, 0.0010, gold=1.0),
    "SLV": _fund(18.0, 20_000_000, 5.0, 0.0050, silver=1.0),
    "SIVR": _fund(18.5, 450_000, 7.0, 0.0030, silver=1.0),
    "PPLT": _fund(116.0, 130_000, 8.0, 0.0060, platinum=1.0),
    "PALL": _fund(77.0, 60_000, 14.0, 0.0060, palladium=1.0),
    "GDX": _fund(36.0, 22_000_000, 3.0, 0.0051, gold=1.6, equity=0.45, miners=1.0),
    "GDXJ": _fund(50.0, 5_500_000, 3.5, 0.0052, gold=1.7, equity=0.55, miners=1.1, own=0.09),
    "RING": _fund(32.0, 130_000, 9.0, 0.0039, gold=1.6, equity=0.45, miners=1.0, own=0.04),
    "SIL": _fund(42.0, 320_000, 8.0, 0.0065, silver=0.65, gold=0.4, equity=0.5, miners=0.6, argent=1.0),
    "SILJ": _fund(
        42.0, 1_100_000, 8.0, 0.0069, silver=0.8, gold=0.3, equity=0.55, miners=0.7, argent=1.1, own=0.1
    ),
    "SLVP": _fund(
        42.0, 110_000, 12.0, 0.0039, silver=0.7, gold=0.4, equity=0.5, miners=0.65, argent=1.0, own=0.06
    ),
    "UGL": _leveraged("UGL", "GLD", 40.0, 130_000, 12.0),
    "GLL": _leveraged("GLL", "GLD", 190.0, 70_000, 14.0),
    "AGQ": _leveraged("AGQ", "SLV", 90.0, 1_100_000, 8.0),
    "ZSL": _leveraged("ZSL", "SLV", 1500.0, 160_000, 12.0),
    "NUGT": _leveraged("NUGT", "GDX", 160.0, 1_100_000, 5.0),
    "DUST": _leveraged("DUST", "GDX", 3000.0, 500_000, 6.0),
    "SPY": _fund(205.0, 80_000_000, 0.4, 0.0009, equity=1.0, pays=0.016),
    "TLT": _fund(126.0, 20_000_000, 0.8, 0.0015, rates=2.3, own=0.02, pays=0.028),
    "IEF": _fund(106.0, 7_000_000, 1.0, 0.0015, rates=1.0, pays=0.022),
    "SHY": _fund(84.5, 4_000_000, 1.2, 0.0015, rates=0.22, pays=0.015),
    "UUP": _fund(24.0, 1_300_000, 4.0, 0.0077, dollar=1.0),
    "HYG": _fund(89.6, 30_000_000, 1.2, 0.0049, credit=1.0, rates=0.25, equity=0.1, pays=0.052),
    "LQD": _fund(119.4, 18_000_000, 0.9, 0.0014, rates=1.05, credit=0.5, pays=0.034),
    "TIP": _fund(112.0, 2_600_000, 1.0, 0.0019, rates=0.75, breakeven=1.0),
    "VIXY": _fund(1900.0, 3_000_000, 5.0, 0.0085, volatility=1.0),
    "CPER": _fund(21.0, 160_000, 11.0, 0.0088, copper=1.0),
}

# One order for every array of the exchange: the universe's.
FUNDS: Final[dict[str, Fund]] = {symbol: _FUNDS[symbol] for symbol in SYMBOLS}
INDEX: Final[dict[str, int]] = {symbol: number for number, symbol in enumerate(SYMBOLS)}
