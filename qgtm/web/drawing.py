"""The page's own pictures, as small SVG: sizes are attributes, since the page allows no inline style."""

from collections.abc import Sequence
from typing import Final

from qgtm.views.performance import Point
from qgtm.views.summary import Summary
from qgtm.views.words import percent

POINTS: Final = 90
WIDTH, HEIGHT = 300, 100


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
        f'<text x="0" y="47">0%</text><text x="{near:.2f}%" y="47" text-anchor="middle">'
        f'{percent(told.near_frac, 0)}</text><text x="{soft:.2f}%" y="47" text-anchor="middle">'
        f"{percent(told.soft_cap_frac, 0)}: half</text>"
        f'<text x="100%" y="47" text-anchor="end">{percent(told.hard_cap_frac, 0)}: stop</text>'
    )
    here = "" if fall is None else _here(min(float(fall) / end, 1.0) * 100)
    said = f"{percent(fall, 1)} below the peak; half size at {percent(told.soft_cap_frac, 0)}, stop at "
    return (
        f'<svg class="bar" role="img" aria-label="{said}{percent(told.hard_cap_frac, 0)}">'
        f"{rects}{ticks}{labels}{here}</svg>"
    )


def _here(x: float) -> str:
    """Return a pointer above the bar, kept inside it at both ends."""
    return (
        f'<svg x="{x:.2f}%" y="0" overflow="visible"><path class="here" d="M-8 1h16l-8 13z"/>'
        '<path class="here" d="M-1.5 13h3v21h-3z"/></svg>'
    )


def pictures(points: Sequence[Point]) -> str:
    """Return equity and the fall from its peak over the last closes, or why there is no picture yet."""
    shown = points[-POINTS:]
    if len(shown) < 2:
        return '<h2>Pictures</h2><p class="small">They begin after two closes.</p>'
    equity = [float(point.equity_usd) for point in shown]
    falls = [point.drawdown_frac for point in shown]
    low, high = min(equity), max(equity)
    line = _path(equity, low, high)
    area = f"0,0 {_path([-fall for fall in falls], -max(*falls, 0.02), 0.0)} {WIDTH},0"
    span = f"{shown[0].session:%d %b} to {shown[-1].session:%d %b %Y}"
    return (
        f"<h2>Account at the close, {span}</h2>"
        f'<p class="small num">Lowest ${low:,.0f}, highest ${high:,.0f}</p>'
        f"{_svg('Account value', f'<polyline points={chr(34)}{line}{chr(34)}/>')}"
        f'<h2>Below its peak</h2><p class="small num">Deepest {percent(max(falls), 1)}</p>'
        f"{_svg('Fall from the peak', f'<polygon points={chr(34)}{area}{chr(34)}/>')}"
    )


def _svg(label: str, drawn: str) -> str:
    view = f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none"'
    return f'<svg role="img" aria-label="{label}" {view}>{drawn}</svg>'


def _path(values: Sequence[float], low: float, high: float) -> str:
    height = (high - low) or 1.0
    step = WIDTH / (len(values) - 1)
    return " ".join(f"{k * step:.1f},{(high - v) / height * HEIGHT:.1f}" for k, v in enumerate(values))
