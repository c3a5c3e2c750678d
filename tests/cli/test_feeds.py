"""What `qgtm feeds` refuses, and what it says."""

from datetime import UTC, datetime

import pytest

from qgtm.cli.feeds import _said, command
from qgtm.core.errors import ConfigError
from qgtm.live.collect import Word


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"once": True, "backfill": True}, "choose one"),
        ({"start": datetime(2015, 1, 1)}, "add --backfill"),  # noqa: DTZ001 - as the command line gives it
        ({"as_json": True}, "add --once"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        command(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (Word(off="FRED_API_KEY not set"), "off: FRED_API_KEY not set"),
        (Word(problem="no answer"), "no answer"),
        (Word(), "not looked at"),
        (
            Word(
                tried_at=datetime(2024, 6, 12, tzinfo=UTC),
                new_facts=7,
                missing=("GLD: none",),
                next_due_at=datetime(2024, 6, 13, 9, 30, tzinfo=UTC),
            ),
            "7 new facts, next 2024-06-13 09:30 UTC; missing: GLD: none",
        ),
    ],
)
def test_a_feed_is_told_in_one_line(word: Word, said: str) -> None:
    assert _said(word) == said
