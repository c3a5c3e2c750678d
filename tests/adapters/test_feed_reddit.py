"""What is written, by hand-made listings whose counts and means are known; and that nothing of it is kept."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.alpaca_line import Line
from qgtm.adapters.feed_reddit import (
    CUT,
    HOUR,
    RedditFeed,
    RedditLogin,
    Written,
    harvest,
    praw_listing,
    topics_of,
    vader,
    written_of,
)
from qgtm.core.errors import FeedError
from tests.adapters.alpaca_venue import Talk, hang, reply, serving

NOW = datetime(2024, 6, 12, 15, 5, tzinfo=UTC)
END = datetime(2024, 6, 12, 15, 0, tzinfo=UTC)


class Listed:
    """Items by sub and kind, given newest first."""

    def __init__(self, **items: list[Written]) -> None:
        self.items = items

    def newest(self, sub: str, kind: str) -> Iterator[Written]:
        yield from sorted(self.items.get(f"{sub}_{kind}", []), key=lambda each: each.at, reverse=True)


def said(hours_ago: float, text: str) -> Written:
    return Written(END - timedelta(hours=hours_ago), text)


def score(text: str) -> float:
    """Score by a number in the text, so that means are known."""
    return float(text.split("=")[1]) if "=" in text else 0.0


def feed(path: Path, source: Listed, *subs: str) -> RedditFeed:
    return RedditFeed(lambda use: use(source), subs or ("a",), path / "reddit.json", score)


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("Gold is up", ("GOLD",)),
        ("GOLD and silver", ("GOLD", "SILVER")),
        ("I hold GLD and $SLV.", ("GOLD", "SILVER")),
        ("golden marigolds", ()),
        ("a ring of dust on the sil", ()),
        ("RING and DUST and SIL", ()),  # words as well: a dollar sign says that a fund is meant
        ("$RING $SIL", ("GOLD", "SILVER")),
        ("gld", ()),
        ("SILJ miners", ("SILVER",)),
        ("NUGT", ("GOLD",)),
        ("platinum PPLT", ()),
    ],
)
def test_a_text_counts_for_the_metals_that_it_names(text: str, topics: tuple[str, ...]) -> None:
    assert topics_of(text) == topics


def test_counts_and_means_are_those_of_24_hours(tmp_path: Path) -> None:
    source = Listed(
        a_new=[said(0.5, "gold =0.5"), said(30, "gold =-1")],
        a_comments=[
            said(23.5, "gold =0.1"),
            said(24.5, "gold =-0.9"),
            said(2, "silver =0.4"),
            said(2, "cats =1"),
        ],
        b_comments=[said(-0.05, "gold =1"), said(3, "gold and silver =-0.3"), said(40, "x")],
    )
    taken = feed(tmp_path, source, "a", "b").fetch(NOW)
    found = {fact.series: fact.value for fact in taken.facts if fact.at == END}
    assert found == pytest.approx(
        {
            "REDDIT_GOLD_COUNT": 3,  # 0.5, 0.1, -0.3: neither this hour's nor that of 24.5 hours ago
            "REDDIT_GOLD_SCORE": 0.1,
            "REDDIT_SILVER_COUNT": 2,
            "REDDIT_SILVER_SCORE": 0.05,
        }
    )
    assert {fact.known_at for fact in taken.facts if fact.at == END} == {END}
    assert taken.missing == ()


def test_silence_counts_zero_and_has_no_mean(tmp_path: Path) -> None:
    taken = feed(tmp_path, Listed()).fetch(NOW)
    found = {fact.series: fact.value for fact in taken.facts if fact.at == END}
    assert found == {"REDDIT_GOLD_COUNT": 0.0, "REDDIT_SILVER_COUNT": 0.0}


def test_the_next_look_goes_on_where_the_last_ended(tmp_path: Path) -> None:
    first = Listed(a_new=[said(0.5, "gold =0.5")])
    feed(tmp_path, first).fetch(NOW)
    later = Listed(a_new=[said(-0.5, "gold =0.1"), said(0.5, "gold =0.5")])  # lists the old one again
    taken = feed(tmp_path, later).fetch(NOW + HOUR)
    found = {fact.series: fact.value for fact in taken.facts}
    assert {fact.at for fact in taken.facts} == {END + HOUR}
    assert found["REDDIT_GOLD_COUNT"] == 2
    assert found["REDDIT_GOLD_SCORE"] == pytest.approx(0.3)
    assert feed(tmp_path, later).fetch(NOW + HOUR).facts == ()


def test_hours_that_were_missed_are_made_up_for(tmp_path: Path) -> None:
    feed(tmp_path, Listed()).fetch(NOW)
    taken = feed(tmp_path, Listed(a_new=[said(-1.5, "gold =0.2")])).fetch(NOW + 3 * HOUR)
    counts = {fact.at: fact.value for fact in taken.facts if fact.series == "REDDIT_GOLD_COUNT"}
    assert counts == {END + HOUR: 0.0, END + 2 * HOUR: 1.0, END + 3 * HOUR: 1.0}


def test_a_listing_that_was_cut_off_makes_no_number_until_24_hours_are_whole(tmp_path: Path) -> None:
    busy = [said(5 * n / CUT, "gold =0.1") for n in range(1, CUT + 1)]  # reaches five hours back
    taken = feed(tmp_path, Listed(a_comments=busy)).fetch(NOW)
    assert taken.facts == ()
    assert taken.missing == ("sentiment: 20 more hours are needed until 24 are whole",)
    source = Listed()
    for hours in range(1, 20):
        assert feed(tmp_path, source).fetch(NOW + hours * HOUR).facts == ()
    taken = feed(tmp_path, source).fetch(NOW + 20 * HOUR)
    found = {fact.series: fact.value for fact in taken.facts}
    assert found["REDDIT_GOLD_COUNT"] == sum(each.at >= END - 4 * HOUR for each in busy)


def test_neither_texts_nor_names_are_kept(tmp_path: Path) -> None:
    source = Listed(a_new=[said(0.5, "gold says somebody =0.5")])
    feed(tmp_path, source).fetch(NOW)
    kept = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "somebody" not in kept
    assert set(json.loads(kept)) == {"whole_from", "whole_until", "hours"}
    assert "gold" not in repr(said(1, "gold"))


def test_a_broken_memory_is_told(tmp_path: Path) -> None:
    (tmp_path / "reddit.json").write_text('{"hours": 3}')
    with pytest.raises(FeedError, match="Move it away"):
        feed(tmp_path, Listed()).fetch(NOW)


def test_a_failed_look_forgets_nothing(tmp_path: Path) -> None:
    feed(tmp_path, Listed()).fetch(NOW)
    before = (tmp_path / "reddit.json").read_bytes()

    def fail(use: object) -> Any:
        raise FeedError("gone")

    with pytest.raises(FeedError, match="gone"):
        RedditFeed(fail, ("a",), tmp_path / "reddit.json", score).fetch(NOW + HOUR)
    assert (tmp_path / "reddit.json").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [  # by the lexicon's own paper: praise is near 1, abuse near -1, facts at 0
        ("Gold is great, I love it!", 0.5, 1.0),
        ("Silver is a horrible, terrible scam", -1.0, -0.5),
        ("Gold closed at 2300", 0.0, 0.0),
    ],
)
def test_vader_scores_tone(text: str, least: float, most: float) -> None:
    assert least <= vader()(text) <= most


@pytest.mark.fault("E13")
@pytest.mark.parametrize(
    ("row", "kind", "field"),
    [
        ({"created": 1.7e9, "body": "secret words"}, "comments", "created_utc"),
        ({"created_utc": 1.7e12, "body": "secret words"}, "comments", "created_utc"),
        ({"created_utc": 1.7e9, "text": "secret words"}, "comments", "body"),
        ({"created_utc": 1.7e9, "body": ["secret words"]}, "comments", "body"),
        ({"created_utc": 1.7e9, "title": "secret words"}, "new", "selftext"),
    ],
)
def test_a_field_that_is_wrong_is_named_and_its_words_are_not(
    row: dict[str, Any], kind: str, field: str
) -> None:
    with pytest.raises(FeedError, match=field) as caught:
        written_of(row, "a", kind)
    assert "secret words" not in str(caught.value)


def thing(kind: str, number: int, at: datetime, **data: object) -> dict[str, Any]:
    own = {
        "id": f"x{number}",
        "name": f"{kind}_x{number}",
        "created_utc": at.timestamp(),
        "author": "somebody",
    }
    return {"kind": kind, "data": {**own, "subreddit": "a", **data}}


def reddit(talk: Talk) -> None:
    """Speak Reddit's protocol: a token, a page of two posts with more behind, a page of comments."""
    asked = talk.asked
    listing: dict[str, Any] = {"kind": "Listing", "data": {"children": [], "after": None, "before": None}}
    if asked.path == "/api/v1/access_token":
        body: Any = {"access_token": "t", "token_type": "bearer", "expires_in": 86400, "scope": "*"}
    elif asked.path == "/r/a/new":
        more = asked.query.get("after") == "t3_x2"
        posts = [thing("t3", 3, END - 2 * HOUR, title="Silver", selftext="is bad")] if more else [
            thing("t3", 1, END - HOUR / 2, title="Gold", selftext="is great"),
            thing("t3", 2, END - HOUR, title="cats", selftext=""),
        ]  # fmt: skip
        body = {
            "kind": "Listing",
            "data": {"children": posts, "after": None if more else "t3_x2", "before": None},
        }
    else:
        listing["data"]["children"] = [thing("t1", 4, END - HOUR / 3, body="GLD is horrible")]
        body = listing
    reply(200, body, headers={"Content-Type": "application/json"})(talk)


LOGIN = {"client_id": "an-id", "client_secret": "a-secret-that-must-not-show"}


def test_praw_reads_posts_and_comments_by_the_page(tmp_path: Path) -> None:
    with serving(reddit) as vendor:
        login = RedditLogin(url=vendor.url, oauth_url=vendor.url, **LOGIN)
        found = praw_listing(login)(lambda source: harvest(source, ("a",), END - 25 * HOUR, END, vader()))
    assert {hour: dict(topics) for hour, topics in found.hours.items()} == {
        END - HOUR: {"GOLD": (2, pytest.approx(vader()("Gold\nis great") + vader()("GLD is horrible")))},
        END - 2 * HOUR: {"SILVER": (1, pytest.approx(vader()("Silver\nis bad")))},
    }
    assert found.whole_from == END - 25 * HOUR
    assert all(each.method == "GET" for each in vendor.asked if each.path != "/api/v1/access_token")


@pytest.mark.parametrize(
    "answer", [hang, reply(401, {"error": 401}), reply(403, {}), reply(200, b"<html>"), reply(200, [])]
)
def test_reddit_that_hangs_or_refuses_is_told_without_the_keys(answer: Any) -> None:
    with serving(answer) as vendor:
        login = RedditLogin(url=vendor.url, oauth_url=vendor.url, **LOGIN)
        lend = praw_listing(login, Line(0.8))
        with pytest.raises(FeedError, match="sentiment: Reddit did not answer") as caught:
            lend(lambda source: harvest(source, ("a",), END - HOUR, END, vader()))
    assert "must-not-show" not in str(caught.value) + repr(login)
    assert "feeds.sentiment.subs" in str(caught.value)
