"""Chains made of known volatilities, by scipy; what comes out again, and when nothing may."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from qgtm.adapters.calendar import xnys
from qgtm.adapters.feed_minutes import Minute, MinuteFeed
from qgtm.adapters.feed_options import OptionFeed, contract_of, option_of, said_by
from qgtm.adapters.option_estimate import (
    Option,
    TooFew,
    at_days,
    estimate_of,
    forward_of,
    price_of,
    volatility_of,
)
from qgtm.core.errors import FeedError
from tests.adapters.alpaca_venue import Talk, reply, serving
from tests.adapters.feeding import fetcher

NOW = datetime(2024, 6, 12, 19, 30, tzinfo=UTC)  # 15:30 in New York
SPOT = 214.0
RATE = 0.05
LEASE = 0.01
EXPIRIES = (date(2024, 6, 28), date(2024, 7, 19), date(2024, 8, 16), date(2024, 9, 20))


def years(expiry: date) -> float:
    return (datetime(expiry.year, expiry.month, expiry.day, 20, tzinfo=UTC) - NOW).total_seconds() / (
        365 * 86400
    )


def black_scholes(strike: float, t: float, sigma: float, *, is_call: bool) -> float:
    """Price an option on the spot with a yield, by scipy: another route than the code's forward."""
    d1 = (np.log(SPOT / strike) + (RATE - LEASE + sigma**2 / 2) * t) / (sigma * np.sqrt(t))
    d2 = d1 - sigma * np.sqrt(t)
    sign = 1 if is_call else -1
    bought = SPOT * np.exp(-LEASE * t) * norm.cdf(sign * d1)
    return float(sign * (bought - strike * np.exp(-RATE * t) * norm.cdf(sign * d2)))


def sigma_of(strike: float, t: float) -> float:
    """Put skew, and a term structure that rises."""
    return 0.16 + 0.04 * t - 0.10 * float(np.log(strike / SPOT))


def quoted(strike: float, expiry: date, *, is_call: bool, sigma: float | None = None) -> Option:
    t = years(expiry)
    price = black_scholes(strike, t, sigma or sigma_of(strike, t), is_call=is_call)
    return Option(expiry, is_call, strike, price - 0.005, price + 0.005, NOW - timedelta(minutes=1))


def chain(expiries: tuple[date, ...] = EXPIRIES, half: float = 1.0) -> list[Option]:
    strikes = np.arange(180, 250, half)
    both = [quoted(float(k), e, is_call=c) for e in expiries for k in strikes for c in (True, False)]
    return [option for option in both if option.bid > 0]


TAPE = [Minute(NOW - timedelta(minutes=2), SPOT, SPOT)]


def test_a_chain_gives_back_the_volatility_skew_and_carry_that_it_was_made_with() -> None:
    facts, missing = said_by("GLD", chain(), TAPE, NOW)
    found = {fact.series: fact.value for fact in facts}
    assert missing == []
    assert {fact.known_at for fact in facts} == {NOW}

    def total(days: int) -> float:
        t = days / 365
        forward = SPOT * np.exp((RATE - LEASE) * t)
        return sigma_of(forward, t)

    assert found["IV30_GLD"] == pytest.approx(total(30), abs=5e-4)
    assert found["IV90_GLD"] == pytest.approx(total(90), abs=5e-4)
    assert found["CARRY_GLD"] == pytest.approx(RATE - LEASE, abs=5e-4)

    def strike_at(delta: float, t: float, *, is_call: bool) -> float:
        forward = SPOT * np.exp((RATE - LEASE) * t)

        def off(strike: float) -> float:
            s = sigma_of(strike, t)
            d1 = (np.log(forward / strike) + s**2 / 2 * t) / (s * np.sqrt(t))
            return float((norm.cdf(d1) if is_call else 1 - norm.cdf(d1)) - delta)

        return float(brentq(off, 150, 300))

    t = 30 / 365
    reversal = sigma_of(strike_at(0.25, t, is_call=True), t) - sigma_of(strike_at(0.25, t, is_call=False), t)
    assert found["RR25_GLD"] == pytest.approx(reversal, abs=1e-3)
    assert found["RR25_GLD"] < 0  # the put is dearer


def test_the_vendors_own_volatility_is_used_where_it_is_given() -> None:
    given = [replace(option, volatility=0.33) for option in chain()]
    found = {fact.series: fact.value for fact in said_by("GLD", given, TAPE, NOW)[0]}
    assert found["IV30_GLD"] == pytest.approx(0.33)
    assert found["RR25_GLD"] == pytest.approx(0.0)


def test_total_variance_is_what_is_interpolated() -> None:
    """By hand: 0.04 a year for 0.04 years, 0.09 for 0.12 years, and a straight line between."""
    pair = (estimate(0.04, 0.2), estimate(0.12, 0.3))
    t = 30 / 365
    share = (t - 0.04) / 0.08
    expected = np.sqrt((0.04 * 0.04 + share * (0.09 * 0.12 - 0.04 * 0.04)) / t)
    assert at_days(pair, 30, (0.2, 0.3)) == pytest.approx(expected)


def estimate(t: float, sigma: float) -> Any:
    from qgtm.adapters.option_estimate import Estimate

    return Estimate(t, SPOT, sigma, None, None)


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("strike", [190.0, 214.0, 240.0])
@pytest.mark.parametrize("sigma", [0.05, 0.2, 0.9])
def test_volatility_and_price_agree_with_scipy(strike: float, sigma: float, is_call: bool) -> None:
    t = years(EXPIRIES[2])
    forward, discount = SPOT * np.exp((RATE - LEASE) * t), np.exp(-RATE * t)
    price = black_scholes(strike, t, sigma, is_call=is_call)
    assert price_of(strike, forward, sigma, t, is_call=is_call) * discount == pytest.approx(price, abs=1e-9)
    option = Option(EXPIRIES[2], is_call, strike, price, price, NOW)
    if price > 1e-6:
        assert volatility_of(option, forward, discount, t) == pytest.approx(sigma, abs=1e-4)


def test_a_price_below_any_options_has_no_volatility() -> None:
    option = Option(EXPIRIES[2], True, 150.0, 1.0, 1.0, NOW)
    assert volatility_of(option, SPOT, 1.0, 0.2) is None


def test_the_forward_is_where_parity_has_it() -> None:
    options = chain(EXPIRIES[3:])
    calls = {option.strike: option for option in options if option.is_call}
    puts = {option.strike: option for option in options if not option.is_call}
    expected = SPOT * np.exp((RATE - LEASE) * years(EXPIRIES[3]))
    assert forward_of(calls, puts, SPOT) == pytest.approx(expected, rel=2e-4)


JUNK = {
    "zero bid": lambda option: replace(option, bid=0.0),
    "zero both": lambda option: replace(option, bid=0.0, ask=0.0),
    "crossed": lambda option: replace(option, bid=option.ask + 0.01),
    "wide": lambda option: replace(option, bid=option.mid * 0.5, ask=option.mid * 1.5 + 0.2),
    "old": lambda option: replace(option, quoted_at=NOW - timedelta(minutes=21)),
    "ahead": lambda option: replace(option, quoted_at=NOW + timedelta(minutes=3)),
}


@pytest.mark.fault("E15")
@pytest.mark.parametrize("kind", JUNK)
def test_junk_quotes_give_no_estimate(kind: str) -> None:
    junk = [JUNK[kind](option) for option in chain()]
    facts, missing = said_by("GLD", junk, TAPE, NOW)
    assert facts == []
    assert "none of" in missing[0]


@pytest.mark.fault("E15")
@pytest.mark.parametrize("kind", JUNK)
def test_some_junk_among_good_quotes_moves_nothing(kind: str) -> None:
    clean = {fact.series: fact.value for fact in said_by("GLD", chain(), TAPE, NOW)[0]}
    mixed = [JUNK[kind](option) if n % 7 == 3 else option for n, option in enumerate(chain())]
    found = {fact.series: fact.value for fact in said_by("GLD", mixed, TAPE, NOW)[0]}
    assert found == pytest.approx(clean, abs=2e-3)


@pytest.mark.fault("E15")
def test_too_few_pairs_of_good_quotes_give_no_estimate() -> None:
    few = [option for option in chain() if option.strike in (212, 213, 214, 215)]
    facts, missing = said_by("GLD", few, TAPE, NOW)
    assert facts == []
    assert any("4 strikes have both" in each for each in missing)


@pytest.mark.fault("E15")
def test_quotes_that_contradict_each_other_give_no_estimate() -> None:
    shifted = [
        replace(option, bid=option.bid + 6, ask=option.ask + 6)
        if option.is_call and option.strike % 2
        else option
        for option in chain(EXPIRIES[1:2])
    ]
    with pytest.raises(TooFew, match="imply forwards"):
        estimate_of(shifted, SPOT, NOW)


def test_a_hole_at_the_money_gives_no_estimate() -> None:
    holed = [option for option in chain(EXPIRIES[1:2]) if abs(option.strike - SPOT) > 8]
    with pytest.raises(TooFew, match="no good quote between"):
        estimate_of(holed, SPOT, NOW)


def test_expiries_on_one_side_only_give_no_estimate() -> None:
    facts, missing = said_by("GLD", chain(EXPIRIES[2:]), TAPE, NOW)
    assert {fact.series for fact in facts} == {"IV90_GLD", "CARRY_GLD"}
    assert any("each side of 30 days" in each for each in missing)


def test_a_share_without_a_price_at_that_time_gives_no_estimate() -> None:
    old = [Minute(NOW - timedelta(minutes=9), SPOT, SPOT)]
    facts, missing = said_by("GLD", chain(), old, NOW)
    assert facts == []
    assert "no price of the share at 19:29" in missing[0]


def test_options_that_lag_are_held_against_the_share_of_their_time() -> None:
    """A feed a quarter of an hour behind: the share has moved a percent since."""
    lagging = [replace(option, quoted_at=NOW - timedelta(minutes=15)) for option in chain()]
    tape = [
        Minute(NOW - timedelta(minutes=16), SPOT, SPOT),
        Minute(NOW - timedelta(minutes=2), 1.0, SPOT * 1.01),
    ]
    found = {fact.series: fact.value for fact in said_by("GLD", lagging, tape, NOW)[0]}
    assert found["CARRY_GLD"] == pytest.approx(RATE - LEASE, abs=5e-4)


def test_only_plain_contracts_of_the_root_count() -> None:
    assert contract_of("GLD", "GLD240719C00214000") == (date(2024, 7, 19), True, 214.0)
    assert contract_of("GLD", "GLD240719P00000500") == (date(2024, 7, 19), False, 0.5)
    for name in (
        "GLD1240719C00214000",
        "GLDM240719C00214000",
        "GLD241319C00214000",
        "GLD240719X00214000",
        "GLD",
    ):
        assert contract_of("GLD", name) is None


def shot(option: Option) -> dict[str, Any]:
    return {
        "latestQuote": {
            "t": "2024-06-12T19:29:00.123456789Z",
            "bp": option.bid,
            "ap": option.ask,
            "bs": 1,
            "as": 1,
        },
        "latestTrade": None,
    }


def name_of(option: Option) -> str:
    return f"GLD{option.expiry:%y%m%d}{'C' if option.is_call else 'P'}{round(option.strike * 1000):08d}"


@pytest.mark.fault("E13")
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"latestQuote": {"t": "2024-06-12T19:29:00Z", "ap": 1.0}}, "bp"),
        ({"latestQuote": {"t": "2024-06-12T19:29:00Z", "bp": "x", "ap": 1.0}}, "bp"),
        ({"latestQuote": {"t": "2024-06-12T19:29:00Z", "bp": 1.0, "ap": -1.0}}, "ap"),
        ({"latestQuote": {"t": 5, "bp": 1.0, "ap": 1.0}}, "t"),
        ({"latestQuote": {"bp": 1.0, "ap": 1.0}}, "t"),
        (
            {"latestQuote": {"t": "2024-06-12T19:29:00Z", "bp": 1.0, "ap": 1.1}, "impliedVolatility": 18.4},
            "implied",
        ),
        (
            {"latestQuote": {"t": "2024-06-12T19:29:00Z", "bp": 1.0, "ap": 1.1}, "greeks": {"delta": 52}},
            "delta",
        ),
    ],
)
def test_a_quote_that_cannot_be_true_is_refused_by_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(FeedError, match=f"field {field}"):
        option_of("GLD", "GLD240719C00214000", given)


def test_a_contract_without_quote_or_greeks_is_no_fault() -> None:
    assert option_of("GLD", "GLD240719C00214000", {"latestTrade": None}) is None
    found = option_of("GLD", "GLD240719C00214000", shot(quoted(214.0, EXPIRIES[1], is_call=True)))
    assert found is not None
    assert (found.volatility, found.delta) == (None, None)


def test_the_chains_are_asked_for_and_what_is_missing_is_said() -> None:
    shots = {name_of(option): shot(option) for option in chain()}
    names = sorted(shots)
    first = {"snapshots": {name: shots[name] for name in names[:300]}, "next_page_token": "more"}
    rest = {"snapshots": {name: shots[name] for name in names[300:]}, "next_page_token": None}
    bar = {
        "t": "2024-06-12T19:28:00Z",
        "o": SPOT,
        "h": SPOT,
        "l": SPOT,
        "c": SPOT,
        "v": 1,
        "n": 1,
        "vw": SPOT,
    }

    def answer(talk: Talk) -> None:
        if talk.asked.path == "/v2/stocks/bars":
            reply(200, {"bars": {"GLD": [bar], "SLV": [bar]}, "next_page_token": None})(talk)
        elif talk.asked.path.endswith("/GLD"):
            reply(200, rest if "page_token" in talk.asked.query else first)(talk)
        else:
            reply(200, {"snapshots": {}, "next_page_token": None})(talk)

    with serving(answer) as vendor:
        asking = fetcher(vendor.url, secret=False)
        minutes = MinuteFeed(asking, xnys().sessions, lambda day: None, "iex")
        taken = OptionFeed(asking, minutes, lambda: NOW).fetch()
    assert {fact.series for fact in taken.facts} == {"IV30_GLD", "IV90_GLD", "RR25_GLD", "CARRY_GLD"}
    assert taken.missing == (
        "SLV: none of 0 options has a good quote",
        "GDX: no price of the share itself, so its options say nothing",
    )
    asked = next(each.query for each in vendor.asked if each.path.endswith("/GLD"))
    assert (asked["strike_price_gte"], asked["strike_price_lte"]) == ("160.5", "267.5")
    assert (asked["expiration_date_gte"], asked["expiration_date_lte"]) == ("2024-06-17", "2024-10-25")


def test_chains_of_a_venue_that_runs_fast_are_judged_by_the_time_they_came() -> None:
    """Six minutes go by while the chain is fetched: its quotes are not from the future then."""
    later = NOW + timedelta(minutes=6)
    shots = {
        name_of(o): {**shot(o), "latestQuote": {**shot(o)["latestQuote"], "t": "2024-06-12T19:35:00Z"}}
        for o in chain()
    }

    def answer(talk: Talk) -> None:
        if talk.asked.path == "/v2/stocks/bars":
            minute = "19:34" if "19:36" in talk.asked.query["end"] else "19:28"
            bar = {"t": f"2024-06-12T{minute}:00Z", "v": 1, **dict.fromkeys("ohlc", SPOT)}
            reply(200, {"bars": {"GLD": [bar]}, "next_page_token": None})(talk)
        else:
            reply(200, {"snapshots": shots, "next_page_token": None})(talk)

    times = iter([NOW, later])
    with serving(answer) as vendor:
        asking = fetcher(vendor.url, secret=False)
        minutes = MinuteFeed(asking, xnys().sessions, lambda day: None, "iex")
        taken = OptionFeed(asking, minutes, lambda: next(times), ("GLD",)).fetch()
    assert taken.missing == ()
    assert {fact.known_at for fact in taken.facts} == {later}
