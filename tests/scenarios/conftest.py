"""A desk for each test, and a folder of real-looking bars made on the spot."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from qgtm.adapters.calendar import xnys
from qgtm.features.bars import FloatArray
from tests.scenarios.terminal import Desk, desk


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Desk]:
    """Yield an empty folder with a config on free ports."""
    with desk(tmp_path) as found:
        yield found


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three symbols over 180 sessions."""
    folder = tmp_path_factory.mktemp("bars")
    days = [session.day for session in xnys().sessions(date(2020, 1, 2), date(2021, 12, 31))][:180]
    for number, symbol in enumerate(("GLD", "SLV", "GDX")):
        chance = np.random.default_rng(number)
        close = 50 * np.exp(np.cumsum(chance.normal(0.0006, 0.012, len(days))))
        (folder / f"{symbol}.csv").write_text(_text(days, close), "utf-8")
    return folder


def _text(days: Sequence[date], close: FloatArray) -> str:
    lines = ["date,open,high,low,close,volume"]
    for day, price in zip(days, close.round(2), strict=True):
        lines.append(f"{day},{price:.2f},{price + 0.5:.2f},{price - 0.5:.2f},{price:.2f},9000000")
    return "\n".join(lines) + "\n"
