"""Every feature of the catalogue, none left out: no look-ahead, and live to the bit what it was at once."""

from collections.abc import Iterator

import numpy as np
import pytest

from qgtm.core.series import SERIES
from qgtm.core.universe import SYMBOLS
from qgtm.features.bars import FIELDS, Bars, FloatArray
from qgtm.features.catalogue import CATALOGUE, by_name
from qgtm.features.feature import Feature, Fold
from qgtm.features.panel import Panel
from qgtm.features.seen import Seen, Shelf
from qgtm.features.timetable import TIMETABLE
from qgtm.research.made_up_panel import made_up_seen

LENGTH = 620
FEATURES = [pytest.param(feature, id=name) for name, feature in CATALOGUE.items()]


def with_holes(seen: Seen, seed: int) -> Seen:
    """Return the same market with bars that lack, and a panel that begins late and stops for a while."""
    rng = np.random.default_rng(seed)
    holes = rng.random(seen.bars.close.shape) < 0.04
    holes[200:212, ::3] = True
    fields = [np.where(holes, np.nan, getattr(seen.bars, name)) for name in FIELDS]
    starts = rng.integers(0, 80, seen.panel.values.shape[1])
    is_late = np.arange(len(seen))[:, None] < starts
    values = np.where(is_late, np.nan, seen.panel.values)
    values[300:320, ::4] = np.nan
    described = np.where(np.isnan(values), 0, seen.panel.described)
    return Seen(
        Bars(seen.bars.sessions, seen.bars.symbols, *fields), Panel(seen.panel.names, values, described)
    )


def random_steps(seen: Seen, seed: int) -> Seen:
    """Return the bars beside a panel of random steps: days that are skipped, said twice, and revised."""
    rng = np.random.default_rng(seed)
    shape = seen.panel.values.shape
    is_new = rng.random(shape) < rng.uniform(0.1, 0.9, shape[1])
    is_revised = rng.random(shape) < 0.02
    rows = np.maximum.accumulate(np.where(is_new, np.arange(shape[0])[:, None], -1), axis=0)
    values = np.take_along_axis(seen.panel.values, np.maximum(rows, 0), axis=0) * (1 + 0.01 * is_revised)
    described = np.where(rows >= 0, seen.bars.sessions[np.maximum(rows - 1, 0)], 0)
    return Seen(seen.bars, Panel(seen.panel.names, np.where(rows >= 0, values, np.nan), described))


@pytest.fixture(scope="module", params=["made up", "with holes", "random steps"])
def seen(request: pytest.FixtureRequest) -> Seen:
    made = made_up_seen(LENGTH, 11)
    return {"made up": made, "with holes": with_holes(made, 5), "random steps": random_steps(made, 6)}[
        request.param
    ]


class Watching(Seen):
    """Remembers what was asked for, so that a feature that leans on a memory is known by looking."""

    def __init__(self, bars: Bars, panel: Panel) -> None:
        super().__init__(bars, panel)
        self.asked: set[Feature] = set()

    def get(self, feature: Feature) -> FloatArray:
        self.asked.add(feature)
        return super().get(feature)


def leans_on_a_memory(feature: Feature, seen: Seen) -> bool:
    watching = Watching(seen.bars, seen.panel)
    watching.get(feature)
    return any(each.fold is not None for each in watching.asked)


def same(one: FloatArray, other: FloatArray) -> bool:
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=True)


def cuts(feature: Feature) -> Iterator[int]:
    """Yield where to cut: before it is warm, when it just is, and at odd places after."""
    yield from (1, 2, feature.warm_up - 1, feature.warm_up, feature.warm_up + 1)
    yield from range(feature.warm_up + 7, LENGTH, 61)


def future_seen(feature: Feature, seen: Seen) -> list[int]:
    whole = seen.get(feature)
    ends = [end for end in cuts(feature) if 0 < end < LENGTH]
    return [end for end in ends if not same(seen.head(end).get(feature), whole[:end])]


def live_differs(feature: Feature, seen: Seen, first: int) -> list[int]:
    whole, shelf = seen.get(feature), Shelf()
    return [
        end for end in range(first, LENGTH + 1) if not same(grown(seen, end, shelf).get(feature), whole[:end])
    ]


def grown(seen: Seen, end: int, shelf: Shelf) -> Seen:
    return Seen(seen.bars.head(end), seen.panel.rows(slice(0, end)), shelf)


def newest_differs(feature: Feature, seen: Seen) -> list[int]:
    """Return the ends at which the last `warm_up` sessions alone do not give the newest row."""
    whole = seen.get(feature)
    differs = []
    for end in range(feature.warm_up, LENGTH + 1, 23):
        rows = slice(end - feature.warm_up, end)
        alone = Seen(seen.bars.head(end).tail(feature.warm_up), seen.panel.rows(rows))
        if not same(alone.get(feature)[-1], whole[end - 1]):
            differs.append(end)
    return differs


@pytest.mark.mistake(17)
@pytest.mark.parametrize("feature", FEATURES)
def test_feature_when_the_future_is_cut_stays_the_same_to_the_bit(feature: Feature, seen: Seen) -> None:
    assert future_seen(feature, seen) == []


@pytest.mark.parametrize("feature", FEATURES)
def test_feature_bar_by_bar_equals_all_at_once(feature: Feature, seen: Seen) -> None:
    assert live_differs(feature, seen, 1) == []


@pytest.mark.parametrize("feature", FEATURES)
def test_newest_row_needs_no_more_than_the_warm_up(feature: Feature, seen: Seen) -> None:
    if leans_on_a_memory(feature, seen):  # it has no such length; grown from the middle it is the same
        assert live_differs(feature, seen, feature.warm_up + 50) == []
    else:
        assert newest_differs(feature, seen) == []


@pytest.mark.parametrize("feature", FEATURES)
def test_feature_is_known_once_warm_and_moves(feature: Feature) -> None:
    seen = made_up_seen(LENGTH, 11)
    values = seen.get(feature).reshape(LENGTH, -1)
    assert np.isfinite(values[-1]).any()
    known = values[:, np.isfinite(values[-1])]
    assert np.isfinite(known[feature.warm_up + 260 :]).mean() > 0.5
    assert any(len(np.unique(column[np.isfinite(column)])) > 1 for column in known.T)


@pytest.mark.parametrize("feature", FEATURES)
def test_feature_tells_what_a_reader_must_know(feature: Feature) -> None:
    for text in (feature.formula, feature.unit, feature.source, feature.missing, feature.family):
        assert text.strip()
    assert feature.reads
    assert set(feature.reads) <= {*FIELDS, *SYMBOLS, *SERIES, *TIMETABLE, "sessions"}
    assert feature.warm_up >= 1
    assert (feature.window or feature.warm_up) <= feature.warm_up


@pytest.mark.parametrize("feature", FEATURES)
def test_feature_has_a_column_for_each_of_its_symbols(feature: Feature) -> None:
    shape = made_up_seen(30, 1).get(feature).shape
    assert shape == ((30, len(feature.symbols)) if feature.symbols else (30,))


@pytest.mark.parametrize("feature", FEATURES)
def test_feature_of_a_market_of_which_nothing_is_known_is_not_known(feature: Feature) -> None:
    made = made_up_seen(40, 1)
    bare = Seen(made.bars.select(("IAU", "SGOL")))
    values = bare.get(feature)
    assert values.shape[0] == 40
    assert feature.family == "calendar" or np.isnan(values).mean() > 0.9


def test_catalogue_has_at_least_a_hundred_and_ten_features() -> None:
    assert len(CATALOGUE) >= 110


def test_name_that_two_features_have_is_refused() -> None:
    feature = next(iter(CATALOGUE.values()))
    with pytest.raises(ValueError, match="two features are called"):
        by_name([feature, feature])


# The test of the test: what must not pass, does not.


def planted(name: str, of: object, warm_up: int = 21, fold: Fold | None = None) -> Feature:
    return Feature(
        name=name, family="planted", formula="", unit="", source="", reads=("close",), warm_up=warm_up,
        missing="", compute=of, fold=fold,  # type: ignore[arg-type]
    )  # fmt: skip


def centred_mean(seen: Seen) -> FloatArray:
    close = seen.bars.close[:, 0]
    return np.array([close[max(0, i - 10) : i + 11].mean() for i in range(len(close))])


def sum_from_the_start(seen: Seen) -> FloatArray:
    return np.cumsum(seen.bars.close[:, 0])


def test_centred_window_is_found_by_all_three() -> None:
    seen, feature = made_up_seen(LENGTH, 11), planted("centred", centred_mean)
    assert len(future_seen(feature, seen)) > 10
    assert live_differs(feature, seen, 1) != []
    assert newest_differs(feature, seen) != []


def test_sum_that_never_forgets_is_found_by_its_warm_up() -> None:
    seen, feature = made_up_seen(LENGTH, 11), planted("sum", sum_from_the_start)
    assert future_seen(feature, seen) == []
    assert newest_differs(feature, seen) != []


def test_memory_is_known_by_looking() -> None:
    seen = made_up_seen(60, 11)
    assert leans_on_a_memory(CATALOGUE["exponential_volatility"], seen)
    assert not leans_on_a_memory(CATALOGUE["log_return_1"], seen)
