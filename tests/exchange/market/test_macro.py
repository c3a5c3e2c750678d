"""The economy beside the prices: the same for the same seed, of no later price, consistent and linked."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from qgtm.exchange.market.macro import Macro, MacroDay
from qgtm.exchange.market.port import CorporateAction
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.exchange.market.total_return import TotalReturns
from tests.exchange.market.bent import BentMarket
from tests.exchange.tiny import TinyMarket

NOW = datetime(2019, 6, 28, 21, tzinfo=UTC)
SEEDS = (7, 11, 23)
# Plausible levels, from the lowest and highest of 2003 to 2023 at FRED with room around them.
BOUNDS = {
    "DFII10": (-2.5, 4.5),
    "DFII5": (-3.5, 5.0),
    "T10YIE": (0.2, 4.0),
    "T5YIE": (0.0, 4.5),
    "DGS10": (0.3, 7.0),
    "DGS2": (0.05, 7.0),
    "T10Y2Y": (-2.5, 3.5),
    "DTWEXBGS": (80.0, 150.0),
    "VIXCLS": (8.9, 86.0),
    "GVZCLS": (6.9, 70.0),
    "DFF": (0.03, 7.0),
    "SOFR": (0.0, 7.2),
    "BAMLH0A0HYM2": (2.2, 21.0),
}


def rows_of(seed: int = 7, now: datetime = NOW) -> Sequence[MacroDay]:
    return Macro(SyntheticMarket(seed), seed).until(now)


def column(rows: Sequence[MacroDay], name: str) -> np.ndarray:
    return np.array([row.values[name] for row in rows])


def test_same_seed_gives_the_same_and_another_seed_another() -> None:
    assert rows_of(7) == rows_of(7)
    assert rows_of(7) != rows_of(11)
    market = SyntheticMarket(7)
    assert Macro(market, 7).until(NOW)[-1].values != Macro(market, 8).until(NOW)[-1].values


def test_steps_and_a_leap_give_the_same() -> None:
    macro = Macro(SyntheticMarket(7), 7)
    for month in range(1, 13):
        macro.until(datetime(2016, month, 17, 15, tzinfo=UTC))
    assert list(macro.until(NOW)) == list(rows_of(7))


def test_later_prices_change_nothing_before_them() -> None:
    since = date(2018, 3, 14)
    bent = BentMarket(SyntheticMarket(7), since, lambda _, price: price * Decimal("1.37"))
    straight, other = rows_of(7), Macro(bent, 7).until(NOW)
    same = [a.day for a, b in zip(straight, other, strict=True) if a == b]
    assert same == [row.day for row in straight if row.day < since]


def test_session_is_not_worked_out_before_its_close() -> None:
    macro = Macro(SyntheticMarket(7), 7)
    assert macro.until(datetime(2019, 6, 28, 19, 59, tzinfo=UTC))[-1].day == date(2019, 6, 27)
    assert macro.until(datetime(2019, 6, 28, 20, 0, tzinfo=UTC))[-1].day == date(2019, 6, 28)
    earlier = macro.newest(datetime(2019, 6, 28, 19, 59, tzinfo=UTC))
    assert earlier is not None
    assert earlier.day == date(2019, 6, 27)


@pytest.mark.parametrize("seed", SEEDS)
def test_yields_add_up_and_levels_are_plausible(seed: int) -> None:
    rows = rows_of(seed)
    for row in rows:
        v = row.values
        assert round(v["DFII10"] + v["T10YIE"] - v["DGS10"], 6) == 0
        assert round(v["DGS10"] - v["DGS2"] - v["T10Y2Y"], 6) == 0
        assert abs(v["SOFR"] - v["DFF"]) < 0.2
    for name, (low, high) in BOUNDS.items():
        values = column(rows, name)
        assert low <= values.min(), name
        assert values.max() <= high, name
        assert len(np.unique(values)) > 10, name
        assert abs(np.diff(values)).max() < 0.5 * max(values.max() - values.min(), 1e-9), name


def closes(market: SyntheticMarket, symbol: str, rows: Sequence[MacroDay]) -> np.ndarray:
    """Return log changes of the closes, by the market's own bars."""
    bars = [market.daily(symbol, row.day) for row in rows]
    return np.diff(np.log([float(bar.close) for bar in bars if bar is not None]))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("series", "symbol", "low", "high"),
    [
        ("DGS10", "IEF", -1.0, -0.9),
        ("DFII10", "TIP", -1.0, -0.85),
        ("DFII10", "GLD", -0.6, -0.15),
        ("DGS2", "SHY", -1.0, -0.5),
        ("DTWEXBGS", "UUP", 0.9, 1.0),
        ("DTWEXBGS", "GLD", -0.7, -0.2),
        ("VIXCLS", "SPY", -0.9, -0.5),
        ("BAMLH0A0HYM2", "SPY", -0.9, -0.4),
    ],
)
def test_changes_are_linked_to_the_prices(
    seed: int, series: str, symbol: str, low: float, high: float
) -> None:
    now = datetime(2016, 12, 30, 22, tzinfo=UTC)  # two years: the daily bars cost their paths
    rows, market = rows_of(seed, now), SyntheticMarket(seed)
    linked = np.corrcoef(np.diff(column(rows, series)), closes(market, symbol, rows))[0, 1]
    assert low <= linked <= high


@pytest.mark.parametrize("seed", SEEDS)
def test_gold_volatility_index_follows_realised_volatility_and_lies_above_it(seed: int) -> None:
    rows = rows_of(seed)
    returns = np.array([row.returns["GLD"] for row in rows])
    realised = np.array([returns[n - 21 : n].std() * 252**0.5 * 100 for n in range(21, len(rows) + 1)])
    index = column(rows, "GVZCLS")[20:]
    assert np.corrcoef(realised, index)[0, 1] > 0.6
    assert 0.3 < (index - realised).mean() < 6.0  # the premium that sellers of options ask


def test_crash_of_shares_is_felt_the_same_day_and_not_before() -> None:
    since = date(2018, 6, 4)
    fall = {"SPY": Decimal("0.93"), "HYG": Decimal("0.97"), "VIXY": Decimal("1.25")}
    bent = BentMarket(SyntheticMarket(7), since, lambda symbol, price: price * fall.get(symbol, Decimal(1)))
    calm = {row.day: row.values for row in rows_of(7)}
    crash = {row.day: row.values for row in Macro(bent, 7).until(NOW)}
    assert crash[date(2018, 6, 1)] == calm[date(2018, 6, 1)]
    assert crash[since]["VIXCLS"] > 1.2 * calm[since]["VIXCLS"]
    assert crash[since]["BAMLH0A0HYM2"] > calm[since]["BAMLH0A0HYM2"] + 0.5
    assert crash[since]["DGS10"] == calm[since]["DGS10"]


def test_policy_rate_moves_on_the_day_after_a_decision_alone() -> None:
    from qgtm.exchange.market.release import fomc_days

    rows = rows_of(7)
    rate = column(rows, "DFF")
    told = {day for year in range(2015, 2020) for day in fomc_days(year)}
    moves = [n for n in range(1, len(rows)) if abs(rate[n] - rate[n - 1]) > 0.1]
    assert len(moves) > 2
    assert all(rows[n - 1].day in told for n in moves)


def test_wednesday_without_a_session_knows_nothing_of_thursday() -> None:
    fourth, since = date(2018, 7, 4), date(2018, 7, 5)
    assert fourth.weekday() == 2
    days = count(1)  # of fear, each worse than the one before
    bent = BentMarket(SyntheticMarket(7), since, lambda s, p: p * 2 ** next(days) if s == "VIXY" else p)
    straight, other = Macro(SyntheticMarket(7), 7), Macro(bent, 7)
    for macro in (straight, other):
        macro.until(datetime(2018, 7, 12, 21, tzinfo=UTC))
    assert straight.assets(fourth) == other.assets(fourth) is not None
    assert straight.assets(date(2018, 7, 11)) != other.assets(date(2018, 7, 11))


def test_dividend_and_split_are_no_return() -> None:
    market = TinyMarket(names=("GLD", "HYG"))
    session = market.session_on(date(2024, 3, 12))
    after = market.session_on(date(2024, 3, 13))
    assert session is not None
    assert after is not None
    market.events = [
        CorporateAction("HYG", after.day, None, Decimal(2)),
        CorporateAction("GLD", after.day, Decimal(5), None),
    ]
    returns = TotalReturns(market)
    returns.take(session)
    market.set("HYG", after.open_at, "98")
    market.set("GLD", after.open_at, "20")
    found = returns.take(after)
    assert found["HYG"] == pytest.approx(0.0, abs=1e-12)
    assert found["GLD"] == pytest.approx(0.0, abs=1e-12)


def test_folder_that_lacks_symbols_has_others_stand_in(tmp_path: Path) -> None:
    lines = "".join(f"2022-11-{day},{p},{p},{p},{p},900\n" for day, p in ((21, 100), (22, 101), (23, 99)))
    (tmp_path / "TLT.csv").write_text("date,open,high,low,close,volume\n" + lines)
    rows = Macro(RecordedMarket(tmp_path, 7), 7).until(datetime(2022, 11, 23, 22, tzinfo=UTC))
    assert [row.returns["IEF"] for row in rows] == pytest.approx(
        [0.0, 0.43 * np.log(1.01), 0.43 * np.log(99 / 101)]
    )
    assert rows[1].values["DGS10"] < rows[0].values["DGS10"]


@pytest.mark.parametrize("folder", ["bars_2015_2018", "bars_2020_2023"])
def test_recorded_prices_make_an_economy_too(shared_data: Path, folder: str) -> None:
    market = RecordedMarket(shared_data / folder, 7)
    rows = Macro(market, 7).until(datetime(2023, 6, 30, 22, tzinfo=UTC))
    for name, (low, high) in BOUNDS.items():
        values = column(rows, name)
        assert low <= values.min(), name
        assert values.max() <= high, name


def test_recorded_prices_make_yields_and_volatility_move_as_they_did(shared_data: Path) -> None:
    """The true VIX and ten-year real yield of 2016 to 2018, against those made of the bars alone."""
    rows = Macro(RecordedMarket(shared_data / "bars_2015_2018", 7), 7).until(
        datetime(2018, 12, 31, 22, tzinfo=UTC)
    )
    for name, least in (("VIXCLS", 0.6), ("DFII10", 0.5), ("GVZCLS", 0.1)):
        lines = (shared_data / "fred" / f"{name}.csv").read_text().split()[1:]
        real = {
            day: float(value)
            for day, _, value in (line.partition(",") for line in lines)
            if value not in ("", ".", "NA")
        }
        pairs = [(row.values[name], real[row.day.isoformat()]) for row in rows if row.day.isoformat() in real]
        made, true = np.diff(np.array(pairs), axis=0).T
        assert len(made) > 500
        assert np.corrcoef(made, true)[0, 1] > least, name
