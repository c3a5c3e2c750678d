"""The picture of a sweep: how good each set of parameters was, and how good its neighbours were."""

import html
from pathlib import Path
from typing import Any

import numpy as np

from qgtm.adapters.files import write_atomic
from qgtm.features.bars import FloatArray
from qgtm.research.grid import Grid
from qgtm.research.pictures import Picture, plotting, shown
from qgtm.research.sweep import Swept

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{title}</title>
<h1>{title}</h1>
{picture}
<p>{text}</p>
"""


def heat_map(done: Swept, figure: str) -> Picture:
    """Return the mean of a figure over windows, symbols and all knobs but the first two, drawn as a map.

    With a single knob it is a line. Raises ValueError for a figure that there is none of.
    """
    drawn = over_grid(done.job.grid, done.of(figure).mean(axis=(1, 2)), figure)
    names = " and ".join(done.job.grid.names[:2])
    over = f"over {len(done.job.windows)} windows and {', '.join(done.job.symbols)}"
    return shown(drawn, text=f"{figure} by {names}, the mean {over}")


def over_grid(grid: Grid, values: FloatArray, figure: str) -> Any:
    """Return a value for each set of parameters (sets,) as a map of the first two knobs, or as a line."""
    knobs, shape = grid.knobs, [len(values) for _, values in grid.knobs]
    found = values.reshape(shape)
    found = found.mean(axis=tuple(range(2, len(shape)))) if len(shape) > 2 else found
    return _line(knobs[0], found, figure) if found.ndim == 1 else _map(knobs[:2], found, figure)


def _line(knob: tuple[str, tuple[Any, ...]], found: FloatArray, figure: str) -> Any:
    return plotting().Curve((knob[1], found), knob[0], figure).opts(aspect=2, title=figure)


def _map(knobs: tuple[tuple[str, tuple[Any, ...]], ...], found: FloatArray, figure: str) -> Any:
    (across, xs), (up, ys) = knobs
    cells = [(f"{x:g}", f"{y:g}", found[i, j]) for i, x in enumerate(xs) for j, y in enumerate(ys)]
    bound = float(np.abs(found).max()) or 1.0
    drawn = plotting().HeatMap(cells, [across, up], figure)
    return drawn.opts(
        aspect=1.6, cmap="RdYlGn", clim=(-bound, bound), colorbar=True, title=figure, xrotation=90
    )


def write_heat_map(done: Swept, figure: str, folder: Path, title: str) -> tuple[Path, Path]:
    """Write the map as SVG and as a page that needs no network, and return both paths."""
    picture = heat_map(done, figure)
    folder.mkdir(parents=True, exist_ok=True)
    svg, page = folder / f"{figure}.svg", folder / f"{figure}.html"
    write_atomic(svg, picture.svg.encode())
    text = PAGE.format(
        title=html.escape(title), picture=picture._repr_html_(), text=html.escape(picture.text)
    )
    write_atomic(page, text.encode())
    return svg, page
