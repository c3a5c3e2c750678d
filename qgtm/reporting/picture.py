"""The review's pictures: HoloViews on matplotlib, as SVG whose text stays text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from typing import Any, Final

from qgtm.core.instant import NEW_YORK
from qgtm.reporting.fragment import Fragment, told
from qgtm.views.action import Caps
from qgtm.views.performance import performance
from qgtm.views.week import DAYS_A_WEEK, Week
from qgtm.views.words import bound, change, dollars, percent

INK: Final = "#2b2b2b"
GRID: Final = "#d8d5cc"
GOLD: Final = "#96701a"
GAIN: Final = "#2f6b4f"
LOSS: Final = "#a33b36"
SHOWN: Final = 252
TOGETHER: Final = "−\N{WORD JOINER}$"  # no line ends between the two
LARGE: Final = 1e5  # from here on `g` would write an exponent
DATES: Final = ["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S.%f"]  # a day is never without its month
INCHES: Final = (5.6, 2.0)
STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",  # so that page and paper set the text in their own type
    "svg.hashsalt": "qgtm",
    "font.size": 8.5,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing with the sentence that says what is to be seen on it."""

    svg: str
    said: str

    def _repr_html_(self) -> str:
        return (
            f'<figure class="picture" role="img" aria-label="{escape(self.said)}">{self.svg}'
            f"<figcaption>{escape(self.said).replace('−$', TOGETHER)}</figcaption></figure>"
        )

    def __repr__(self) -> str:
        return self.said


def equity_picture(week: Week) -> Picture | Fragment:
    """Return the account at its closes, the week shaded; for fewer than two closes, why there is none."""
    closes = week.record[-SHOWN:]
    if len(closes) < 2:
        return told("These pictures begin with the second close.", name="quiet")
    hv = _holoviews()
    line = hv.Curve(
        [(close.session, float(close.equity_usd) / 1000) for close in closes], "session", "thousand dollars"
    ).opts(color=GOLD, linewidth=1.4)
    lowest, highest = min(c.equity_usd for c in closes), max(c.equity_usd for c in closes)
    between = f"between {dollars(lowest)} and {dollars(highest)}" if lowest < highest else "without a change"
    said = f"The account over the last {len(closes)} sessions, {between}, in thousands; the week is shaded."
    return Picture(_drawn(line * _shade(hv, week), "equity", is_dated=True), said)


def drawdown_picture(week: Week, caps: Caps) -> Picture | None:
    """Return the fall from the peak and the two caps; None for fewer than two closes."""
    points = performance(week.record).points[-SHOWN:]
    if len(points) < 2:
        return None
    hv = _holoviews()
    fall = hv.Area(
        [(point.session, -100 * point.drawdown_frac) for point in points], "session", "below the peak, %"
    ).opts(facecolor=LOSS, edgecolor=LOSS, alpha=0.35, linewidth=0.8)
    bounds = _caps_in_sight(hv, caps, max(point.drawdown_frac for point in points))
    worst = percent(max(point.drawdown_frac for point in points))
    said = (
        f"The fall from the peak at each close, at worst {worst}. At {bound(caps.soft_frac)} positions "
        f"are halved, at {bound(caps.hard_frac)} everything is closed."
    )
    return Picture(_drawn(fall * bounds * _shade(hv, week), "drawdown", top=0.0, is_dated=True), said)


def falls_picture(falls: Sequence[tuple[datetime, Decimal]], caps: Caps) -> Picture | None:
    """Return the fall from the peak sample by sample, (venue time, fraction), and both caps; None for few."""
    if len(falls) < 2:
        return None
    hv = _holoviews()
    shown = [(at.astimezone(NEW_YORK).replace(tzinfo=None), -100 * float(fall)) for at, fall in falls]
    fall = hv.Curve(shown, "New York", "below the peak, %").opts(color=LOSS, linewidth=1.2)
    worst = max(fall for _, fall in falls)
    said = (
        f"The fall from the peak as it was seen, at worst {percent(worst)}. At {bound(caps.soft_frac)} "
        f"positions are halved, at {bound(caps.hard_frac)} everything is closed."
    )
    drawn = fall * _caps_in_sight(hv, caps, float(worst))
    return Picture(_drawn(drawn, "falls", top=0.0, is_dated=True), said)


def _caps_in_sight(hv: Any, caps: Caps, worst: float) -> Any:
    lines = [hv.HLine(-100 * float(caps.soft_frac)).opts(color=GOLD, linewidth=1, linestyle="--")]
    if worst > float(caps.soft_frac) / 2:
        lines.append(hv.HLine(-100 * float(caps.hard_frac)).opts(color=LOSS, linewidth=1, linestyle="--"))
    return hv.Overlay(lines)


def result_picture(week: Week) -> Picture | None:
    """Return what each session brought; None without a finished session, or when none brought anything."""
    if not any(told.account_usd for _, told in week.by_session):
        return None
    hv = _holoviews()
    rows = [(f"{day:%a} {day.day}", float(told.account_usd)) for day, told in week.by_session]
    bars = _bars(hv, rows, "session")
    said = "What each session brought, in dollars: " + ", ".join(
        f"{name} {_signed(amount)}" for name, amount in rows
    )
    return Picture(_drawn(bars, "sessions"), f"{said}.")


def slippage_picture(week: Week) -> Picture | None:
    """Return how slippage is spread over the fills; None for fewer than five."""
    if len(week.fills) < 5:
        return None
    import numpy as np

    hv = _holoviews()
    values = np.array([float(fill.slippage_bps) for fill in week.fills])
    edge = max(1.0, float(np.ceil(np.abs(values).max())))
    counts, edges = np.histogram(values, bins=np.linspace(-edge, edge, 22))
    drawn = hv.Histogram((edges, counts), kdims="slippage, bp (right is worse)", vdims="fills").opts(
        facecolor=GOLD, edgecolor="none", linewidth=0
    )
    worse = int((values > 0).sum())
    said = (
        f"Slippage of {len(values)} fills: {worse} came worse than decided, {len(values) - worse} as good or "
        "better."
    )
    return Picture(_drawn(drawn * hv.VLine(0).opts(color=INK, linewidth=0.8), "slippage"), said)


def _bars(hv: Any, rows: list[tuple[str, float]], kind: str) -> Any:
    up = hv.Bars([(name, max(amount, 0.0)) for name, amount in rows], kind, "dollars").opts(
        color=GAIN, edgecolor="none", bar_padding=0.5
    )
    down = hv.Bars([(name, min(amount, 0.0)) for name, amount in rows], kind, "dollars").opts(
        color=LOSS, edgecolor="none", bar_padding=0.5
    )
    return up * down * hv.HLine(0).opts(color=INK, linewidth=0.8)


def _signed(amount: float) -> str:
    return change(Decimal(repr(amount)))


def _shade(hv: Any, week: Week) -> Any:
    first, last = week.monday, week.monday + timedelta(days=DAYS_A_WEEK)
    return hv.VSpan(first, last).opts(facecolor=GOLD, edgecolor=GOLD, alpha=0.18)


def _holoviews() -> Any:
    """Return HoloViews with its matplotlib backend; `hv.extension` would write scripts into the notebook."""
    import holoviews as hv
    import holoviews.plotting.mpl

    hv.Store.set_current_backend("matplotlib")
    return hv


def _drawn(element: Any, name: str, *, top: float | None = None, is_dated: bool = False) -> str:
    """Return the drawing as inline SVG; the ids in it begin with `name`, since a page holds several."""
    import io

    import holoviews as hv
    from matplotlib import pyplot, rc_context

    settings: Any = STYLE
    with rc_context(settings):
        figure = hv.render(element, backend="matplotlib")
        figure.set_size_inches(*INCHES)
        figure.set_layout_engine("tight")
        for axes in figure.axes:
            _tidy(axes, top, is_dated)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    return _inline(out.getvalue(), name)


def _tidy(axes: Any, top: float | None, is_dated: bool) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_aspect("auto")
    axes.set_xlabel(axes.get_xlabel().replace("session", ""))
    axes.set_title("")
    for patch in axes.patches:
        patch.set_zorder(2.5)  # before the grid
    for line in axes.lines:
        line.set_zorder(3)  # and before the shade
    axes.grid(axis="y", color=GRID, linewidth=0.5, zorder=-1)
    axes.tick_params(length=0, rotation=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=axes.get_ylabel() == "fills"))
    axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    if is_dated:
        axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=7))  # type: ignore[no-untyped-call]
        locator = axes.xaxis.get_major_locator()
        concise = ConciseDateFormatter(locator, formats=DATES)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(concise)
        axes.xaxis.offsetText.set_visible(False)
    if top is not None:
        axes.set_ylim(top=top)


def _tick(value: float, _: int | None = None) -> str:
    return f"{round(value, 6) + 0.0:,g}".replace("-", "−") if abs(value) < LARGE else f"{value:,.0f}"


def _inline(text: str, name: str) -> str:
    svg = text[text.index("<svg") :]
    svg = re.sub(
        r'<svg [^>]*(viewBox="[^"]*")[^>]*>', r'<svg \1 xmlns="http://www.w3.org/2000/svg">', svg, count=1
    )
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'xlink:href="#', f'href="#{name}-', svg)
    svg = re.sub(r"font-family: [^;\"]+;? ?", "", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", svg)
    referred = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in referred else "", svg)
    return svg.strip()
