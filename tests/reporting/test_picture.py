"""The review's pictures and tables of few words: weeks of nothing, of one day, of too much."""

import re
from datetime import timedelta

import pytest

from qgtm.core.events import AlertRaised, FeedFailed
from qgtm.core.order import Side
from qgtm.reporting.fragment import Fragment
from qgtm.reporting.picture import Picture, drawdown_picture, equity_picture, result_picture
from qgtm.reporting.review import TOLD_AT_MOST, happenings
from qgtm.views.action import Caps
from tests.reporting.hand_made import D, Timed, at, begun, closed, events, filled, opened, order
from tests.views.test_week import folded

pytest.importorskip("holoviews", reason="the review's pictures need the `research` extra")

CAPS = Caps(soft_frac=D("0.075"), hard_frac=D("0.125"))
QUIET = [row for day in (5, 6, 7) for row in (opened(day), *closed(day, 400, 70))]


def letters(shown: Picture | Fragment | None) -> list[str]:
    assert isinstance(shown, Picture)
    return re.findall(r"<text[^>]*>([^<]*)</text>", shown.svg)


def test_line_of_few_days_names_the_month_of_each() -> None:
    days = [text for text in letters(equity_picture(folded(events()))) if re.match(r"\d\d", text)]
    assert "05 Jan" in days
    assert not [text for text in days if re.fullmatch(r"\d\d", text)]


def test_thousands_are_set_apart_and_a_minus_is_a_minus() -> None:
    far = order("far", "GLD", Side.BUY, "400", {"alpha": 100})
    days = [opened(5), *filled(far, "400"), *closed(5, 400, 70), opened(6), *closed(6, 100, 70)]
    shown = letters(result_picture(folded([*begun(), *days])))
    assert [text for text in shown if re.fullmatch(r"−\d{1,3},\d{3}", text)]
    assert not [text for text in shown if "-" in text or re.fullmatch(r"−?\d{4,}", text)]


def test_week_that_brought_nothing_has_no_bars() -> None:
    assert result_picture(folded([*begun(), *QUIET])) is None


def test_account_that_did_not_move_is_said_to_have_stood() -> None:
    shown = equity_picture(folded([*begun(), *QUIET]))
    assert isinstance(shown, Picture)
    assert "without a change" in shown.said


def test_pictures_that_are_not_there_yet_say_so() -> None:
    week = folded([*begun()[:1], opened(5), *closed(5, 400, 70)])
    assert isinstance(shown := equity_picture(week), Fragment)
    assert "second close" in shown.html
    assert drawdown_picture(week, CAPS) is None


def test_caps_in_the_caption_are_exact() -> None:
    shown = drawdown_picture(folded(events()), CAPS)
    assert isinstance(shown, Picture)
    assert "At 7.5% positions are halved, at 12.5% everything is closed." in shown.said


def test_loss_in_a_caption_is_not_torn_from_its_sign() -> None:
    shown = result_picture(folded(events()))
    assert isinstance(shown, Picture)
    assert "−$" in shown.said
    assert "−$" not in shown._repr_html_().split("<figcaption>")[1]


def test_many_alerts_do_not_push_out_what_they_tell_of() -> None:
    moment = at(6, 15)
    cause: list[Timed] = [(moment, FeedFailed(feed="ohlcv", reason="no bar"))]
    alerts: list[Timed] = [
        (moment + timedelta(minutes=n), AlertRaised(level="red", cause=f"c{n}", text=f"number {n};"))
        for n in range(1, TOLD_AT_MOST + 4)
    ]
    html = happenings(folded([*begun(), *cause, *alerts])).html
    assert "The feed ohlcv failed" in html
    assert "number 4;" not in html
    assert html.index("ohlcv") < html.index("number 5;") < html.index(f"number {TOLD_AT_MOST + 3};")
    assert "4 more stand in the journal" in html
