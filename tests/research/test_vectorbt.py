"""vectorbt and our own ledger are two routes to one equity (in another process: it is slow to import)."""

import subprocess
import sys
from pathlib import Path

import pytest

from qgtm.strategies import STRATEGIES

COMPARE = """
import warnings; warnings.simplefilter("ignore")  # those of the library itself
import numpy as np
from qgtm.research.backtest import backtest, vectorbt_equity
from qgtm.research.made_up_panel import made_up_seen
from qgtm.strategies import STRATEGIES
from qgtm.features.bars import Bars, FIELDS
from qgtm.features.seen import Seen

made = made_up_seen(640, 5)
bars = made.bars
holes = np.random.default_rng(1).random(bars.close.shape) < 0.1
fields = [np.where(holes, np.nan, getattr(bars, name)) for name in FIELDS]
for seen in (made, Seen(Bars(bars.sessions, bars.symbols, *fields), made.panel)):
    for module in STRATEGIES:
        window = seen.select(module.symbols)
        ours = backtest(window.bars, module.signal(window), 3.0, borrow_bps=250.0)
        theirs = vectorbt_equity(window.bars, ours.bought, 3.0, 250.0)
        np.testing.assert_allclose(theirs.to_numpy(), ours.equity, rtol=1e-9)
        print(module.NAME, "traded" if ours.turnover_frac > 0 else "stood")
"""


@pytest.mark.slow
@pytest.mark.timeout(300)  # it compiles for twenty seconds of one core, and the core may be busy
def test_vectorbt_told_to_fill_at_the_next_open_has_our_equity(repo: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPARE], cwd=repo, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    told = [line.split() for line in done.stdout.splitlines()]
    assert len(told) == 2 * len(STRATEGIES)
    # an equity that never moves would agree with anything
    assert sum(word == "traded" for _, word in told) > len(STRATEGIES)
