"""The phone's live view: plain values in, panes out, and the page that Panel makes of them."""

import asyncio
from datetime import UTC, date, datetime

import pytest

pn = pytest.importorskip("panel", reason="the live view needs the `dash` extra")

from bokeh.models import ColumnDataSource, VArea  # noqa: E402

from dashboards._store import DataStore, phone_state  # noqa: E402
from dashboards._style import DARK, LIGHT, numbers_css, palette  # noqa: E402
from dashboards._views import columns, drawdown_picture, equity_picture, numbers_html  # noqa: E402
from qgtm.views.chronicle import Chronicle  # noqa: E402
from qgtm.web.app import create_app, guarded  # noqa: E402
from qgtm.web.desk import Desk  # noqa: E402
from qgtm.web.gate import door_of  # noqa: E402
from tests.views.told import LIMITS, closed, live, opened, sample, told, traded  # noqa: E402
from tests.web.seen import WALL, Pretended, fetched, look_at  # noqa: E402

TUESDAY = date(2026, 3, 3)


def fund() -> Chronicle:
    return told(
        live(),
        opened(),
        traded("GLD", 100, "180"),
        closed(GLD=181.0),
        closed(TUESDAY, GLD=170.0),
        start=datetime(2026, 3, 4, 15, tzinfo=UTC),
    )


def test_columns_hold_each_close_and_the_present_sample() -> None:
    chronicle = fund()
    chronicle.take(sample("99100", "99000", GLD="171"), datetime(2026, 3, 4, 16, tzinfo=UTC))
    state = phone_state(look_at(chronicle))
    assert state.equity_usd == (100_100.0, 99_000.0, 99_100.0)
    assert state.below_peak[:2] == pytest.approx((0.0, 99_000 / 100_100 - 1))
    assert state.closed_at[-1] == datetime(2026, 3, 4, 16, tzinfo=UTC)


def test_columns_are_of_one_length_and_empty_for_a_fund_that_never_ran() -> None:
    empty = columns(phone_state(look_at(Chronicle(), age_s=None)))
    full = columns(phone_state(look_at(fund())))
    assert {len(column) for column in empty.values()} == {0}
    assert len({len(column) for column in full.values()}) == 1


def test_store_asks_the_desk() -> None:
    look = look_at(fund())
    assert asyncio.run(DataStore(Desk(Pretended(look))).phone()) == phone_state(look)


def test_numbers_say_account_day_and_fall() -> None:
    chronicle = fund()
    chronicle.take(sample("99100", "99500", GLD="171"), datetime(2026, 3, 4, 16, tzinfo=UTC))
    text = numbers_html(phone_state(look_at(chronicle)))
    assert "$99,100.00" in text
    assert '<span class="down">−$400 (−0.40%)</span>' in text


def test_numbers_that_are_not_known_say_so() -> None:
    assert numbers_html(phone_state(look_at(Chronicle(), age_s=None))).count("unknown") >= 3


def test_pictures_draw_their_own_column() -> None:
    source = ColumnDataSource(columns(phone_state(look_at(fund()))))
    [line] = equity_picture(source, LIGHT).renderers
    [area] = drawdown_picture(source, LIGHT).renderers
    assert line.glyph.y == "equity_usd"
    assert isinstance(area.glyph, VArea)
    assert area.glyph.y2 == "below_peak"


@pytest.mark.parametrize(
    ("arguments", "colours"), [({"theme": [b"dark"]}, DARK), ({}, LIGHT), ({"theme": [b"<x>"]}, LIGHT)]
)
def test_theme_is_one_of_two_whatever_the_address_says(
    arguments: dict[str, list[bytes]], colours: object
) -> None:
    assert palette(arguments) is colours


def test_numbers_turn_pale_by_themselves_after_ninety_seconds() -> None:
    assert "animation:pale 1ms linear 90s forwards" in numbers_css(LIGHT, 90)


# Panel 1.9 builds Tornado's request the old way, which Tornado 6.7 will refuse (the lock holds an older one).
@pytest.mark.filterwarnings("ignore:.* HTTPServerRequest .* in Tornado 6.7:DeprecationWarning")
def test_live_page_is_served_behind_the_gate_from_this_server_alone() -> None:
    from dashboards.phone import mount

    desk = Desk(Pretended(look_at(fund())))
    app = create_app(desk, LIMITS, live="/live")
    mount(app, desk, "/live")
    from qgtm.adapters.clock import ManualClock

    served = guarded(app, door_of("127.0.0.1", 8700), ManualClock(WALL))
    reply = asyncio.run(fetched(served, "/live?theme=dark"))
    assert reply.status_code == 200
    assert "frame-ancestors 'self'" in reply.headers["content-security-policy"]
    assert "cdn." not in reply.text
    assert list(app.openapi()["paths"]) == [
        path for path in app.openapi()["paths"] if path.startswith("/api/")
    ]
    assert asyncio.run(fetched(served, "/components/x/y/z.js")).status_code == 404
    assert asyncio.run(fetched(served, "/")).text.count('data-live="/live"') == 1
