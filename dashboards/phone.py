"""The live view behind the phone's first page: numbers, account and fall, renewed while somebody looks.

It comes in an iframe after the page has been painted, so its megabytes delay nothing. No widget here has
a side effect: a callback from the browser could only ask for the same values again.
"""

from functools import partial
from typing import Any, Final

import panel as pn
from bokeh.models import ColumnDataSource
from bokeh.util.token import generate_secret_key
from fastapi import FastAPI
from panel.io.fastapi import add_applications

from dashboards._store import DataStore, PhoneState
from dashboards._style import numbers_css, page_css, palette
from dashboards._views import columns, drawdown_picture, equity_picture, numbers_html
from qgtm.risk.health import PARAMS as HEALTH
from qgtm.web.desk import Desk

RENEW_MS: Final = 5000


def mount(app: FastAPI, desk: Desk, path: str) -> None:
    """Put the live view into `app` at `path`."""
    store = DataStore(desk)
    add_applications(
        {path: lambda: phone_view(store)},
        app=app,
        title="QGTM, live",
        sign_sessions=True,  # so that nobody makes up a session; the key lives as long as the server
        secret_key=generate_secret_key().encode(),
        include_headers=[],
        include_cookies=[],
    )
    # Panel also offers the files of custom components, which this view has none of.
    routes = [route for route in app.router.routes if not _path(route).startswith("/components/")]
    app.router.routes[:] = routes
    for route in routes:
        if _path(route) == path:
            route.include_in_schema = False


def _path(route: Any) -> str:
    return str(getattr(route, "path", ""))


def phone_view(store: DataStore) -> pn.Column:
    """Return one visitor's view; it fills as soon as the page stands, and renews itself."""
    colours = palette(pn.state.session_args)
    pn.config.raw_css = [page_css(colours)]
    numbers = pn.pane.HTML(
        "", stylesheets=[numbers_css(colours, HEALTH.heartbeat_age_s)], margin=0, sizing_mode="stretch_width"
    )
    source = ColumnDataSource({name: [] for name in ("at", "equity_usd", "below_peak", "zero")})
    pictures = [
        pn.pane.Bokeh(drawn, margin=0, sizing_mode="stretch_width")
        for drawn in (equity_picture(source, colours), drawdown_picture(source, colours))
    ]

    document = pn.state.curdoc

    async def renew() -> None:
        # What is shown may only change under the document's lock, which an await lets go.
        document.add_next_tick_callback(partial(show, await store.phone()))

    def show(state: PhoneState) -> None:
        numbers.object = numbers_html(state)
        source.data = columns(state)

    pn.state.onload(renew)
    pn.state.add_periodic_callback(renew, period=RENEW_MS)
    return pn.Column(numbers, *pictures, sizing_mode="stretch_width", margin=0)
