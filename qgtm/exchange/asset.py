"""What may be traded: one line a symbol, with the flags that Alpaca gives an asset."""

from dataclasses import dataclass
from uuid import UUID, uuid5

_ASSETS = UUID("5a6b1f0e-6f0c-5d0a-9d0e-71746d000002")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A tradable symbol."""

    symbol: str
    name: str = ""
    exchange: str = "ARCA"
    is_tradable: bool = True
    is_marginable: bool = True
    is_shortable: bool = True
    is_fractionable: bool = True

    @property
    def id(self) -> str:
        """Return an id that depends on the symbol only."""
        return str(uuid5(_ASSETS, self.symbol))


def assets_of(symbols: tuple[str, ...], special: dict[str, Asset]) -> dict[str, Asset]:
    """Return an asset for each symbol: the special one if given, else an ARCA fund with every flag."""
    return {s: special.get(s) or Asset(symbol=s, name=f"{s} exchange traded fund") for s in symbols}
