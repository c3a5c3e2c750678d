"""Each family against another route: pandas where it has the window, else a loop that follows the formula."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FIELDS, FloatArray
from qgtm.features.catalogue import CATALOGUE
from qgtm.features.panel import Panel
from qgtm.features.seen import Seen
from qgtm.research.made_up_panel import made_up_seen

LENGTH = 620
SEEN = made_up_seen(LENGTH, 23)
BAR = {name: pd.DataFrame(getattr(SEEN.bars, name), columns=list(SYMBOLS)) for name in FIELDS}
PANEL = pd.DataFrame(SEEN.panel.values, columns=list(SEEN.panel.names))
CLOSE, R = BAR["close"], np.log(BAR["close"]).diff()
GLD, SLV, SPY, GDX = R["GLD"], R["SLV"], R["SPY"], R["GDX"]
Table = pd.DataFrame | pd.Series


def z(x: Table, n: int) -> Table:
    return (x - x.rolling(n).mean()) / x.rolling(n).std()


def rank(x: Table, n: int) -> Table:
    return (x.rolling(n).rank() - 1) / (n - 1)


def yearly(variance: Table) -> Table:
    return np.sqrt(252 * variance)


U, D, C = (np.log(BAR[name] / BAR["open"]) for name in ("high", "low", "close"))
NIGHT = np.log(BAR["open"] / CLOSE.shift())
RS = U * (U - C) + D * (D - C)
GK = 0.5 * np.log(BAR["high"] / BAR["low"]) ** 2 - (2 * math.log(2) - 1) * C**2
K21 = 0.34 / (1.34 + 22 / 20)
RV21 = yearly((R**2).rolling(21).mean())
RV126 = yearly((R**2).rolling(126).mean())
TR = np.maximum(BAR["high"], CLOSE.shift()) - np.minimum(BAR["low"], CLOSE.shift())
TR.iloc[0] = np.nan
CEILING, FLOOR = BAR["high"].rolling(20).max().shift(), BAR["low"].rolling(20).min().shift()
TRADED = CLOSE * BAR["volume"] / 1e6
REAL = PANEL[["DFII10", "DFII5"]]
MACRO = PANEL[["T10YIE", "T5YIE", "DGS10", "DFF", "SOFR", "WALCL"]]
DOLLAR = np.log(PANEL["DTWEXBGS"])
FEAR = PANEL[["VIXCLS", "GVZCLS"]]
ROOTS = ("GLD", "SLV", "GDX")
IV30, IV90, RR25, CARRY = (
    PANEL[[f"{field}_{root}" for root in ROOTS]].set_axis(list(ROOTS), axis=1)
    for field in ("IV30", "IV90", "RR25", "CARRY")
)
TONE = PANEL[["REDDIT_GOLD_SCORE", "REDDIT_SILVER_SCORE"]]
COUNT = PANEL[["REDDIT_GOLD_COUNT", "REDDIT_SILVER_COUNT"]]
PAIRS = (("GLD", "SLV"), ("GLD", "PPLT"), ("GDX", "GLD"), ("SIL", "SLV"), ("GDXJ", "GDX"), ("CPER", "GLD"))
RATIO = pd.DataFrame({f"{y}/{x}": np.log(CLOSE[y] / CLOSE[x]) for y, x in PAIRS})
GAP = PANEL["DGS2"] - PANEL["DFF"]
SPREAD = PANEL["GVZCLS"] - PANEL["VIXCLS"]

ROUTES: dict[str, Callable[[], Table]] = {
    "log_return_63": lambda: np.log(CLOSE / CLOSE.shift(63)),
    "momentum_126_5": lambda: np.log(CLOSE.shift(5) / CLOSE.shift(131)),
    "scaled_return_63": lambda: np.log(CLOSE / CLOSE.shift(63)) / (R.rolling(63).std() * math.sqrt(63)),
    "rising_share_21": lambda: (R > 0).where(R.notna()).astype(float).rolling(21).mean(),
    "average_gap_50": lambda: np.log(CLOSE / CLOSE.rolling(50).mean()),
    "channel_place_20": lambda: (CLOSE - FLOOR) / (CEILING - FLOOR),
    "true_range": lambda: TR,
    "average_true_range_20": lambda: TR.rolling(20).mean(),
    "efficiency_21": lambda: np.log(CLOSE / CLOSE.shift(21)).abs() / R.abs().rolling(21).sum(),
    "straightness_63": lambda: np.log(CLOSE).rolling(63).corr(pd.Series(np.arange(LENGTH, dtype=float))),
    "realised_volatility_21": lambda: RV21,
    "parkinson_volatility_21": lambda: yearly(
        (np.log(BAR["high"] / BAR["low"]) ** 2).rolling(21).mean() / (4 * math.log(2))
    ),
    "garman_klass_volatility_21": lambda: yearly(GK.rolling(21).mean()),
    "rogers_satchell_volatility_21": lambda: yearly(RS.rolling(21).mean()),
    "yang_zhang_volatility_21": lambda: yearly(
        NIGHT.rolling(21).var() + K21 * C.rolling(21).var() + (1 - K21) * RS.rolling(21).mean()
    ),
    "exponential_volatility": lambda: yearly((R**2).ewm(com=60, adjust=False).mean()),
    "volatility_ratio": lambda: np.log(RV21 / RV126),
    "volatility_rank": lambda: rank(RV21, 252),
    "volatility_of_volatility": lambda: RV21.rolling(63).std(),
    "downside_share": lambda: (R.clip(upper=0) ** 2).rolling(63).sum() / (R**2).rolling(63).sum(),
    "abnormal_volume_21": lambda: np.log(BAR["volume"] / BAR["volume"].rolling(21).mean().shift()),
    "volume_z_63": lambda: z(np.log(BAR["volume"]), 63),
    "dollar_volume_21": lambda: TRADED.rolling(21).mean(),
    "illiquidity_21": lambda: (R.abs() / TRADED).rolling(21).mean(),
    "signed_volume_21": lambda: (
        (np.sign(R) * BAR["volume"]).rolling(21).sum() / BAR["volume"].where(R.notna()).rolling(21).sum()
    ),
    "volume_return_correlation_63": lambda: R.abs().rolling(63).corr(np.log(BAR["volume"])),
    "log_ratio": lambda: RATIO,
    "ratio_z_252": lambda: z(RATIO, 252),
    "ratio_rank_252": lambda: rank(RATIO, 252),
    "pair_beta_126": lambda: pd.DataFrame(
        {f"{y}/{x}": R[y].rolling(126).cov(R[x]) / R[x].rolling(126).var() for y, x in PAIRS}
    ),
    "levered_decay_63": lambda: pd.DataFrame(
        {
            fund: 252 * 0.5 * (factor**2 - factor) * (R[base] ** 2).rolling(63).mean()
            for fund, factor, base in (
                ("UGL", 2, "GLD"),
                ("GLL", -2, "GLD"),
                ("AGQ", 2, "SLV"),
                ("ZSL", -2, "SLV"),
                ("NUGT", 2, "GDX"),
                ("DUST", -2, "GDX"),
            )
        }
    ),
    "macro_change_21": lambda: MACRO.diff(21),
    "macro_z_252": lambda: z(MACRO, 252),
    "macro_change_z_126": lambda: z(MACRO.diff(21), 126),
    "real_yield_rank_252": lambda: rank(REAL, 252),
    "holding_cost_z_252": lambda: z(PANEL["SOFR"] - PANEL["T5YIE"], 252),
    "real_slope": lambda: PANEL["DFII10"] - PANEL["DFII5"],
    "broad_dollar_momentum_z_252": lambda: z(DOLLAR.diff(63), 252),
    "broad_dollar_gap_200": lambda: DOLLAR - DOLLAR.rolling(200).mean(),
    "curve_slope_z_252": lambda: z(PANEL["T10Y2Y"], 252),
    "bull_steepening_63": lambda: (
        ((PANEL["T10Y2Y"].diff(63) > 0) & (PANEL["DGS2"].diff(63) < 0))
        .astype(float)
        .where(PANEL["DGS2"].diff(63).notna())
    ),
    "policy_gap_change_21": lambda: GAP.diff(21),
    "implied_rank_252": lambda: rank(IV30, 252),
    "volatility_premium_rank_252": lambda: rank(IV30 - RV21[list(ROOTS)], 252),
    "put_skew_z_126": lambda: z(-RR25, 126),
    "term_slope_z_252": lambda: z(IV90 - IV30, 252),
    "lease_rate_z_252": lambda: z((-CARRY).add(PANEL["SOFR"] / 100, axis=0), 252),
    "tone_z_63": lambda: z(TONE, 63),
    "attention_z_63": lambda: z(np.log(1 + COUNT), 63),
    "crowd_heat_63": lambda: pd.DataFrame(
        np.minimum(z(TONE, 63).to_numpy(), z(np.log(1 + COUNT), 63).to_numpy())
    ),
    "overnight_edge_63": lambda: NIGHT.rolling(63).mean() - C.rolling(63).mean(),
    "overnight_variance_share_63": lambda: (
        NIGHT.rolling(63).var() / (NIGHT.rolling(63).var() + C.rolling(63).var())
    ),
    "fix_reversal_63": lambda: -PANEL["PRE_FIX_GLD"].rolling(63).corr(PANEL["POST_FIX_GLD"]),
    "first_half_hour_z_63": lambda: z(PANEL["FIRST30_GLD"], 63),
    "drawdown_252": lambda: 1 - CLOSE / CLOSE.rolling(252).max(),
    "rise_from_low_252": lambda: CLOSE / CLOSE.rolling(252).min() - 1,
    "drawdown_since_first": lambda: 1 - CLOSE / CLOSE.cummax(),
    "sessions_since_high_252": lambda: CLOSE.rolling(252).apply(lambda w: 251 - np.argmax(w), raw=True),
    "deepest_drawdown_252": lambda: CLOSE.rolling(252).apply(
        lambda w: max(1 - w / np.maximum.accumulate(w)), raw=True
    ),
    "gold_correlation_63": lambda: R.rolling(63).corr(GLD),
    "equity_beta_63": lambda: R.rolling(63).cov(SPY).div(SPY.rolling(63).var(), axis=0),
    "equity_correlation_shift": lambda: R.rolling(21).corr(SPY) - R.rolling(126).corr(SPY),
    "fear_z_63": lambda: z(FEAR, 63),
    "gvz_vix_z_252": lambda: z(SPREAD, 252),
    "credit_return_21": lambda: np.log(CLOSE["HYG"] / CLOSE["IEF"]).diff(21),
    "stress_252": lambda: z(PANEL[["VIXCLS", "GVZCLS", "BAMLH0A0HYM2"]], 252).mean(axis=1, skipna=False),
}


@pytest.mark.parametrize("name", ROUTES)
def test_feature_agrees_with_pandas(name: str) -> None:
    expected = ROUTES[name]().to_numpy(dtype=np.float64)
    feature = CATALOGUE[name]
    first = feature.warm_up + 10  # a weekly series begins late, and pandas wants a full window
    found = SEEN.get(feature)
    assert found.shape == expected.shape
    assert np.isfinite(expected[first:]).mean() > 0.9
    np.testing.assert_allclose(found[first:], expected[first:], rtol=1e-7, atol=1e-10, equal_nan=True)


def newest(name: str, column: int = 0) -> float:
    values = SEEN.get(CATALOGUE[name])[-1]
    return float(values if values.ndim == 0 else values[column])


def releases_of(values: FloatArray, days: FloatArray) -> FloatArray:
    """Return each released value once, by a walk over the rows."""
    found, last = [], 0
    for value, day in zip(values.tolist(), days.tolist(), strict=True):
        if day > last:
            found.append(value)
            last = day
    return np.array(found)


@pytest.mark.parametrize(
    ("holder", "name"), [("MM", "managed_money"), ("PROD", "producer"), ("SWAP", "swap_dealer")]
)
def test_positions_agree_with_a_walk_over_the_releases(holder: str, name: str) -> None:
    column = SEEN.panel.column
    net = (column(f"COT_SILVER_{holder}_LONG") - column(f"COT_SILVER_{holder}_SHORT")) / column(
        "COT_SILVER_OI"
    )
    each = releases_of(net, SEEN.panel.days("COT_SILVER_OI"))
    last = each[-52:]
    assert newest(f"{name}_net", 1) == pytest.approx(net[-1])
    assert newest(f"{name}_z_52", 1) == pytest.approx((last[-1] - last.mean()) / last.std(ddof=1))
    if holder != "SWAP":
        assert newest(f"{name}_change_4", 1) == pytest.approx(each[-1] - each[-5])
        place = (last[-1] - last.min()) / (last.max() - last.min())
        assert newest(f"{name}_place_52", 1) == pytest.approx(place)


def moves(series: str, symbol: str, is_log: bool) -> tuple[FloatArray, FloatArray]:
    """Return a series' moves of 126 sessions, and those of a symbol between the days it describes."""
    values, days = SEEN.panel.column(series), SEEN.panel.days(series)
    close = dict(zip(SEEN.bars.sessions.tolist(), np.log(CLOSE[symbol]), strict=True))
    ours, theirs = [], []
    for i in range(LENGTH - 126, LENGTH):
        before, after = int(days[i - 1]), int(days[i])
        if after > before:
            ours.append((math.log(values[i] / values[i - 1])) if is_log else values[i] - values[i - 1])
            theirs.append(close[after] - close[before])
    return np.array(ours), np.array(theirs)


@pytest.mark.parametrize(
    ("series", "is_log", "name"),
    [("DTWEXBGS", True, "dollar"), ("DFII10", False, "real_yield")],
)
def test_sensitivity_agrees_with_least_squares_between_the_days_described(
    series: str, is_log: bool, name: str
) -> None:
    x, y = moves(series, "GDX", is_log)
    slope, level = np.linalg.lstsq(np.stack([x, np.ones_like(x)], axis=1), y, rcond=None)[0]
    assert newest(f"{name}_beta_126", 4) == pytest.approx(slope, rel=1e-6)
    assert newest(f"{name}_correlation_126", 4) == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-6)
    if name == "dollar":
        assert newest("dollar_residual_126", 4) == pytest.approx(y[-1] - level - slope * x[-1], rel=1e-6)


def test_residuals_running_sum_is_scored_among_its_own_window() -> None:
    residuals = SEEN.get(CATALOGUE["dollar_residual_126"])[-126:, 0]
    sums = np.cumsum(np.nan_to_num(residuals))
    expected = (sums[-1] - sums.mean()) / sums.std(ddof=1)
    assert newest("dollar_residual_z_126") == pytest.approx(expected)


def test_miners_residual_agrees_with_least_squares() -> None:
    x = np.stack([GLD[-126:], SPY[-126:], np.ones(126)], axis=1)
    gold, equity, _ = np.linalg.lstsq(x, GDX[-126:].to_numpy(), rcond=None)[0]
    assert newest("miners_betas_126", 0) == pytest.approx(gold, rel=1e-6)
    assert newest("miners_betas_126", 4) == pytest.approx(equity, rel=1e-6)
    logs = np.log(CLOSE[-126:])
    level = logs["GDX"] - gold * logs["GLD"] - equity * logs["SPY"]
    assert newest("miners_residual_z_126") == pytest.approx(
        (level.iloc[-1] - level.mean()) / level.std(), rel=1e-6
    )


def test_hedge_ratio_agrees_with_a_filter_in_matrices_and_its_spread_with_a_regression() -> None:
    belief, cover = np.zeros(2), np.diag([0.008**2 / 100, 1.0])
    for x, y in zip(SLV[1:], GLD[1:], strict=True):
        cover = cover + np.diag([0.00001**2, 0.005**2])
        row = np.array([1.0, x])
        gain = cover @ row / (row @ cover @ row + 0.008**2)
        belief, cover = belief + gain * (y - row @ belief), cover - np.outer(gain, row @ cover)
    assert newest("hedge_ratio") == pytest.approx(belief[1], rel=1e-6)
    spread = (np.log(CLOSE["GLD"]) - belief[1] * np.log(CLOSE["SLV"]))[-252:].to_numpy()
    assert newest("spread_z_252") == pytest.approx(
        (spread[-1] - spread.mean()) / spread.std(ddof=1), rel=1e-5
    )
    before = np.stack([spread[:-1], np.ones(251)], axis=1)
    slope = np.linalg.lstsq(before, spread[1:], rcond=None)[0][0]
    assert newest("spread_half_life_252") == pytest.approx(-math.log(2) / math.log(slope), rel=1e-4)


def test_haven_slope_takes_the_falling_sessions_alone() -> None:
    falls = SPY[-126:] < 0
    slope = np.polyfit(SPY[-126:][falls], GLD[-126:][falls], 1)[0]
    assert newest("haven_slope_126") == pytest.approx(slope, rel=1e-6)


def test_metals_togetherness_is_the_mean_of_six_correlations() -> None:
    every = np.corrcoef(R[["GLD", "SLV", "PPLT", "PALL"]][-63:].to_numpy().T)
    assert newest("metals_togetherness_63") == pytest.approx(every[np.triu_indices(4, 1)].mean())


def test_gvz_stands_in_for_a_lacking_chain_of_gld_and_for_nothing_else() -> None:
    values = SEEN.panel.values.copy()
    values[:, [SEEN.panel.names.index(f"IV30_{root}") for root in ROOTS]] = np.nan
    bare = Seen(SEEN.bars, Panel(SEEN.panel.names, values, SEEN.panel.described))
    implied = bare.get(CATALOGUE["implied_volatility_30"])[-1]
    assert implied[0] == pytest.approx(PANEL["GVZCLS"].iloc[-1] / 100)
    assert np.isnan(implied[1:]).all()


def test_calendar_agrees_with_pandas_dates() -> None:
    days = pd.Series([pd.Timestamp.fromordinal(int(each)) for each in SEEN.bars.sessions])
    assert (SEEN.get(CATALOGUE["month"]) == days.dt.month).all()
    assert (SEEN.get(CATALOGUE["weekday"]) == days.dt.day_of_week).all()
    is_last = (days.dt.month != days.dt.month.shift(-1))[:-1]
    to_end = SEEN.get(CATALOGUE["sessions_to_month_end"])[:-1]
    assert ((to_end == 0) == is_last).all()
