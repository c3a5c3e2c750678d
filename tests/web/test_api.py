"""The API: schemas, numbers, ETag, and no difference from the status box and the page."""

import asyncio
import json
import re
from datetime import date
from typing import Any

import pytest

from qgtm.views.chronicle import Chronicle
from qgtm.views.summary import status_fields
from qgtm.web import api
from qgtm.web.lookout import Look
from tests.views.told import closed, live, opened, sample, targets, told, traded, views
from tests.web.seen import fetched, look_at, served

TUESDAY = date(2026, 3, 3)
ROUTES = {
    "/api/health": api.Health,
    "/api/signals/active": api.ActiveSignal,
    "/api/signals/pending": api.PendingSignal,
    "/api/signals/history": api.PastSignal,
    "/api/performance": api.Record,
}


def fund() -> Chronicle:
    return told(
        live(),
        closed(GLD=179.0, SLV=20.0),
        views(tsmom={"GLD": 0.5, "SLV": -0.25}),
        opened(TUESDAY),
        traded("GLD", 100, "180", tsmom=100),
        sample("100412", "100000", GLD="184.12"),
        closed(TUESDAY, GLD=185.0, SLV=19.0),
        views(TUESDAY, tsmom={"GLD": 0.5, "SLV": 0.0}),
        targets(TUESDAY, GLD=0.25),
    )


def asked(path: str, look: Look | None = None, **headers: str) -> Any:
    return asyncio.run(
        fetched(served(look or look_at(fund())), path, {k.replace("_", "-"): v for k, v in headers.items()})
    )


@pytest.mark.parametrize("path", ROUTES)
def test_answer_keeps_its_schema(path: str) -> None:
    reply = asked(path)
    rows = reply.json() if isinstance(reply.json(), list) else [reply.json()]
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    assert rows
    for row in rows:
        ROUTES[path].model_validate_json(json.dumps(row))


@pytest.mark.parametrize("path", ROUTES)
def test_answer_of_a_fund_that_never_ran_is_valid_too(path: str) -> None:
    assert asked(path, look_at(Chronicle(), age_s=None)).status_code == 200


def test_health_is_reduced_to_what_anybody_may_know() -> None:
    assert asked("/api/health").json() == {"dot": "green", "daemon": "running", "heartbeat_age_s": 2}


def test_active_signal_tells_its_move_and_its_own_profit() -> None:
    # 100 shares at 180, now 185; the close it arose from was 179
    [row] = asked("/api/signals/active").json()
    assert (row["symbol"], row["direction"], row["entry_price_usd"], row["price_usd"]) == (
        "GLD",
        "long",
        179.0,
        185.0,
    )
    assert row["pnl_usd"] == 500.0
    assert row["move_frac"] == pytest.approx(185 / 179 - 1)


def test_history_tells_the_outcome_of_an_ended_signal() -> None:
    [row] = asked("/api/signals/history").json()
    assert (row["symbol"], row["direction"], row["exit_price_usd"], row["pnl_usd"]) == (
        "SLV",
        "short",
        19.0,
        0.0,
    )
    assert row["move_frac"] == pytest.approx(0.05)


@pytest.mark.parametrize(("limit", "status"), [("0", 422), ("1001", 422), ("x", 422), ("1", 200)])
def test_history_takes_a_limit_within_bounds(limit: str, status: int) -> None:
    assert asked(f"/api/signals/history?limit={limit}").status_code == status


def test_pending_signal_tells_wanted_and_held_weight() -> None:
    [row] = asked("/api/signals/pending").json()
    assert (row["symbol"], row["side"], row["wanted_frac"], row["strategies"]) == (
        "GLD",
        "buy",
        0.25,
        ["tsmom"],
    )
    assert row["held_frac"] == pytest.approx(100 * 185 / 100_412)


@pytest.mark.mistake(20)
def test_performance_agrees_with_the_status_box() -> None:
    look = look_at(fund())
    record, status = asked("/api/performance", look).json(), status_fields(look.summary)
    same = ("pnl_day_usd", "pnl_day_frac", "drawdown_frac")
    assert {key: record[key] for key in same} == {key: status[key] for key in same}
    assert record["by_strategy_usd"] == {"tsmom": 500.0}
    assert record["closes"][-1]["equity_usd"] == 100_500.0


@pytest.mark.parametrize("path", ROUTES)
def test_etag_that_is_sent_back_is_answered_with_304_and_no_body(path: str) -> None:
    tag = asked(path).headers["etag"]
    again = asked(path, if_none_match=f'"other", W/{tag}')
    assert (again.status_code, again.content) == (304, b"")
    assert asked(path, if_none_match='"other"').status_code == 200


@pytest.mark.parametrize("path", [*ROUTES, "/", "/api/openapi.json"])
def test_answer_is_kept_by_nobody(path: str) -> None:
    assert asked(path).headers["cache-control"] == "no-store"


def test_schema_lists_the_five_questions_and_only_gets() -> None:
    paths = asked("/api/openapi.json").json()["paths"]
    assert sorted(paths) == sorted(ROUTES)
    assert {method for path in paths.values() for method in path} == {"get"}


def test_no_route_takes_anything_but_get_and_head() -> None:
    from qgtm.web.app import create_app
    from qgtm.web.desk import Desk
    from tests.views.told import LIMITS
    from tests.web.seen import Pretended

    app = create_app(Desk(Pretended(look_at(fund()))), LIMITS)
    methods = {method for route in app.routes for method in getattr(route, "methods", None) or ()}
    assert methods == {"GET", "HEAD"}


@pytest.mark.fault("J13")
@pytest.mark.invariant("V27")
@pytest.mark.parametrize("path", ["/", "/api/performance"])
def test_failure_is_told_without_a_trace(path: str) -> None:
    broken = served(look_at(fund()), problem=ZeroDivisionError("secret detail"))
    reply = asyncio.run(fetched(broken, path))
    assert (reply.status_code, "secret" in reply.text) == (500, False)
    assert "request 1" in reply.json()["error"]


def test_page_goes_out_packed_where_the_browser_can_unpack() -> None:
    assert asked("/", accept_encoding="gzip").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in asked("/", accept_encoding="identity").headers


def test_page_answers_head_for_monitors() -> None:
    reply = asyncio.run(fetched(served(look_at(fund())), "/", method="HEAD"))
    assert reply.status_code == 200


def test_script_is_kept_for_ever_under_an_address_that_names_its_content() -> None:
    address = re.search(r'src="(/assets/phone\.[0-9a-f]{16}\.js)"', asked("/").text)
    assert address is not None
    reply = asked(address.group(1))
    assert (reply.status_code, "immutable" in reply.headers["cache-control"]) == (200, True)
