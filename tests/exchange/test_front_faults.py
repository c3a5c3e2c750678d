"""What goes wrong at the other vendors, by the control port: each fault at each front, over real sockets."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from qgtm.exchange.core import Exchange
from qgtm.exchange.fault import FaultTable
from qgtm.exchange.market.synthetic import SyntheticMarket
from tests.exchange.asking import NOW
from tests.exchange.sockets import Live, live

FRED = "/fred/series/observations?api_key=k&file_type=json&series_id=DGS10"
CFTC = "/resource/72hh-3qpy.json?$limit=50&$order=report_date_as_yyyy_mm_dd DESC"
REDDIT = "/r/gold/comments?limit=50"
FRONTS = {"/fred/.*": FRED, "/resource/.*": CFTC, "/r/.*": REDDIT}
EACH = pytest.mark.parametrize(("path", "asked"), list(FRONTS.items()))


@pytest.fixture(scope="module")
def running() -> Iterator[Live]:
    with live(Exchange(SyntheticMarket(7), start=NOW)) as found:
        yield found


@pytest.fixture
def served(running: Live) -> Iterator[Live]:
    yield running
    running.control("faults", clear=True)


def token(served: Live) -> str:
    pair = base64.b64encode(b"id:secret").decode()
    with requests.post(
        f"{served.url}/api/v1/access_token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {pair}"},
        timeout=5,
    ) as answer:
        return str(answer.json()["access_token"])


def ask(served: Live, asked: str, timeout: float = 5.0) -> requests.Response:
    headers = {"Authorization": f"bearer {token(served)}"} if asked.startswith("/r/") else {}
    with requests.get(served.url + asked, headers=headers, timeout=timeout) as answer:
        assert answer.content is not None
        return answer


def rows(body: Any) -> list[dict[str, Any]]:
    if isinstance(body, list):
        return body
    if "observations" in body:
        return list(body["observations"])
    return [child["data"] for child in body["data"]["children"]]


@EACH
@pytest.mark.parametrize("action", ["refuse", "drop"])
def test_front_that_is_down_gives_no_answer(served: Live, path: str, asked: str, action: str) -> None:
    served.control("faults", stage="before_apply", action=action, path=path)
    with pytest.raises(requests.ConnectionError):
        ask(served, asked)
    assert ask(served, asked).status_code == 200


@EACH
def test_front_that_hangs_outlasts_the_client(served: Live, path: str, asked: str) -> None:
    served.control("faults", stage="before_apply", action="hang", path=path, seconds=20)
    with pytest.raises(requests.Timeout):
        ask(served, asked, timeout=0.2)


@EACH
def test_front_that_fails_says_so(served: Live, path: str, asked: str) -> None:
    served.control("faults", stage="before_apply", action="status", path=path, status=500, body={"e": 1})
    assert ask(served, asked).status_code == 500


def test_limit_is_told_in_each_vendors_words(served: Live) -> None:
    bodies = []
    for path, asked in FRONTS.items():
        served.control("faults", stage="before_apply", action="429", path=path)
        answer = ask(served, asked)
        assert answer.status_code == 429
        bodies.append(answer.json())
    assert bodies[0] == {"error_code": 429, "error_message": "Too Many Requests.  Exceeded Rate Limit"}
    assert bodies[1]["error"] is True
    assert bodies[2] == {"message": "Too Many Requests", "error": 429}


@EACH
@pytest.mark.parametrize("action", ["garbled", "html", "empty"])
def test_answer_that_is_no_json_cannot_be_taken_for_one(
    served: Live, path: str, asked: str, action: str
) -> None:
    served.control("faults", stage="during_reply", action=action, path=path)
    answer = ask(served, asked)
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        json.loads(answer.content)


def test_garbled_yearly_file_is_no_archive(served: Live) -> None:
    served.control("faults", stage="during_reply", action="garbled", path="/files/.*")
    content = ask(served, "/files/dea/history/fut_disagg_txt_2018.zip").content
    assert content
    assert not content.startswith(b"PK")


@EACH
def test_half_of_the_rows_are_missing(served: Live, path: str, asked: str) -> None:
    whole = rows(ask(served, asked).json())
    served.control("faults", stage="during_reply", action="half", path=path)
    assert rows(ask(served, asked).json()) == whole[::2]


@pytest.mark.parametrize(
    ("path", "asked", "old", "new"),
    [
        ("/fred/.*", FRED, "value", "val"),
        ("/resource/.*", CFTC, "m_money_positions_long_all", "mm_positions_long_all"),
        ("/r/.*", REDDIT, "created_utc", "created_at"),
    ],
)
def test_field_has_another_name_by_itself_or_as_told(
    served: Live, path: str, asked: str, old: str, new: str
) -> None:
    served.control("faults", stage="during_reply", action="rename", path=path)
    found = rows(ask(served, asked).json())
    assert all(new in row and old not in row for row in found)
    served.control("faults", stage="during_reply", action="rename", path=path, body={"from": old, "to": "x"})
    assert all("x" in row and old not in row for row in rows(ask(served, asked).json()))


@pytest.mark.parametrize(
    ("path", "asked", "field", "factor"),
    [
        ("/fred/.*", FRED, "value", 100),
        ("/resource/.*", CFTC, "open_interest_all", 100),
        ("/r/.*", REDDIT, "created_utc", 1000),
    ],
)
def test_unit_is_another(served: Live, path: str, asked: str, field: str, factor: int) -> None:
    before = rows(ask(served, asked).json())
    served.control("faults", stage="during_reply", action="scale", path=path)
    after = rows(ask(served, asked).json())
    numbers = [(a[field], b[field]) for a, b in zip(before, after, strict=True) if a[field] != "."]
    assert numbers
    for one, other in numbers:
        assert float(other) == pytest.approx(factor * float(one))
        assert type(one) is type(other)
    assert [row[field] for row in after if row[field] == "."] == [r[field] for r in before if r[field] == "."]


def test_scale_multiplies_what_it_is_told_to(served: Live) -> None:
    wanted = {"fields": ["impliedVolatility"], "factor": 100}
    chain = "/v1beta1/options/snapshots/GLD?limit=50"
    keys = {"APCA-API-KEY-ID": "a", "APCA-API-SECRET-KEY": "b"}

    def volatilities() -> list[float]:
        with requests.get(served.url + chain, headers=keys, timeout=5) as answer:
            shots = answer.json()["snapshots"].values()
        return [shot["impliedVolatility"] for shot in shots if "impliedVolatility" in shot]

    before = volatilities()
    served.control("faults", stage="during_reply", action="scale", path="/v1beta1/options/.*", body=wanted)
    assert volatilities() == pytest.approx([100 * value for value in before])


def test_endless_pages_come_under_new_tokens(served: Live) -> None:
    served.control("faults", stage="during_reply", action="endless", path="/r/.*", count=None)
    first = ask(served, REDDIT).json()["data"]
    second = ask(served, f"{REDDIT}&after={first['after']}").json()["data"]
    assert second["children"] == first["children"]
    assert None not in (first["after"], second["after"])
    assert first["after"] != second["after"]


def test_endless_observations_have_always_more_to_come(served: Live) -> None:
    served.control("faults", stage="during_reply", action="endless", path="/fred/.*", count=None)
    first = ask(served, f"{FRED}&limit=100").json()
    second = ask(served, f"{FRED}&limit=100&offset=100").json()
    assert first["observations"] == second["observations"]
    assert min(first["count"], second["count"]) > 200


def test_endless_table_gives_the_first_page_at_any_offset(served: Live) -> None:
    served.control("faults", stage="during_reply", action="endless", path="/resource/.*", count=None)
    assert ask(served, f"{CFTC}&$offset=100").json() == ask(served, CFTC).json()


def test_stale_front_publishes_nothing_new_until_it_is_cleared() -> None:
    with live(Exchange(SyntheticMarket(7), start=NOW)) as served:
        for path in FRONTS:
            served.control("faults", stage="during_reply", action="stale", path=path, count=None, name=path)
        before = {path: ask(served, asked).json() for path, asked in FRONTS.items()}
        served.later(timedelta(days=8).total_seconds())
        for path, asked in FRONTS.items():
            assert rows(ask(served, asked).json())[0] == rows(before[path])[0]
        assert rows(ask(served, FRED).json())[-1]["date"] == "2019-06-26"
        served.control("faults", clear=True)
        assert rows(ask(served, FRED).json())[-1]["date"] == "2019-07-04"
        assert rows(ask(served, CFTC).json())[0]["report_date_as_yyyy_mm_dd"] == "2019-06-25T00:00:00.000"
        assert rows(ask(served, REDDIT).json())[0] != rows(before["/r/.*"])[0]
        served.control("faults", stage="during_reply", action="stale", path="/fred/.*", name="/fred/.*")
        assert rows(ask(served, FRED).json())[-1]["date"] == "2019-07-04"  # a new fault, from now on


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"stage": "before_apply", "action": "stale"}, "during_reply"),
        ({"stage": "after_apply", "action": "half"}, "during_reply"),
        ({"stage": "during_reply", "action": "rename", "body": {"from": "a", "into": "b"}}, "from, to"),
        ({"stage": "during_reply", "action": "rename", "body": "value"}, "object"),
        ({"stage": "during_reply", "action": "rename", "body": {"from": 5}}, "from"),
        ({"stage": "during_reply", "action": "scale", "body": {"factor": True}}, "factor"),
        ({"stage": "during_reply", "action": "scale", "body": {"fields": "value"}}, "fields"),
    ],
)
def test_mutation_that_cannot_be_is_refused_with_a_sentence(body: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        FaultTable(seed=1).add(body)
