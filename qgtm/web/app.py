"""The web application: OpB's page, the API, and the operators' plain pages, which alone write."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from qgtm import __version__
from qgtm.core.errors import JournalError
from qgtm.ports import Clock
from qgtm.risk.limits import Limits
from qgtm.views.performance import performance
from qgtm.web.api import router
from qgtm.web.asset import FOREVER, Packed, asset, takes_gzip
from qgtm.web.desk import Desk
from qgtm.web.gate import App, Door, Gate, Meter
from qgtm.web.lookout import Look
from qgtm.web.office import Office
from qgtm.web.operators import OPEN, WRITES, add_operators
from qgtm.web.page import ageing, phone_page, policy, style

REQUESTS_A_MINUTE: Final = 60
ALERTS_SHOWN: Final = 8


def create_app(desk: Desk, limits: Limits, live: str | None = None, office: Office | None = None) -> FastAPI:
    """Return the application; `live` is where the live view will be mounted, None for none.

    `office` answers the operators' plain pages; without it nobody can act here.
    """

    @asynccontextmanager
    async def alive(app: FastAPI) -> AsyncIterator[None]:
        yield
        desk.close()
        if office:
            office.close()

    app = FastAPI(
        title="QGTM",
        version=__version__,
        docs_url=None,  # they load their scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=alive,
    )
    app.include_router(router(desk, limits))
    app.add_exception_handler(HTTPException, _refused)
    _add_page(app, desk, live)
    if office:
        add_operators(app, office)
    return app


def guarded(
    app: App,
    door: Door,
    clock: Clock,
    office: Office | None = None,
    *,
    is_private: bool = False,
    is_https: bool = False,
) -> App:
    """Return the application behind its gate, with packed scripts; only operators read a private one.

    Without an office nobody can be told from a stranger, so nobody reads a private one.
    """
    meter = Meter(clock, REQUESTS_A_MINUTE)
    forms = WRITES if office else ()
    knows = (office.knows if office else _nobody) if is_private else None
    return Gate(Packed(app), door, meter, forms=forms, lets_in=knows, open_to_all=OPEN, is_https=is_https)


async def _nobody(cookies: str) -> bool:
    raise JournalError("the record of who is signed in cannot be used: see what `qgtm serve` said")


def _add_page(app: FastAPI, desk: Desk, live: str | None) -> None:
    script = asset("phone.js", "text/javascript")

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def phone(request: Request) -> Response:
        text, rules = await desk.ask(lambda look: _page(look, script.path, live))
        headers = {"content-security-policy": rules, "vary": "accept-encoding"}
        body = text.encode()
        if takes_gzip(request.scope):
            body, headers["content-encoding"] = gzip.compress(body, 6, mtime=0), "gzip"
        return Response(body, media_type="text/html", headers=headers)

    @app.get(script.path, include_in_schema=False)
    async def phone_script() -> Response:
        return Response(script.content, media_type=script.kind, headers={"cache-control": FOREVER.decode()})


def _page(look: Look, script: str, live: str | None) -> tuple[str, str]:
    points = performance(look.chronicle.ledger.closes).points
    alerts = list(look.chronicle.alerts)[-ALERTS_SHOWN:]
    text = phone_page(look.summary, points, alerts, look.wall_at, script=script, live=live)
    return text, policy(style(), ageing(look.summary.heartbeat_age_s))


async def _refused(request: Request, problem: Exception) -> Response:
    status = problem.status_code if isinstance(problem, HTTPException) else 500
    said = {404: "there is no such page; / is OpB's page, /api/openapi.json lists the rest"}
    return JSONResponse({"error": said.get(status, "this cannot be answered")}, status)
