"""vectorbt and our own ledger are two routes to one equity (in another process: it is slow to import)."""

import subprocess
import sys
from pathlib import Path

import pytest

COMPARE = """
import warnings; warnings.simplefilter("ignore")  # those of the library itself
import numpy as np
from qgtm.research.backtest import backtest, vectorbt_equity
from qgtm.research.made_up import made_up
from qgtm.strategies import STRATEGIES
from qgtm.features.bars import Bars, FIELDS
from qgtm.features.seen import Seen

made = made_up(420, 5)
holes = np.random.default_rng(1).random(made.close.shape) < 0.1
fields = [np.where(holes, np.nan, getattr(made, name)) for name in FIELDS]
for bars in (made, Bars(made.sessions, made.symbols, *fields)):
    for module in STRATEGIES:
        window = bars.select(module.symbols)
        targets = module.signal(Seen(window))
        ours = backtest(window, targets, 3.0)
        theirs = vectorbt_equity(window, ours.bought, 3.0)
        np.testing.assert_allclose(theirs.to_numpy(), ours.equity, rtol=1e-9)
        assert ours.turnover_frac > 0, module.NAME
        print(module.NAME)
"""


@pytest.mark.slow
@pytest.mark.timeout(300)  # it compiles for twenty seconds of one core, and the core may be busy
def test_vectorbt_told_to_fill_at_the_next_open_has_our_equity(repo: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPARE], cwd=repo, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 8
