"""Reddit's front: real praw on real sockets, nothing from the future, and a tone that follows the prices."""

import base64
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import praw
import pytest
from prawcore.exceptions import ResponseException, TooManyRequests
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from qgtm.exchange.core import Exchange
from qgtm.exchange.market.macro import Macro
from qgtm.exchange.market.synthetic import SyntheticMarket
from qgtm.exchange.market.talk import Talk
from tests.exchange.asking import NOW, Asker, asker
from tests.exchange.market.bent import BentMarket
from tests.exchange.sockets import Live, live


def client(served: Live) -> praw.Reddit:
    return praw.Reddit(
        client_id="any", client_secret="any", user_agent="test", check_for_updates=False,
        reddit_url=served.url, oauth_url=served.url, ratelimit_seconds=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def served() -> Iterator[Live]:
    with live(Exchange(SyntheticMarket(7), start=NOW)) as found:
        yield found


@pytest.fixture
def reddit(served: Live) -> Iterator[praw.Reddit]:
    found = client(served)
    yield found
    found._core.close()


def test_praw_pages_through_a_thousand_posts_and_comments_and_no_more(reddit: praw.Reddit) -> None:
    posts = list(reddit.subreddit("Gold").new(limit=None))
    comments = list(reddit.subreddit("Silverbugs").comments(limit=None))
    assert [len(posts), len(comments)] == [1000, 1000]
    assert len({post.id for post in posts}) == 1000
    for notes in (posts, comments):
        made = [note.created_utc for note in notes]
        assert made == sorted(made, reverse=True)
        assert made[0] <= NOW.timestamp()
        assert NOW.timestamp() - made[0] < 6 * 3600
    assert all(post.title and post.selftext for post in posts)
    assert all(comment.body for comment in comments)
    assert str(posts[0].subreddit).lower() == "gold"
    assert reddit.auth.limits["remaining"] is not None
    assert reddit.auth.limits["remaining"] < 1000


def test_several_subs_come_in_one_listing(reddit: praw.Reddit) -> None:
    both = {note.id for note in reddit.subreddit("Gold+wallstreetbets").comments(limit=100)}
    each = {
        note.id for sub in ("Gold", "wallstreetbets") for note in reddit.subreddit(sub).comments(limit=100)
    }
    assert len(both) == 100
    assert both <= each


def test_listing_goes_on_after_a_name_while_new_ones_come() -> None:
    ask = asker()
    expected = listing(ask, "gold", "comments", limit=100)["children"]
    listed, after = [], ""
    for _ in range(4):
        page = listing(ask, "gold", "comments", limit=25, after=after)
        listed += [child["data"]["name"] for child in page["children"]]
        after = page["after"]
        ask.now += timedelta(minutes=20)  # what is written meanwhile comes before, and moves no page
    assert len(set(listed)) == 100
    assert listed == [child["data"]["name"] for child in expected]


def token(ask: Asker) -> str:
    pair = base64.b64encode(b"id:secret").decode()
    body = ask.answer(
        "/api/v1/access_token", "POST", b"grant_type=client_credentials", authorization=f"Basic {pair}"
    ).body
    return str(body["access_token"])


def listing(ask: Asker, sub: str, kind: str, **query: object) -> dict:  # type: ignore[type-arg]
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = ask.answer(f"/r/{sub}/{kind}?{text}", authorization=f"bearer {token(ask)}")
    assert answer.status == 200
    data: dict = answer.body["data"]  # type: ignore[type-arg]
    return data


def test_without_a_token_or_an_application_nothing_is_told() -> None:
    ask = asker()
    assert ask.answer("/r/gold/new").status == 401
    assert ask.answer("/r/gold/new", authorization="bearer wrong").status == 401
    assert ask.answer("/api/v1/access_token", "POST", b"grant_type=client_credentials").status == 401
    pair = base64.b64encode(b"id:secret").decode()
    answer = ask.answer("/api/v1/access_token", "POST", b"grant_type=magic", authorization=f"Basic {pair}")
    assert answer.body == {"error": "unsupported_grant_type"}
    assert ask.answer("/r/gold/hot", authorization=f"bearer {token(ask)}").status == 404


def test_too_many_calls_make_praw_say_so(served: Live) -> None:
    served.control("faults", stage="before_apply", action="429", path="/r/.*", count=None)
    found = client(served)
    try:
        with pytest.raises((TooManyRequests, ResponseException)):
            list(found.subreddit("Gold").new(limit=5))
    finally:
        served.control("faults", clear=True)
        found._core.close()


def test_later_moment_adds_notes_and_changes_none() -> None:
    talk = Talk(Macro(SyntheticMarket(7), 7), 7)
    later = NOW + timedelta(hours=30)
    after = talk.newest("comment", ["gold"], later, 1000)
    before = Talk(Macro(SyntheticMarket(7), 7), 7).newest("comment", ["gold"], NOW, 300)
    assert [note for note in after if note.at <= NOW][:300] == before


def test_notes_of_a_day_know_nothing_of_its_close() -> None:
    since = date(2019, 6, 27)
    bent = BentMarket(SyntheticMarket(7), since, lambda _, price: price * Decimal("0.9"))
    straight, other = (
        Talk(Macro(market, 7), 7).newest("comment", ["gold"], NOW, 900)  # type: ignore[arg-type]
        for market in (SyntheticMarket(7), bent)
    )
    close = datetime(2019, 6, 27, 20, tzinfo=UTC)
    assert [n for n in straight if n.at < close][:400] == [n for n in other if n.at < close][:400]
    assert [n for n in straight if n.at > close] != [n for n in other if n.at > close]


def test_vader_hears_the_last_returns_and_counts_rise_with_their_size() -> None:
    score = SentimentIntensityAnalyzer()
    macro = Macro(SyntheticMarket(7), 7)
    talk = Talk(macro, 7)
    rows = [row for row in macro.until(NOW) if row.day.year == 2018]
    tones, counts, moves = [], [], []
    for row, after in pairwise(rows):
        end = datetime(after.day.year, after.day.month, after.day.day, 13, 30, tzinfo=UTC)
        start = datetime(row.day.year, row.day.month, row.day.day, 21, tzinfo=UTC)
        notes = [n for n in talk.newest("comment", ["gold"], end, 400) if n.at > start]
        gold = [n.text for n in notes if "gold" in n.text.lower() or "GLD" in n.text]
        if len(gold) > 5:
            tones.append(np.mean([score.polarity_scores(text)["compound"] for text in gold]))
            counts.append(len(notes) / ((end - start) / timedelta(hours=1)))
            moves.append(row.returns["GLD"])
    assert len(tones) > 200
    assert np.corrcoef(tones, moves)[0, 1] > 0.4
    assert np.corrcoef(counts, np.abs(moves))[0, 1] > 0.2
    assert 0.05 < np.std(tones) < 0.5
