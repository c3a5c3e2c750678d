"""The closed list of what may be traded, and what is only read (strategies.md, "Universe")."""

from typing import Final

SECTORS: Final[dict[str, tuple[str, ...]]] = {
    "gold": ("GLD", "IAU", "SGOL", "GLDM"),
    "silver": ("SLV", "SIVR"),
    "platinum_palladium": ("PPLT", "PALL"),
    "gold_miners": ("GDX", "GDXJ", "RING"),
    "silver_miners": ("SIL", "SILJ", "SLVP"),
    "leveraged": ("UGL", "GLL", "AGQ", "ZSL", "NUGT", "DUST"),
}
TRADED: Final[tuple[str, ...]] = tuple(symbol for names in SECTORS.values() for symbol in names)
REFERENCE: Final[tuple[str, ...]] = (
    "SPY",
    "TLT",
    "IEF",
    "SHY",
    "UUP",
    "HYG",
    "LQD",
    "TIP",
    "VIXY",
    "CPER",
)
SYMBOLS: Final[tuple[str, ...]] = TRADED + REFERENCE
SECTOR: Final[dict[str, str]] = {symbol: sector for sector, names in SECTORS.items() for symbol in names}

# Dollars of metal or miners moved by a dollar of the fund: a leveraged fund counts by what it moves.
LEVERAGE: Final[dict[str, int]] = {"UGL": 2, "GLL": -2, "AGQ": 2, "ZSL": -2, "NUGT": 2, "DUST": -2}

# Wrappers of one metal net to the first, so that the book never churns one against another.
WRAPPERS: Final[dict[str, tuple[str, ...]]] = {
    "GLD": ("GLD", "IAU", "GLDM", "SGOL"),
    "SLV": ("SLV", "SIVR"),
}
PRIMARY: Final[dict[str, str]] = {symbol: primary for primary, names in WRAPPERS.items() for symbol in names}


def primary(symbol: str) -> str:
    """Return the symbol that an equivalent wrapper nets to; itself when it has no equivalent."""
    return PRIMARY.get(symbol, symbol)
