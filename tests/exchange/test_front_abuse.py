"""Whatever a client sends to a front, it gets an answer in the vendor's form, never an exception."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exchange.asking import Asker, asker

ASK = asker()
TABLE = "/resource/72hh-3qpy.json"
words = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        "json 1 -1 ² ٣ 9999-12-31 0001-01-01 2019-06-01 2019-W01-1 1e9 NaN desc lin 4 2 DGS10".split()
    ),
    st.sampled_from(["9" * 5000, "2019-01-01,2019-02-01", ",,", "t1_zzz", "t1_", "*"]),
)
fred_queries = st.dictionaries(
    st.sampled_from(
        "realtime_start realtime_end observation_start observation_end units output_type limit offset "
        "sort_order vintage_dates release_id series_id include_release_dates_with_no_data".split()
    ),
    words,
    max_size=4,
)
parts = st.sampled_from(
    "( ) and or not in between like is null upper( commodity open_interest_all 'GOLD' 'x 5 - = <> <= , "
    "starts_with( report_date_as_yyyy_mm_dd '2019-01-01' ; \\ % É".split()
)
wheres = st.lists(parts, max_size=12).map(" ".join)


@given(
    st.sampled_from(
        "series series/observations series/vintagedates series/release release/dates releases/dates x".split()
    ),
    fred_queries,
)
@settings(max_examples=200)
def test_fred_answers_anything_in_its_own_form(what: str, query: dict[str, str]) -> None:
    whole = {"api_key": "k", "file_type": "json", "series_id": "WALCL", **query}
    answer = ASK.answer(f"/fred/{what}?{urlencode(whole)}")
    assert answer.status in (200, 400, 404)
    body = json.loads(answer.content())
    assert answer.status == 200 or set(body) == {"error_code", "error_message"}


@given(
    wheres, st.one_of(st.none(), words), st.sampled_from(["$select", "$order", "$limit", "$offset", "code"])
)
@settings(max_examples=300)
def test_table_answers_anything_in_its_own_form(where: str, word: str | None, name: str) -> None:
    query = {"$where": where} if word is None else {"$where": where, name: word}
    answer = ASK.answer(f"{TABLE}?{urlencode(query)}")
    assert answer.status in (200, 400)
    body = json.loads(answer.content())
    assert isinstance(body, list) if answer.status == 200 else body["error"] is True


@pytest.mark.parametrize(
    "where", ["(" * 900 + "commodity = 'GOLD'", "not " * 1900 + "commodity = 'GOLD'", "a" * 60000]
)
def test_condition_that_is_nested_without_end_is_refused(where: str) -> None:
    answer = ASK.answer(f"{TABLE}?{urlencode({'$where': where})}")
    assert answer.status == 400


@given(st.sampled_from(["new", "comments", "hot", ""]), st.text(max_size=8), st.dictionaries(
    st.sampled_from(["limit", "after", "before", "raw_json"]), words, max_size=3))  # fmt: skip
def test_reddit_answers_anything(kind: str, sub: str, query: dict[str, str]) -> None:
    answer = ASK.answer(
        f"/r/{sub.replace('?', '')}/{kind}?{urlencode(query)}", authorization=f"bearer {TOKEN}"
    )
    assert answer.status in (200, 404)


@given(
    st.sampled_from(["GET", "POST", "DELETE"]),
    st.one_of(st.binary(max_size=20), st.just(b"grant_type=password")),
    st.text(max_size=10),
)
def test_token_is_given_for_an_application_alone(method: str, body: bytes, header: str) -> None:
    answer = ASK.answer("/api/v1/access_token", method, body, authorization=header)
    assert answer.status == 401


def _token(ask: Asker) -> Any:
    pair = base64.b64encode(b"id:").decode()
    answer = ask.answer("/api/v1/access_token", "POST", b"grant_type=password", authorization=f"Basic {pair}")
    return answer.body["access_token"]


TOKEN = _token(ASK)
