"""What a warm process does once, so that no notebook that is forked off it has to."""

import numpy as np

from qgtm.research.backtest import backtest, vectorbt_equity, vectorbt_figures
from qgtm.research.fills import account, prices
from qgtm.research.made_up import made_up
from qgtm.research.pictures import equity_picture, overlay, plotting, shown
from qgtm.research.story import world


def drawn() -> None:
    """Draw a picture: fonts and styles are found once."""
    bars = world("synthetic", 20, 0).bars  # and the calendar is read
    line = np.linspace(1.0, 2.0, 20)
    account(prices(bars), np.zeros((len(bars.symbols), 20)), 3.0)  # and the kernel is loaded
    shown(equity_picture(bars, line), overlay(bars, [("one", line), ("two", -line)], "both"), text="lines")
    plotting().Store.options()


def booked() -> None:
    """Keep a book with vectorbt: what it compiles is compiled once."""
    bars = made_up(20, 0)
    done = backtest(bars, np.full((20, len(bars.symbols)), 0.1), 3.0)
    vectorbt_figures(vectorbt_equity(bars, done.bought, 3.0))
