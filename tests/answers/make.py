"""Write the answers beside this file, each by another route than the code's; run by hand, never by a test.

    python tests/answers/make.py

It shares no function with qgtm. What made each file stands in the file's first line. It needs pandas and
statsmodels.
"""

import csv
import math
import statistics
from collections.abc import Iterable, Sequence
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm

HERE = Path(__file__).parent
getcontext().prec = 50


def write(name: str, route: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write one file: the route as a comment, a header, the rows; a missing value is empty."""
    with (HERE / name).open("w", newline="", encoding="utf-8") as out:
        out.write(f"# {route}\n")
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(header)
        for row in rows:
            blank = ["" if isinstance(each, float) and math.isnan(each) else each for each in row]
            lines.writerow([repr(float(each)) if isinstance(each, float) else each for each in blank])


def cents(seed: int, n: int, start: float, volatility: float) -> list[float]:
    """Return prices to the cent."""
    walk = np.random.default_rng(seed).normal(0.0002, volatility, n).cumsum()
    return [round(float(each), 2) for each in start * np.exp(walk)]


def ln(ratio: Fraction) -> float:
    """Return the natural logarithm, rounded once from fifty digits."""
    return float((Decimal(ratio.numerator) / Decimal(ratio.denominator)).ln())


def exact(price: float) -> Fraction:
    return Fraction(repr(price))


def returns() -> None:
    """Carried closes by walking back by hand, returns with fifty digits."""
    close = [50.0, 51.5, math.nan, 52.25, math.nan, math.nan, math.nan, 49.75, 50.5, math.nan, 50.5, 53.0]
    rows = []
    for i in range(len(close)):
        filled = [close[j] for j in (i, i - 1, i - 2) if j >= 0 and not math.isnan(close[j])]
        both = i >= 3 and not (math.isnan(close[i]) or math.isnan(close[i - 3]))
        ratio = exact(close[i]) / exact(close[i - 3]) if both else None
        rows.append(
            [
                close[i],
                filled[0] if filled else math.nan,
                float(ratio - 1) if ratio is not None else math.nan,
                ln(ratio) if ratio is not None else math.nan,
            ]
        )
    write(
        "returns.csv",
        "fractions and 50-digit decimals; carried over at most 2 sessions, returns over 3",
        ["close", "carried", "simple_return", "log_return"],
        rows,
    )


def volatility() -> None:
    """Rolling by pandas; the exponential one as its explicit sum with decimals."""
    close = pd.Series(cents(1, 40, 180.0, 0.01))
    high = pd.Series([round(each + 0.4 + 0.1 * (i % 7), 2) for i, each in enumerate(close)])
    low = pd.Series([round(each - 0.3 - 0.1 * (i % 5), 2) for i, each in enumerate(close)])
    daily = close.apply(np.log).diff()
    realised = daily.pow(2).rolling(10).mean().mul(252).pow(0.5)
    ranges = (high / low).apply(np.log).pow(2)
    parkinson = (ranges.rolling(10).sum() / (4 * 10 * math.log(2)) * 252).pow(0.5)
    squares = [Decimal(repr(each)) ** 2 for each in daily.iloc[1:]]
    decay = Decimal(60) / Decimal(61)
    exponential = [math.nan]
    for n in range(len(squares)):
        newest_first = squares[n::-1]
        total = sum((1 - decay) * decay**i * each for i, each in enumerate(newest_first))
        total += decay ** (n + 1) * squares[0]
        exponential.append(float((252 * total).sqrt()))
    write(
        "volatility.csv",
        "pandas rolling(10) for realised and Parkinson; the exponential one (centre of mass 60) summed "
        "term by term with decimals, the first square standing for all before it",
        ["close", "high", "low", "realised", "parkinson", "exponential"],
        zip(close, high, low, realised, parkinson, exponential, strict=True),
    )


def trend() -> None:
    """Channels by sorting lists, ranges with fractions, momentum with decimals."""
    close = cents(2, 30, 30.0, 0.02)
    high = [round(each + 0.25 + 0.05 * (i % 4), 2) for i, each in enumerate(close)]
    low = [round(each - 0.25 - 0.05 * (i % 3), 2) for i, each in enumerate(close)]
    rows = []
    for i in range(len(close)):
        warm = i >= 6
        past = slice(i - 6, i)
        true = [
            max(
                exact(high[j]) - exact(low[j]),
                abs(exact(high[j]) - exact(close[j - 1])),
                abs(exact(low[j]) - exact(close[j - 1])),
            )
            for j in range(max(1, i - 5), i + 1)
        ]
        rows.append(
            [
                high[i],
                low[i],
                close[i],
                sorted(high[past])[-1] if warm else math.nan,
                sorted(low[past])[0] if warm else math.nan,
                float(sum(true) / 6) if warm else math.nan,
                ln(exact(close[i - 2]) / exact(close[i - 8])) if i >= 8 else math.nan,
            ]
        )
    write(
        "trend.csv",
        "sorted lists, fractions and 50-digit decimals; 6 sessions, momentum skips 2; true range by Wilder's "
        "three distances",
        ["high", "low", "close", "channel_high", "channel_low", "average_true_range", "momentum"],
        rows,
    )


def solved(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """Return the solution of a linear system, by elimination with fractions."""
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    n = len(rows)
    for i in range(n):
        pivot = next(j for j in range(i, n) if rows[j][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [each / rows[i][i] for each in rows[i]]
        for j in range(n):
            if j != i:
                rows[j] = [a - rows[j][i] * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [line[-1] for line in rows]


def kalman() -> None:
    """The filter's mean as a conditional expectation: no recursion, one exact linear system for each step.

    All (intercept, slope) and all y are jointly Gaussian. With prior covariance P and steps Q,
    cov(theta_t, y_s) = (P + min(t, s) Q) h_s and cov(y_s, y_r) = h_s (P + min(s, r) Q) h_r + R [s = r].
    """
    drift, noise = Fraction("0.005"), Fraction("0.008")
    q = (Fraction("0.00001") ** 2, drift**2)
    p = (noise**2 / 100, Fraction(1))
    x = [
        Fraction(str(each))
        for each in ("0.012", "-0.02", "0.007", "0.015", "-0.011", "-0.003", "0.022", "0.001")
    ]
    y = [
        Fraction(str(each))
        for each in ("0.007", "-0.006", "0.001", "0.009", "-0.008", "0.004", "0.009", "-0.002")
    ]

    def covariance(s: int, r: int) -> tuple[Fraction, Fraction]:
        steps = min(s, r) + 1
        return p[0] + steps * q[0], p[1] + steps * q[1]

    rows = []
    for t in range(len(x)):
        seen = range(t + 1)
        gram = [
            [
                covariance(s, r)[0] + covariance(s, r)[1] * x[s] * x[r] + (noise**2 if s == r else 0)
                for r in seen
            ]
            for s in seen
        ]
        weights = solved(gram, y[: t + 1])
        intercept = sum(covariance(t, s)[0] * weights[s] for s in seen)
        slope = sum(covariance(t, s)[1] * x[s] * weights[s] for s in seen)
        rows.append([float(x[t]), float(y[t]), float(intercept), float(slope)])
    write(
        "kalman.csv",
        "Gaussian conditioning on all pairs at once, in fractions; drift 0.005 and 0.00001, noise 0.008, "
        "prior slope 0 with variance 1, prior intercept 0 with variance noise^2 / 100",
        ["x", "y", "intercept", "slope"],
        rows,
    )


def half_life() -> None:
    """Regression by statsmodels, z by the statistics module."""
    spread = [0.0]
    for shock in np.random.default_rng(3).normal(0, 0.01, 89):
        spread.append(round(0.93 * spread[-1] + float(shock), 6))
    rows = []
    for i in range(len(spread)):
        window = spread[max(0, i - 39) : i + 1]
        z = life = math.nan
        if len(window) == 40:
            z = (window[-1] - statistics.fmean(window)) / statistics.stdev(window)
            slope = sm.OLS(window[1:], sm.add_constant(np.array(window[:-1]))).fit().params[1]
            life = -math.log(2) / math.log(slope)
        rows.append([spread[i], z, life])
    write(
        "half_life.csv",
        "statsmodels OLS of each value on the one before, 40 values; z by statistics.fmean and stdev",
        ["spread", "z", "half_life"],
        rows,
    )


def two_factors() -> None:
    """Betas and residuals by statsmodels, window by window."""
    rng = np.random.default_rng(4)
    a, b = np.round(rng.normal(0, 0.01, 60), 6), np.round(rng.normal(0, 0.012, 60), 6)
    y = np.round(1.7 * a + 0.4 * b + rng.normal(0, 0.008, 60), 6)
    rows = []
    for i in range(60):
        beta_a = beta_b = left = math.nan
        if i >= 29:
            past = slice(i - 29, i + 1)
            fit = sm.OLS(y[past], sm.add_constant(np.column_stack([a[past], b[past]]))).fit()
            (_, beta_a, beta_b), left = map(float, fit.params), float(fit.resid[-1])
        rows.append([float(y[i]), float(a[i]), float(b[i]), beta_a, beta_b, left])
    write(
        "two_factors.csv",
        "statsmodels OLS with a constant over 30 rows",
        ["y", "a", "b", "beta_a", "beta_b", "residual"],
        rows,
    )


def tsmom() -> None:
    """The rule in pandas, on five made-up prices with a hole; default parameters."""
    names = ("GLD", "SLV", "GDX", "PPLT", "PALL")
    close = pd.DataFrame(
        {name: cents(10 + i, 280, 40.0 * (i + 1), 0.008 + 0.004 * i) for i, name in enumerate(names)}
    )
    close.loc[[100, 101, 270], "PALL"] = np.nan
    filled = close.ffill(limit=5)
    signs = sum(np.sign(filled.pct_change(h, fill_method=None)) for h in (21, 63, 252)) / 3
    deviation = filled.apply(np.log).diff().pow(2).rolling(63, min_periods=48).mean().mul(252).pow(0.5)
    targets = (signs * 0.10 / deviation).clip(-1, 1).div(5).where(close.notna())
    table = pd.concat([close, targets.where(close.index.to_series() >= 257).add_prefix("target_")], axis=1)
    write(
        "tsmom.csv",
        "pandas pct_change, rolling and clip; 5 sessions carried, no target before row 257",
        list(table.columns),
        table.itertuples(index=False),
    )


def donchian() -> None:
    """A path drawn by hand and the positions read off it, with a channel of 5 in and 3 out."""
    # close, held after it: the reason stands beside each change
    path = [
        *[(each, None) for each in (10, 11, 10, 11, 10)],
        (10, 0),  # inside the channel of 10 to 11
        (12, 1),  # above 11: in, long
        (13, 1),
        (12, 1),  # not below the low of the last 3 (10, 12, 13)
        (12, 1),
        (11, 0),  # below 12, the low of the last 3: out; not below 10, the low of the last 5
        (9, -1),  # below 10: in, short
        (8, -1),
        (9, -1),  # not above 11
        (10, 0),  # above 9, the high of the last 3: out; not above 12, the high of the last 5
        (10, 0),
        (11, 1),  # above 10, the high of the last 5: in, long
        (7, -1),  # below 8, the low of the last 5: from long to short at once
        (7, -1),
        (12, 1),  # above 11, the high of the last 5: and back
    ]
    write(
        "donchian.csv",
        "by hand on a drawn path: channel of 5 in, 3 out, high = close + 0.25, low = close - 0.25",
        ["close", "side"],
        [(float(price), math.nan if side is None else side) for price, side in path],
    )


def band(held: int, z: float, life: float) -> int:
    """Return the side by the specification's words."""
    if life < 10 or life > 120 or math.isnan(life):
        return 0
    if z > 2:
        return -1
    if z < -2:
        return 1
    if held == -1 and z < 0.5:
        return 0
    if held == 1 and z > -0.5:
        return 0
    return held


def life_of(spread: np.ndarray[Any, Any]) -> float:
    slope = float(np.polyfit(spread[:-1], spread[1:], 1)[0])
    if slope <= 0:
        return 0.0
    return math.inf if slope >= 1 else -math.log(2) / math.log(slope)


def gold_silver() -> None:
    """A matrix filter and polyfit over 380 sessions; default parameters."""
    rng = np.random.default_rng(25)
    silver = np.cumsum(rng.normal(0, 0.016, 380))
    gap = np.zeros(380)
    for i in range(1, 380):
        gap[i] = 0.96 * gap[i - 1] + rng.normal(0, 0.006)
    prices = np.round(np.exp(np.column_stack([5.0 + 0.5 * silver + gap, 3.0 + silver])), 2)
    logs = np.log(prices)
    mean, cov = np.zeros(2), np.diag([0.008**2 / 100, 1.0])
    side, rows = 0, []
    for i in range(380):
        targets = [math.nan, math.nan]
        if i >= 256:  # 252 sessions of spread and 5 of carrying
            h = np.array([[1.0, logs[i, 1] - logs[i - 1, 1]]])
            cov = cov + np.diag([0.00001**2, 0.005**2])
            gain = cov @ h.T @ np.linalg.inv(h @ cov @ h.T + 0.008**2)
            mean = mean + gain @ (np.array([logs[i, 0] - logs[i - 1, 0]]) - h @ mean)
            cov = (np.eye(2) - gain @ h) @ cov
            spread = logs[i - 251 : i + 1, 0] - mean[1] * logs[i - 251 : i + 1, 1]
            z = (spread[-1] - spread.mean()) / spread.std(ddof=1)
            side = band(side, float(z), life_of(spread)) if mean[1] > 0 else 0
            targets = [side / (1 + mean[1]) + 0.0, -side * mean[1] / (1 + mean[1]) + 0.0]
        rows.append([*map(float, prices[i]), *map(float, targets)])
    write(
        "gold_silver_ratio.csv",
        "textbook Kalman filter in matrices (numpy.linalg), half-life by polyfit, the band in plain words",
        ["GLD", "SLV", "target_GLD", "target_SLV"],
        rows,
    )


def miners() -> None:
    """Least squares by lstsq and polyfit over 280 sessions; default parameters."""
    rng = np.random.default_rng(14)
    gold, equity = np.cumsum(rng.normal(0, 0.009, 280)), np.cumsum(rng.normal(0, 0.011, 280))
    gap = np.zeros(280)
    for i in range(1, 280):
        gap[i] = 0.95 * gap[i - 1] + rng.normal(0, 0.009)
    made = np.column_stack([3.5 + 1.8 * gold + 0.4 * equity + gap, 5.0 + gold, 6.0 + equity])
    prices = np.round(np.exp(made), 2)
    logs = np.log(prices)
    daily = np.diff(logs, axis=0, prepend=np.nan)
    side, rows = 0, []
    for i in range(280):
        targets = [math.nan, math.nan, math.nan]
        if i >= 131:  # 126 returns, one close before them, 5 of carrying
            past = slice(i - 125, i + 1)
            design = np.column_stack([np.ones(126), daily[past, 1], daily[past, 2]])
            _, beta_gold, beta_equity = np.linalg.lstsq(design, daily[past, 0], rcond=None)[0]
            spread = logs[past, 0] - beta_gold * logs[past, 1] - beta_equity * logs[past, 2]
            z = (spread[-1] - spread.mean()) / spread.std(ddof=1)
            side = band(side, float(z), life_of(spread)) if beta_gold > 0 else 0
            targets = [side / (1 + beta_gold) + 0.0, -side * beta_gold / (1 + beta_gold) + 0.0, 0.0]
        rows.append([*map(float, prices[i]), *map(float, targets)])
    write(
        "miners_vs_metal.csv",
        "numpy.linalg.lstsq for the betas, polyfit for the half-life, the band in plain words",
        ["GDX", "GLD", "SPY", "target_GDX", "target_GLD", "target_SPY"],
        rows,
    )


if __name__ == "__main__":
    for answer in (
        returns,
        volatility,
        trend,
        kalman,
        half_life,
        two_factors,
        tsmom,
        donchian,
        gold_silver,
        miners,
    ):
        answer()
