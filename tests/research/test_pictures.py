"""Pictures are SVG that needs no script and no network, with words in their place."""

import base64
import re

import numpy as np

from qgtm.research.backtest import backtest
from qgtm.research.made_up import made_up
from qgtm.research.pictures import (
    curve,
    drawdown_picture,
    equity_picture,
    histogram,
    overlay,
    position_picture,
    shown,
)


def test_picture_is_one_image_without_script_or_network_and_with_words() -> None:
    bars = made_up(40, 2).select(("GLD", "SLV"))
    done = backtest(bars, np.full((40, 2), 0.5), 3.0)
    picture = shown(
        overlay(bars, [("gold", bars.close[:, 0]), ("silver", bars.close[:, 1])], "dollars"),
        position_picture(bars, done.weights),
        equity_picture(bars, done.equity),
        drawdown_picture(bars, done.drawdown),
        text="Gold < silver",
    )
    page = picture._repr_html_()
    coded = re.fullmatch(r'<img alt="Gold &lt; silver" src="data:image/svg\+xml;base64,([^"]+)">', page)
    assert coded is not None
    svg = base64.b64decode(coded[1]).decode()
    assert svg == picture.svg
    assert "</svg>" in svg
    assert "<script" not in svg
    assert not re.search(r'(?:href|src)="http', svg)


def test_curve_with_holes_and_histogram_are_drawn_without_a_warning() -> None:
    bars = made_up(40, 2).select(("GLD",))
    holed = np.where(np.arange(40) % 7 == 0, np.nan, bars.close[:, 0])
    picture = shown(curve(bars, holed, "GLD"), histogram(bars.close[:, 0], 10, "dollars"), text="holes")
    assert picture.svg.count("<path") > 20
