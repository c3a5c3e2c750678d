"""How the market prices the movement of gold, silver and miners: Alpaca's option chains, one look a session.

The look is taken before the close, while options trade: after it their quotes are wide. What a chain says is
worked out in `option_estimate`; the price of the share is that of the minute in which the options were
quoted, since a feed of options may be a quarter of an hour behind.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from statistics import median
from typing import Any, Final

from qgtm.adapters.feed_form import Row, Taken, number_of, refuse, row_of, text_of, value_of
from qgtm.adapters.feed_minutes import Minute, MinuteFeed, pages
from qgtm.adapters.fetch import Fetcher
from qgtm.adapters.option_estimate import (
    Estimate,
    Option,
    TooFew,
    carry_at,
    estimate_of,
    reversal_at,
    volatility_at,
)
from qgtm.core.fact import Fact
from qgtm.core.instant import aware_utc, new_york_day
from qgtm.core.series import OPTION_ROOTS

CHAIN: Final = "/v1beta1/options/snapshots"
PAGE: Final = 1000
FIRST_DAYS: Final = 5
LAST_DAYS: Final = 135
STRIKES_FRAC: Final = 0.25  # on each side of the share's price
NEAR: Final = timedelta(minutes=4)
LOOK_BACK: Final = timedelta(minutes=60)
MOST_USD: Final = 1_000_000.0
MOST_VOL: Final = 8.0


class OptionFeed:
    """Option chains; for one thread. `minutes` gives the shares' own prices, `now` venue time."""

    def __init__(
        self,
        fetcher: Fetcher,
        minutes: MinuteFeed,
        now: Callable[[], datetime],
        roots: Sequence[str] = OPTION_ROOTS,
    ) -> None:
        self._fetcher = fetcher
        self._minutes = minutes
        self._now = now
        self._roots = tuple(roots)

    def fetch(self) -> Taken:
        """Return what the chains say; what has too few good quotes is missing, in words.

        They are judged by the time at which they were here: a venue that runs fast moves on meanwhile.
        Raises FeedError for a chain of another form.
        """
        before = self._now()
        spots = self._tapes(before)
        chains = {root: self.chain(root, tape[-1].close, before) for root, tape in spots.items() if tape}
        now = self._now()
        tapes = self._tapes(now)
        facts: list[Fact] = []
        missing: list[str] = []
        for root in self._roots:
            if root not in chains or not tapes[root]:
                missing.append(f"{root}: no price of the share itself, so its options say nothing")
                continue
            found, lacking = said_by(root, chains[root], tapes[root], now)
            facts += found
            missing += lacking
        return Taken(tuple(facts), tuple(missing))

    def _tapes(self, now: datetime) -> Mapping[str, Sequence[Minute]]:
        found = self._minutes.minutes(self._roots, now - LOOK_BACK, now)
        return {root: found.get(root, ()) for root in self._roots}

    def chain(self, root: str, spot: float, now: datetime) -> tuple[Option, ...]:
        """Return a root's quoted options around the money, by expiries of half a year. Raises FeedError."""
        today = new_york_day(now)
        asked = {
            "limit": PAGE,
            "expiration_date_gte": (today + timedelta(days=FIRST_DAYS)).isoformat(),
            "expiration_date_lte": (today + timedelta(days=LAST_DAYS)).isoformat(),
            "strike_price_gte": round(spot * (1 - STRIKES_FRAC), 2),
            "strike_price_lte": round(spot * (1 + STRIKES_FRAC), 2),
        }
        where = f"options_vol {root}"
        found: list[Option] = []
        for body in pages(self._fetcher, f"{CHAIN}/{root}", asked):
            shots = row_of(value_of(body, "snapshots", where), where)
            found += [o for name, shot in shots.items() if (o := option_of(root, name, shot)) is not None]
        return tuple(found)


def said_by(
    root: str, options: Sequence[Option], tape: Sequence[Minute], now: datetime
) -> tuple[list[Fact], list[str]]:
    """Return a chain's facts, and in words what it has too few good quotes for."""
    good = [option for option in options if option.is_good(now)]
    if not good:
        return [], [f"{root}: none of {len(options)} options has a good quote"]
    quoted_at = datetime.fromtimestamp(median(option.quoted_at.timestamp() for option in good), now.tzinfo)
    spot = _spot_at(tape, quoted_at)
    if spot is None:
        return [], [f"{root}: no price of the share at {quoted_at:%H:%M} UTC, when its options were quoted"]
    estimates, lacking = _estimates(root, options, spot, now)
    wanted: dict[str, Callable[[], float]] = {
        "IV30": lambda: volatility_at(estimates, 30),
        "IV90": lambda: volatility_at(estimates, 90),
        "RR25": lambda: reversal_at(estimates, 30),
        "CARRY": lambda: carry_at(estimates, 90, spot),
    }
    facts: list[Fact] = []
    missing: list[str] = []
    for field, estimated in wanted.items():
        try:
            facts.append(Fact(f"{field}_{root}", aware_utc(now), aware_utc(now), estimated()))
        except TooFew as problem:
            missing.append(f"{field}_{root}: {problem}{f' ({lacking[0]})' if lacking else ''}")
    return facts, missing


def _estimates(
    root: str, options: Iterable[Option], spot: float, now: datetime
) -> tuple[list[Estimate], list[str]]:
    found: list[Estimate] = []
    lacking: list[str] = []
    for expiry, group in groupby(sorted(options, key=_expiry), key=_expiry):
        try:
            found.append(estimate_of(group, spot, now))
        except TooFew as problem:
            lacking.append(f"{root} of {expiry}: {problem}")
    return found, lacking


def _expiry(option: Option) -> date:
    return option.expiry


def _spot_at(tape: Sequence[Minute], at: datetime) -> float | None:
    """Return the share's price in the minute nearest to a moment, None when none is near."""
    nearest = min(tape, key=lambda minute: abs(minute.end_at - at))
    return nearest.close if abs(nearest.end_at - at) <= NEAR else None


def option_of(root: str, name: str, given: object) -> Option | None:
    """Return a quoted option, None for one that was never quoted or belongs to another root.

    Raises FeedError naming the field that cannot be true.
    """
    contract = contract_of(root, name)
    if contract is None:
        return None
    where = f"options_vol {name}"
    shot = row_of(given, where)
    if shot.get("latestQuote") is None:
        return None
    quote = row_of(shot["latestQuote"], where)
    expiry, is_call, strike = contract
    return Option(
        expiry=expiry,
        is_call=is_call,
        strike=strike,
        bid=number_of(quote, "bp", where, 0.0, MOST_USD),
        ask=number_of(quote, "ap", where, 0.0, MOST_USD),
        quoted_at=_moment(quote, where),
        volatility=_given(shot, "impliedVolatility", where, 0.0, MOST_VOL) or None,
        delta=_delta(shot.get("greeks"), where),
    )


def contract_of(root: str, name: str) -> tuple[date, bool, float] | None:
    """Return expiry, whether it is a call, and strike of an OCC name; None when it is of another root.

    An adjusted contract has a digit after its root and delivers something else than a hundred shares.
    """
    head, tail = name[:-15], name[-15:]
    if head != root or not (tail[:6] + tail[7:]).isdigit() or tail[6] not in "CP":
        return None
    try:
        expiry = date(2000 + int(tail[:2]), int(tail[2:4]), int(tail[4:6]))
    except ValueError:
        return None
    return expiry, tail[6] == "C", int(tail[7:]) / 1000


def _delta(greeks: Any, where: str) -> float | None:
    return None if greeks is None else _given(row_of(greeks, where), "delta", where, -1.0, 1.0)


def _given(row: Mapping[str, Any], name: str, where: str, least: float, most: float) -> float | None:
    return None if row.get(name) is None else number_of(row, name, where, least, most)


def _moment(quote: Row, where: str) -> datetime:
    text = text_of(quote, "t", where)
    try:
        return aware_utc(datetime.fromisoformat(text))
    except ValueError:
        refuse(where, f"the field t is {text!r:.40} and no moment")
