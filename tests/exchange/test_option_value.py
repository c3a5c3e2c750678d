"""Options: worth by a second derivation, parity and carry, one surface with FRED's index, junk."""

import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import pytest

from qgtm.exchange.market.macro import Smile
from qgtm.exchange.option_chain import Contract, contract_from, expiries
from qgtm.exchange.option_value import Terms, at_the_money, value_of, years_to
from tests.exchange.asking import Asker, asker

NOW = datetime(2019, 6, 27, 19, 45, tzinfo=UTC)
ROOTS = ("GLD", "SLV", "GDX")
KEYS = {"APCA-API-KEY-ID": "a", "APCA-API-SECRET-KEY": "b"}
SMILE = Smile(at_30=0.2, far=0.24, skew=0.05, lease=0.01)
TERMS = Terms(spot=100.0, rate=0.03, smile=SMILE)


def option(strike: float, *, is_call: bool = True, days: int = 91) -> Contract:
    return Contract("GLD", NOW.date() + timedelta(days=days), is_call, strike)


@pytest.mark.parametrize("strike", [80.0, 95.0, 100.0, 104.0, 125.0])
@pytest.mark.parametrize("is_call", [True, False])
def test_worth_is_black_scholes_with_a_dividend_yield_at_the_volatility_it_tells(
    strike: float, is_call: bool
) -> None:
    """Merton 1973, written out with another normal distribution."""
    contract = option(strike, is_call=is_call)
    found, years = value_of(contract, TERMS, NOW), years_to(contract, NOW)
    sigma, cdf = found.implied_volatility, NormalDist().cdf
    d1 = (math.log(100 / strike) + (0.03 - 0.01 + sigma**2 / 2) * years) / (sigma * years**0.5)
    call = 100 * math.exp(-0.01 * years) * cdf(d1) - strike * math.exp(-0.03 * years) * cdf(
        d1 - sigma * years**0.5
    )
    put = call - 100 * math.exp(-0.01 * years) + strike * math.exp(-0.03 * years)
    assert found.price == pytest.approx(call if is_call else put, abs=1e-9)
    assert found.delta == pytest.approx(math.exp(-0.01 * years) * (cdf(d1) if is_call else cdf(d1) - 1))


@pytest.mark.parametrize(("name", "step"), [("delta", 0.01), ("gamma", 0.01)])
def test_greeks_are_slopes_of_the_worth_while_the_smile_stands(name: str, step: float) -> None:
    flat = Smile(0.2, 0.2, 0.0, 0.01)
    contract = option(101.0)

    def worth(spot: float) -> Any:
        return value_of(contract, Terms(spot, 0.03, flat), NOW)

    here, low, high = worth(100.0), worth(100.0 - step), worth(100.0 + step)
    slope = (high.price - low.price) / (2 * step)
    bend = (high.delta - low.delta) / (2 * step)
    # the curve of the smile moves with the spot, by little at the money
    assert getattr(here, name) == pytest.approx(slope if name == "delta" else bend, rel=0.03)


def test_term_structure_passes_through_thirty_days_and_falls_back_to_the_far_one() -> None:
    assert at_the_money(SMILE, 30 / 365) == pytest.approx(0.2)
    assert 0.2 < at_the_money(SMILE, 90 / 365) < at_the_money(SMILE, 1.0) < 0.24
    scared = Smile(at_30=0.4, far=0.2, skew=0.0, lease=0.0)
    assert at_the_money(scared, 7 / 365) > 0.4 > at_the_money(scared, 90 / 365) > 0.2


def test_fridays_with_a_holiday_expire_on_thursday() -> None:
    listed = expiries(date(2024, 3, 11), lambda day: day != date(2024, 3, 29))
    assert date(2024, 3, 28) in listed
    assert date(2024, 3, 29) not in listed
    assert listed[-1] == date(2024, 8, 16)
    assert max(b - a for a, b in pairwise(listed)) <= timedelta(days=35)


def chain(ask: Asker, root: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    token: str | None = ""
    while token is not None:
        answer = ask.answer(f"/v1beta1/options/snapshots/{root}?limit=1000&page_token={token}", **KEYS)
        found |= answer.body["snapshots"]
        token = answer.body["next_page_token"]
    return found


@pytest.fixture(scope="module")
def asked() -> Asker:
    return asker(NOW)


def parts(shots: dict[str, Any]) -> list[tuple[Contract, dict[str, Any]]]:
    found = [(contract_from(symbol), shot) for symbol, shot in shots.items()]
    return [(contract, shot) for contract, shot in found if contract is not None]


@pytest.mark.parametrize("root", ROOTS)
def test_parity_holds_for_all_expiries_with_one_plausible_carry(asked: Asker, root: str) -> None:
    quotes = {
        (c.expiry, c.strike, c.is_call): (shot["latestQuote"]["bp"] + shot["latestQuote"]["ap"]) / 2
        for c, shot in parts(chain(asked, root))
        if 0 < shot["latestQuote"]["bp"] < shot["latestQuote"]["ap"] < 1.2 * shot["latestQuote"]["bp"] + 0.05
        and shot["latestQuote"]["t"].startswith("2019-06-27")
    }
    spot = float(asked.exchange.desk.prices.mark(root, NOW))
    rate = float(asked.fred("series/observations", series_id="SOFR")["observations"][-1]["value"]) / 100
    carries = []
    for expiry, strike, is_call in quotes:
        years = (datetime(expiry.year, expiry.month, expiry.day, 20, tzinfo=UTC) - NOW) / timedelta(days=365)
        if is_call and (expiry, strike, False) in quotes and years > 0.2 and abs(strike / spot - 1) < 0.05:
            gap = quotes[expiry, strike, True] - quotes[expiry, strike, False]
            carries.append(math.log((strike + gap * math.exp(rate * years)) / spot) / years)
    assert len(carries) > 8
    middle = sorted(carries)[len(carries) // 2]
    assert -0.005 < rate - middle < 0.03  # the lease rate
    assert sum(abs(each - middle) < 0.006 for each in carries) > 0.9 * len(carries)


def test_gold_at_the_money_is_what_freds_index_says(asked: Asker) -> None:
    spot = float(asked.exchange.desk.prices.mark("GLD", NOW))
    near = [
        (abs((c.expiry - NOW.date()).days - 30), abs(c.strike - spot), shot["impliedVolatility"])
        for c, shot in parts(chain(asked, "GLD"))
        if "impliedVolatility" in shot
    ]
    index = asker(NOW + timedelta(days=1))  # the index of the 26th is out by then
    rows = index.fred("series/observations", series_id="GVZCLS", observation_end="2019-06-26")["observations"]
    assert min(near)[2] * 100 == pytest.approx(float(rows[-1]["value"]), rel=0.03)


@pytest.mark.parametrize("root", ROOTS)
def test_chain_spans_thirty_and_ninety_days_and_both_deltas(asked: Asker, root: str) -> None:
    listed = parts(chain(asked, root))
    days = sorted({(c.expiry - NOW.date()).days for c, _ in listed})
    assert min(days) < 30 < 90 < max(days)
    assert any(20 <= day <= 40 for day in days)
    by_expiry = Counter(c.expiry for c, _ in listed)
    for expiry in by_expiry:
        deltas = [shot["greeks"]["delta"] for c, shot in listed if c.expiry == expiry and "greeks" in shot]
        if (expiry - NOW.date()).days >= 20:
            assert min(deltas) < -0.3 < -0.2 < 0.2 < 0.3 < max(deltas)
            assert any(0.15 < delta < 0.35 for delta in deltas)
            assert any(-0.35 < delta < -0.15 for delta in deltas)


@pytest.mark.parametrize("root", ROOTS)
def test_chain_has_junk_and_little_of_it_where_most_is_traded(asked: Asker, root: str) -> None:
    shots = chain(asked, root)
    quotes = [shot["latestQuote"] for shot in shots.values()]
    assert any(quote["bp"] == 0 for quote in quotes)
    assert any(not quote["t"].startswith("2019-06-27") for quote in quotes)
    assert any("greeks" not in shot for shot in shots.values())
    near = [shot for shot in shots.values() if 0.2 < abs(shot.get("greeks", {}).get("delta", 0)) < 0.8]
    bad = [s for s in near if not 0 < s["latestQuote"]["bp"] < s["latestQuote"]["ap"]]
    assert len(near) > 50
    assert len(bad) < 0.02 * len(near)


def test_some_quote_of_a_week_is_crossed() -> None:
    crossed = [
        quote
        for day in (24, 25, 26, 27)
        for shot in chain(asker(datetime(2019, 6, day, 19, 45, tzinfo=UTC)), "GLD").values()
        if (quote := shot["latestQuote"])["bp"] > quote["ap"]
    ]
    assert crossed


def test_expired_contract_is_listed_no_more() -> None:
    friday = datetime(2019, 6, 28, 20, 1, tzinfo=UTC)
    assert min(c.expiry for c, _ in parts(chain(asker(friday), "GLD"))) == date(2019, 7, 5)
    assert (
        min(c.expiry for c, _ in parts(chain(asker(friday - timedelta(minutes=5)), "GLD"))) == friday.date()
    )


def test_symbol_beside_the_three_is_priced_off_its_realised_volatility(asked: Asker) -> None:
    shots = [shot for _, shot in parts(chain(asked, "SPY")) if "impliedVolatility" in shot]
    assert 0.04 < min(shot["impliedVolatility"] for shot in shots) < 0.6
