"""Bars: one shape, read-only, and cut without a copy."""

import pickle

import numpy as np
import pytest

from qgtm.features.bars import FIELDS, Bars, FloatArray


def made(n: int = 6, symbols: tuple[str, ...] = ("GLD", "SLV", "SPY"), **changes: object) -> Bars:
    price: FloatArray = np.arange(n * len(symbols), dtype=np.float64).reshape(n, len(symbols)) + 1
    fields: dict[str, object] = {name: price * (i + 1) for i, name in enumerate(FIELDS)}
    fields |= {"sessions": np.arange(738000, 738000 + n), "symbols": symbols} | changes
    return Bars(**fields)  # type: ignore[arg-type]


def test_bars_of_another_shape_are_refused_with_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"close must have shape \(6, 3\).*got \(5, 3\)"):
        made(close=np.ones((5, 3)))


def test_bars_of_another_dtype_are_refused() -> None:
    with pytest.raises(TypeError, match="volume must be an array of float64, got int64"):
        made(volume=np.ones((6, 3), dtype=np.int64))
    with pytest.raises(TypeError, match="open must be an array of float64, got list"):
        made(open=[[1.0]])
    with pytest.raises(TypeError, match="sessions must be an array of int64, got float64"):
        made(sessions=np.arange(6.0))


@pytest.mark.parametrize("sessions", [[1, 2, 3, 3, 4, 5], [1, 2, 4, 3, 5, 6]])
def test_sessions_that_do_not_rise_are_refused(sessions: list[int]) -> None:
    with pytest.raises(ValueError, match="must rise and not repeat"):
        made(sessions=np.array(sessions))


def test_symbol_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="named twice"):
        made(symbols=("GLD", "SLV", "GLD"))
    with pytest.raises(TypeError, match="must be a tuple"):
        made(symbols=["GLD", "SLV", "SPY"])


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_can_be_written_in_any_cut(field: str) -> None:
    bars = made()
    for cut in (bars, bars.tail(3), bars.head(3), bars.row(1), bars.select(("SPY", "GLD")).tail(2)):
        with pytest.raises(ValueError, match="read-only"):
            getattr(cut, field)[0, 0] = 7.0
    with pytest.raises(ValueError, match="read-only"):
        bars.sessions[0] = 1


def test_owner_of_a_buffer_may_still_append_to_it() -> None:
    buffer = np.full((6, 3), 2.0)
    bars = made(close=buffer)
    buffer[5, 0] = 9.0
    assert bars.close[5, 0] == 9.0


def test_tail_and_head_and_row_cut_sessions_without_a_copy() -> None:
    bars = made()
    assert bars.tail(2).sessions.tolist() == [738004, 738005]
    assert bars.head(2).sessions.tolist() == [738000, 738001]
    assert bars.row(-1).close.tolist() == [bars.close[5].tolist()]
    assert np.shares_memory(bars.tail(2).close, bars.close)
    assert bars.tail(60) is bars
    assert len(bars.head(0)) == 0


def test_row_and_tail_out_of_bounds_are_refused() -> None:
    with pytest.raises(IndexError):
        made().row(6)
    with pytest.raises(ValueError, match="at least 1 session"):
        made().tail(0)


@pytest.mark.parametrize("field", FIELDS)
def test_select_takes_columns_in_the_order_asked_for(field: str) -> None:
    bars = made()
    chosen = bars.select(("SPY", "GLD"))
    assert chosen.symbols == ("SPY", "GLD")
    assert getattr(chosen, field).tolist() == getattr(bars, field)[:, [2, 0]].tolist()
    assert getattr(chosen.tail(1), field).tolist() == [getattr(bars, field)[-1, [2, 0]].tolist()]
    assert bars.select(bars.symbols) is bars


def test_select_of_an_unknown_symbol_names_it_and_what_there_is() -> None:
    with pytest.raises(KeyError, match="no bars of XAU; there are GLD, SLV, SPY"):
        made().select(("GLD", "XAU"))


def test_bars_have_no_other_field() -> None:
    with pytest.raises(AttributeError, match="no 'vwap'"):
        made().select(("GLD",)).vwap  # type: ignore[attr-defined]  # noqa: B018


def test_selected_bars_survive_a_pickle() -> None:
    again = pickle.loads(pickle.dumps(made().select(("SLV",))))
    assert again.close.tolist() == made().close[:, [1]].tolist()
