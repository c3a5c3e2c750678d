"""Pictures of a strategy, drawn by HoloViews in matplotlib as SVG that needs no script and no network."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, cast

import numpy as np

from qgtm.features.bars import Bars, FloatArray

WIDE = {"aspect": 5, "fig_size": 200}


@dataclass(frozen=True)
class Picture:
    """A drawn picture; a notebook shows it as an image with a text in its place."""

    svg: str
    text: str

    def _repr_html_(self) -> str:
        # HoloViews' own display would load its scripts from the network, which a report must not need
        coded = base64.b64encode(self.svg.encode()).decode("ascii")
        return f'<img alt="{html.escape(self.text)}" src="data:image/svg+xml;base64,{coded}">'


def curve(bars: Bars, values: FloatArray, name: str, label: str = "") -> Any:
    """Return one line over the sessions; `name` says what it is, with its unit."""
    hv = plotting()
    days = np.array([date.fromordinal(int(each)) for each in bars.sessions], dtype="datetime64[D]")
    return hv.Curve((days, values), "session", name, label=label).opts(**titled(name))


def overlay(bars: Bars, series: Sequence[tuple[str, FloatArray]], name: str) -> Any:
    """Return several lines over the sessions, with a legend."""
    lines = [curve(bars, values, name, label) for label, values in series]
    return plotting().Overlay(lines).opts(legend_position="right", **titled(name))


def histogram(values: FloatArray, bins: int, name: str) -> Any:
    """Return how often each value comes; `name` says what it is, with its unit."""
    counts, edges = np.histogram(values, bins)
    return plotting().Histogram((edges, counts), kdims=name, vdims="how often").opts(**WIDE)


def equity_picture(bars: Bars, equity: FloatArray) -> Any:
    """Return the growth of one dollar."""
    return curve(bars, equity, "equity, of 1 dollar")


def drawdown_picture(bars: Bars, drawdown: FloatArray) -> Any:
    """Return the fall from the peak in percent, drawn downwards."""
    fall = curve(bars, -100 * drawdown, "drawdown, %")
    return plotting().Area(fall).opts(alpha=0.4, **titled("drawdown, %"))


def position_picture(bars: Bars, weights: FloatArray) -> Any:
    """Return what was held of each symbol, as a share of the strategy's budget."""
    return overlay(bars, list(zip(bars.symbols, weights.T, strict=True)), "held, of budget")


def shown(*pictures: Any, text: str) -> Picture:
    """Draw the pictures one below the other; `text` says in words what is to be seen."""
    hv = plotting()
    page = hv.Layout(list(pictures)).cols(1).opts(sublabel_format="", vspace=0.5, fig_size=200)
    drawn, _ = hv.renderer("matplotlib").instance(fig="svg")(page)
    return Picture(str(drawn), text)


def titled(name: str) -> dict[str, Any]:
    """Return the options of a low, wide picture over time with its name above it."""
    from matplotlib.dates import DateFormatter

    months = cast(Any, DateFormatter)("%Y-%m")
    # what it is stands above, since a turned label is longer than a low picture is high
    return {
        "title": name,
        "xlabel": "",
        "ylabel": "",
        "xformatter": months,
        "xticks": 8,
        **WIDE,
    }


@cache
def plotting() -> Any:
    """Return HoloViews with its matplotlib backend, set up once, without scripts from the network."""
    import holoviews as hv
    import holoviews.plotting.mpl  # it registers the backend; hv.extension would also load scripts

    hv.Store.set_current_backend("matplotlib")
    return hv
