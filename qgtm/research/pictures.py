"""Pictures of a strategy, drawn by HoloViews' matplotlib backend as SVG."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from qgtm.features.bars import Bars, FloatArray

WIDTH = {"aspect": 4, "fig_size": 180}


def begin() -> Any:
    """Load the SVG backend once a notebook and return HoloViews itself."""
    import holoviews as hv

    hv.extension("matplotlib", logo=False)
    hv.output(fig="svg")
    return hv


def curve(bars: Bars, values: FloatArray, name: str, label: str = "") -> Any:
    """Return one line over the sessions; `name` says what it is, with its unit."""
    import holoviews as hv

    days = np.array([date.fromordinal(int(each)) for each in bars.sessions], dtype="datetime64[D]")
    return hv.Curve((days, values), "session", name, label=label).opts(**WIDTH)


def overlay(bars: Bars, series: Sequence[tuple[str, FloatArray]], name: str) -> Any:
    """Return several lines over the sessions, with a legend."""
    import holoviews as hv

    return hv.Overlay([curve(bars, values, name, label) for label, values in series]).opts(
        legend_position="right", **WIDTH
    )


def equity_picture(bars: Bars, equity: FloatArray) -> Any:
    """Return the growth of one dollar."""
    return curve(bars, equity, "equity, of 1 dollar")


def drawdown_picture(bars: Bars, drawdown: FloatArray) -> Any:
    """Return the fall from the peak in percent, drawn downwards."""
    import holoviews as hv

    line = curve(bars, -100 * drawdown, "drawdown, %")
    return hv.Area(line).opts(alpha=0.4, **WIDTH)


def position_picture(bars: Bars, weights: FloatArray) -> Any:
    """Return what was held of each symbol, as a share of the strategy's budget."""
    return overlay(bars, list(zip(bars.symbols, weights.T, strict=True)), "held, of budget")


def stacked(*pictures: Any) -> Any:
    """Return the pictures one below the other."""
    import holoviews as hv

    return hv.Layout(list(pictures)).cols(1)
