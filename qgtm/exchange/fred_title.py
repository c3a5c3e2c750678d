"""What FRED calls its series: title, rhythm and unit, as its own pages have them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Title:
    """A series in FRED's words."""

    title: str
    frequency: str = "Daily"
    units: str = "Percent"
    units_short: str = "%"


TITLES: Final[dict[str, Title]] = {
    "DFII10": Title(
        "Market Yield on U.S. Treasury Securities at 10-Year Constant Maturity, Quoted on an Investment "
        "Basis, Inflation-Indexed"
    ),
    "DFII5": Title(
        "Market Yield on U.S. Treasury Securities at 5-Year Constant Maturity, Quoted on an Investment "
        "Basis, Inflation-Indexed"
    ),
    "T10YIE": Title("10-Year Breakeven Inflation Rate"),
    "T5YIE": Title("5-Year Breakeven Inflation Rate"),
    "DGS10": Title("Market Yield on U.S. Treasury Securities at 10-Year Constant Maturity"),
    "DGS2": Title("Market Yield on U.S. Treasury Securities at 2-Year Constant Maturity"),
    "T10Y2Y": Title("10-Year Treasury Constant Maturity Minus 2-Year Treasury Constant Maturity"),
    "DTWEXBGS": Title(
        "Nominal Broad U.S. Dollar Index", units="Index Jan 2006=100", units_short="Index Jan 2006=100"
    ),
    "VIXCLS": Title("CBOE Volatility Index: VIX", "Daily, Close", "Index", "Index"),
    "GVZCLS": Title("CBOE Gold ETF Volatility Index", "Daily, Close", "Index", "Index"),
    "DFF": Title("Federal Funds Effective Rate", "Daily, 7-Day"),
    "SOFR": Title("Secured Overnight Financing Rate"),
    "WALCL": Title(
        "Assets: Total Assets: Total Assets (Less Eliminations from Consolidation): Wednesday Level",
        "Weekly, As of Wednesday",
        "Millions of U.S. Dollars",
        "Mil. of U.S. $",
    ),
    "BAMLH0A0HYM2": Title("ICE BofA US High Yield Index Option-Adjusted Spread", "Daily, Close"),
}
