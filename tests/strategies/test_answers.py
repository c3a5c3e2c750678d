"""The strategies against answers made by another route; which one stands in each file of tests/answers."""

import numpy as np

from qgtm.features.bars import FloatArray
from qgtm.features.seen import Seen
from qgtm.strategies import donchian_breakout, gold_silver_ratio, miners_vs_metal, tsmom
from tests.answers.read import answer, bars_of_closes


def expected(columns: dict[str, FloatArray], symbols: tuple[str, ...]) -> FloatArray:
    return np.stack([columns[f"target_{symbol}"] for symbol in symbols], axis=1)


def test_tsmom_targets_agree_with_the_rule_in_pandas() -> None:
    known = answer("tsmom")
    found = tsmom.signal(Seen(bars_of_closes(known, tsmom.symbols)))
    np.testing.assert_allclose(found, expected(known, tsmom.symbols), rtol=1e-10, equal_nan=True)


def test_donchian_positions_agree_with_those_read_off_a_drawn_path() -> None:
    known = answer("donchian")
    columns = dict.fromkeys(donchian_breakout.symbols, known["close"])
    bars = bars_of_closes(columns, donchian_breakout.symbols, reach=0.25)
    found = donchian_breakout.signal(Seen(bars), donchian_breakout.Params(entry=5, leave=3))
    np.testing.assert_array_equal(found, np.repeat(known["side"][:, None] / 4, 4, axis=1))


def test_gold_silver_targets_agree_with_a_filter_in_matrices() -> None:
    known = answer("gold_silver_ratio")
    found = gold_silver_ratio.signal(Seen(bars_of_closes(known, gold_silver_ratio.symbols)))
    wanted = expected(known, gold_silver_ratio.symbols)
    np.testing.assert_allclose(found, wanted, rtol=1e-8, equal_nan=True)
    assert (wanted[:, 0] > 0).any()
    assert (wanted[:, 0] < 0).any()


def test_miners_targets_agree_with_least_squares_by_another_library() -> None:
    known = answer("miners_vs_metal")
    found = miners_vs_metal.signal(Seen(bars_of_closes(known, miners_vs_metal.symbols)))
    wanted = expected(known, miners_vs_metal.symbols)
    np.testing.assert_allclose(found, wanted, rtol=1e-8, equal_nan=True)
    assert (wanted[:, 0] > 0).any()
    assert (wanted[:, 0] < 0).any()
