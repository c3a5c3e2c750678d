"""The work that is timed beside other frameworks is the work that is meant: our side, against pandas."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import peers
from benchmarks.made_up_bars import write_bars

FAST, SLOW, FIRST = (int(each) for each in peers.RULE[:3])
TRADED = peers.RULE[4].split(",")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # exchange_calendars, of pandas
def test_our_side_sends_an_order_a_crossing(monkeypatch: pytest.MonkeyPatch) -> None:
    crossings = []

    def written(folder: Path, *rest: object) -> None:
        write_bars(folder, *rest)  # type: ignore[arg-type]
        close = pd.concat({name: pd.read_csv(folder / f"{name}.csv")["close"] for name in TRADED}, axis=1)
        is_above = close.rolling(FAST).mean() > close.rolling(SLOW).mean()
        held = is_above.iloc[FIRST - 1 : -1].astype(
            int
        )  # what is seen at the last close is not traded any more
        crossings.append(int(held.iloc[0].sum() + held.diff().abs().sum().sum()))

    monkeypatch.setattr(peers, "write_bars", written)
    found = peers.measure(("qgtm",), rounds=1)["qgtm"]
    assert found["denied"] == 0
    # Gold and silver in two wrappers are netted, and what crosses in one session may need no order.
    assert 0.95 * crossings[0] < found["orders"] <= crossings[0]
