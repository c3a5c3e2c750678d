"""The page's own pictures, as small SVG: sizes are attributes, since the page allows no inline style."""

from collections.abc import Sequence
from typing import Final

from qgtm.views.performance import Point
from qgtm.views.summary import Summary
from qgtm.views.words import bound, percent

POINTS: Final = 90
WIDTH, HEIGHT = 300, 100
PEAK: Final = f'<path d="M0 0H{WIDTH}"/>'
ROOM: Final = 12.0  # percent of the bar that the number of a tick takes


def drawdown_bar(told: Summary) -> str:
    """Return the bar: green to near the soft cap, yellow to it, red to the hard cap; a mark where we are."""
    end = float(told.hard_cap_frac)
    near, soft = float(told.near_frac) / end * 100, float(told.soft_cap_frac) / end * 100
    fall = told.drawdown_frac
    zones = (("g", 0.0, near), ("y", near, soft), ("r", soft, 100.0))
    rects = "".join(
        f'<rect class="{name}" x="{x:.2f}%" y="16" width="{to - x:.2f}%" height="16"/>'
        for name, x, to in zones
    )
    ticks = "".join(f'<line class="tick" x1="{x:.2f}%" x2="{x:.2f}%" y1="16" y2="32"/>' for x in (near, soft))
    labels = (
        f'<text x="0" y="47">0%</text>{_label(near, bound(told.near_frac), soft)}'
        f"{_label(soft, bound(told.soft_cap_frac), 100.0 - ROOM / 2)}"
        f'<text x="100%" y="47" text-anchor="end">{bound(told.hard_cap_frac)}</text>'
    )
    here = "" if fall is None else _here(min(float(fall) / end, 1.0) * 100)
    said = f"{percent(fall, 1)} below the peak; {caps_said(told)}"
    return f'<svg class="bar" role="img" aria-label="{said}">{rects}{ticks}{labels}{here}</svg>'


def caps_said(told: Summary) -> str:
    """Return what happens at the two caps, for the line under the bar."""
    return f"half size at {bound(told.soft_cap_frac)}, all closed at {bound(told.hard_cap_frac)}"


def _label(x: float, text: str, following: float) -> str:
    """Return a tick's number, or nothing where it would run into the following one."""
    is_free = following - x >= ROOM
    return f'<text x="{x:.2f}%" y="47" text-anchor="middle">{text}</text>' if is_free else ""


def _here(x: float) -> str:
    """Return a pointer above the bar, kept inside it at both ends."""
    return (
        f'<svg x="{x:.2f}%" y="0" overflow="visible"><path class="here" d="M-8 1h16l-8 13z"/>'
        '<path class="here" d="M-1.5 13h3v21h-3z"/></svg>'
    )


def pictures(points: Sequence[Point], told: Summary) -> str:
    """Return equity and the fall from its peak, or why there is no picture yet.

    Both go over the last closes, and while the market is open up to what the page says now.
    """
    shown = points[-POINTS:]
    equity = [float(point.equity_usd) for point in shown]
    falls = [point.drawdown_frac for point in shown]
    is_open = bool(told.is_open) and told.equity_usd is not None and told.drawdown_frac is not None
    if is_open:
        equity, falls = [*equity, float(told.equity_usd or 0)], [*falls, float(told.drawdown_frac or 0)]
    if not shown or len(equity) < 2:
        return '<h2>Pictures</h2><p class="small">They begin after the first closes.</p>'
    low, high = min(equity), max(equity)
    line = _path(equity, low, high)
    area = f"0,0 {_path([-fall for fall in falls], -max(*falls, 0.02), 0.0)} {WIDTH},0"
    first, last = shown[0].session, shown[-1].session
    span = f"{first:%d %b %Y} to now" if is_open else f"{first:%d %b} to {last:%d %b %Y}"
    return (
        f"<h2>Account, {span}</h2>"
        f'<p class="small num">Lowest ${low:,.0f}, highest ${high:,.0f}</p>'
        f"{_svg('Account value', f'<polyline points={chr(34)}{line}{chr(34)}/>')}"
        f'<h2>Below its peak</h2><p class="small num">Deepest {percent(max(falls), 1)}</p>'
        f"{_svg('Fall from the peak', f'{PEAK}<polygon points={chr(34)}{area}{chr(34)}/>')}"
    )


def _svg(label: str, drawn: str) -> str:
    view = f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none"'
    return f'<svg role="img" aria-label="{label}" {view}>{drawn}</svg>'


def _path(values: Sequence[float], low: float, high: float) -> str:
    height = (high - low) or 1.0
    step = WIDTH / (len(values) - 1)
    return " ".join(f"{k * step:.1f},{(high - v) / height * HEIGHT:.1f}" for k, v in enumerate(values))
