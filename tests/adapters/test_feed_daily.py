"""Raw bars and corporate actions: from a vendor's reply to prices as they were known."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.calendar import xnys
from qgtm.adapters.feed_daily import DailyFeed
from qgtm.adapters.feed_minutes import MinuteFeed
from qgtm.adapters.lake import LakeWriter
from qgtm.core.corporate_action import ActionKind, CorporateAction
from qgtm.core.errors import FeedError
from tests.adapters.alpaca_venue import reply, serving
from tests.adapters.feeding import fetcher

NOW = datetime(2024, 6, 12, 20, 30, tzinfo=UTC)  # Wednesday, half an hour after the close
ACTIONS = {
    "corporate_actions": {
        "forward_splits": [{"symbol": "GLD", "ex_date": "2024-06-12", "new_rate": 2, "old_rate": 1}],
        "cash_dividends": [{"symbol": "GDX", "ex_date": "2024-07-01", "rate": 0.5}],
    },
    "next_page_token": None,
}  # fmt: skip


def row(day: int, close: float, volume: float = 100.0) -> dict[str, Any]:
    return {"t": f"2024-06-{day:02}T04:00:00Z", "o": close, "h": close, "l": close, "c": close, "v": volume}


def feed(url: str) -> DailyFeed:
    asked = fetcher(url)
    return DailyFeed(
        asked, xnys().sessions, MinuteFeed(asked, xnys().sessions, lambda day: None, "iex"), "iex"
    )


def bars(*rows: dict[str, Any], token: str | None = None) -> Any:
    return reply(200, {"bars": {"GLD": list(rows)}, "next_page_token": token})


def test_bars_are_asked_for_raw_and_known_from_their_close(tmp_path: Path) -> None:
    first, second = bars(row(10, 200.0), token="more"), bars(row(11, 204.0), row(12, 103.0))
    with serving(first, second, reply(200, ACTIONS)) as vendor:
        taken = feed(vendor.url).fetch(date(2024, 6, 8), NOW)
    assert vendor.asked[0].query["adjustment"] == "raw"
    assert [each.known_at.isoformat() for each in taken.bars] == [
        f"2024-06-{day}T20:00:00+00:00" for day in (10, 11, 12)
    ]
    assert taken.actions == (
        CorporateAction("GLD", ActionKind.SPLIT, date(2024, 6, 12), NOW, 2.0),
        CorporateAction("GDX", ActionKind.DIVIDEND, date(2024, 7, 1), NOW, 0.5),
    )
    with LakeWriter(tmp_path) as lake:
        lake.append_bars(taken.bars, NOW)
        lake.append_actions(taken.actions)
        assert lake.bars(NOW, ("GLD",)).close[:, 0].tolist() == [100.0, 102.0, 103.0]
        before = datetime(2024, 6, 12, 20, 0, tzinfo=UTC)  # the split was not known yet
        assert lake.bars(before, ("GLD",)).close[:, 0].tolist() == [200.0, 204.0, 103.0]


def test_back_filled_action_is_known_from_its_day_on() -> None:
    with serving(bars(row(11, 1.0)), reply(200, ACTIONS)) as vendor:
        taken = feed(vendor.url).fetch(date(2024, 6, 8), NOW, is_back_fill=True)
    assert [each.known_at for each in taken.actions] == [datetime(2024, 6, 12, 4, tzinfo=UTC), NOW]


@pytest.mark.fault("E3")
def test_session_that_goes_on_and_a_bar_that_cannot_be_true_are_left_out() -> None:
    noon = datetime(2024, 6, 12, 16, tzinfo=UTC)
    with serving(bars(row(10, -1.0), row(11, 5.0, 0.0), row(12, 103.0)), reply(200, ACTIONS)) as vendor:
        taken = feed(vendor.url).fetch(date(2024, 6, 8), noon)
    assert [dict(each.bars) for each in taken.bars] == [{}, {}]
    assert [each[:14] for each in taken.missing] == ["GLD 2024-06-10", "GLD 2024-06-11"]


@pytest.mark.fault("E13")
def test_field_that_is_renamed_is_refused_by_name() -> None:
    with (
        serving(reply(200, {"candles": {}, "next_page_token": None})) as vendor,
        pytest.raises(FeedError, match="the field bars is missing"),
    ):
        feed(vendor.url).fetch(date(2024, 6, 8), NOW)


@pytest.mark.fault("E2")
def test_bar_that_is_corrected_is_known_from_then_on(tmp_path: Path) -> None:
    later = datetime(2024, 6, 13, 20, 30, tzinfo=UTC)
    with serving(
        bars(row(12, 103.0)), reply(200, ACTIONS), bars(row(12, 104.0)), reply(200, ACTIONS)
    ) as vendor:
        asked = feed(vendor.url)
        taken, again = asked.fetch(date(2024, 6, 12), NOW), asked.fetch(date(2024, 6, 12), later)
    with LakeWriter(tmp_path) as lake:
        assert (lake.append_bars(taken.bars, NOW), lake.append_bars(again.bars, later)) == (1, 1)
        assert lake.append_bars(again.bars, later) == 0
        assert lake.bars(NOW, ("GLD",)).close[:, 0].tolist() == [103.0]
        assert lake.bars(later, ("GLD",)).close[:, 0].tolist() == [104.0]
