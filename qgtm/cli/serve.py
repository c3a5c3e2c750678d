"""`qgtm serve`: the phone page, the API and, where Panel is installed, the live view."""

import logging
import socket
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import typer

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import StateDir, made_writable
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.proof import site_of
from qgtm.cli.options import ConfigPath, configured, say
from qgtm.config import Config
from qgtm.core.commands import Command
from qgtm.core.errors import ConfigError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from qgtm.web.desk import Desk
    from qgtm.web.gate import App
    from qgtm.web.operators import Office

LIVE: Final = "/live"
STOP_S: Final = 1  # of the three seconds that a stop may take, for answers on their way
Pictures = Annotated[
    bool, typer.Option("--live/--no-live", help="With the live view, where Panel is installed.")
]


def command(live: Pictures = True, config: ConfigPath = None) -> None:
    """Serve the phone page and the API, on loopback unless the configuration says otherwise."""
    loaded, state_dir = configured(config)
    listener = bound(loaded.web.host, loaded.web.port)
    has_live = live and all(find_spec(name) for name in ("panel", "bokeh_fastapi", "dashboards"))
    say(f"OpB's page: http://{_shown(loaded.web.host)}:{loaded.web.port}/   API: /api/health and more")
    say(f"State folder: {state_dir.root}. {_word(has_live)}Ctrl-C stops.")
    say(f"What only an operator may do: {site_of(loaded.web.origin, loaded.web.port).origins[0]}/acts")
    _run(application(loaded, state_dir, has_live=has_live), listener)


def application(config: Config, state_dir: StateDir, *, has_live: bool) -> "App":
    """Return everything that is served, behind its gate."""
    from qgtm.web.app import create_app, guarded
    from qgtm.web.desk import Desk
    from qgtm.web.gate import LOOPBACK, door_of
    from qgtm.web.lookout import Lookout

    desk, clock, web = Desk(Lookout(state_dir, config.limits)), SystemClock(), config.web
    office = _office(config, state_dir, desk, clock)
    app = create_app(desk, config.limits, live=LIVE if has_live else None, office=office)
    if has_live:
        mount_live(app, desk)
    names = [urlsplit(web.origin).netloc] if web.origin else []
    is_private = bool(web.origin) or web.host not in LOOPBACK
    return guarded(app, door_of(web.host, web.port, names), clock, office, is_private=is_private)


def _office(config: Config, state_dir: StateDir, desk: "Desk", clock: SystemClock) -> "Office":
    """Return what answers the operators' plain pages: the only part that writes."""
    from qgtm.web.operators import office_of

    inbox = Inbox(made_writable(state_dir).inbox)
    site = site_of(config.web.origin, config.web.port)

    def put(command: Command) -> None:
        inbox.put(command, str(getattr(command, "by", "page")), clock.now())

    return office_of(desk, site, state_dir.web, state_dir.secrets, put, clock)


def mount_live(app: "FastAPI", desk: "Desk") -> None:
    """Put the live view into the application."""
    import_module("dashboards.phone").mount(app, desk, LIVE)  # Panel takes two seconds, and may not be there


def bound(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address; raise ConfigError with the next step when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))  # it listens once everything is there to answer
    except OSError as problem:
        listener.close()
        raise ConfigError(
            f"the pages cannot listen on {host}:{port} ({problem.strerror or problem}): stop what listens "
            "there, or set web.port and web.host in the configuration."
        ) from problem
    return listener


def _run(app: "App", listener: socket.socket) -> None:
    import uvicorn

    logging.getLogger("bokeh").setLevel(logging.ERROR)
    settings = uvicorn.Config(
        app,
        log_level="warning",
        timeout_graceful_shutdown=STOP_S,
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=2**18,
        proxy_headers=False,
    )
    with listener:
        uvicorn.Server(settings).run(sockets=[listener])


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _word(has_live: bool) -> str:
    return "" if has_live else "Without Panel the page draws its own pictures. "
