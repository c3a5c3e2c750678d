"""`qgtm serve`: the phone page, the API and, where Panel is installed, the live view."""

import logging
import socket
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import typer

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import StateDir, made_writable
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.proof import site_of
from qgtm.cli.looking import lookout_of
from qgtm.cli.options import ConfigPath, configured, say
from qgtm.config import Config
from qgtm.core.commands import Command
from qgtm.core.errors import ConfigError, JournalError
from qgtm.web.gate import LOOPBACK

if TYPE_CHECKING:
    from fastapi import FastAPI

    from qgtm.web.desk import Desk
    from qgtm.web.gate import App
    from qgtm.web.office import Office

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
    _run(application(loaded, state_dir, has_live=has_live), listener, is_behind=bool(loaded.web.origin))


def application(config: Config, state_dir: StateDir, *, has_live: bool) -> "App":
    """Return everything that is served, behind its gate."""
    from qgtm.web.app import create_app, guarded
    from qgtm.web.desk import Desk
    from qgtm.web.gate import door_of

    desk, clock, web = Desk(lookout_of(config, state_dir)), SystemClock(), config.web
    office = _office(config, state_dir, desk, clock)
    app = create_app(desk, config.limits, live=LIVE if has_live else None, office=office)
    if has_live:
        mount_live(app, desk)
    names = [urlsplit(site_of(web.origin, web.port).origins[0]).netloc] if web.origin else []
    is_private = bool(web.origin) or web.host not in LOOPBACK
    door, is_https = door_of(web.host, web.port, names), bool(web.origin)
    return guarded(app, door, clock, office, is_private=is_private, is_https=is_https)


def _office(config: Config, state_dir: StateDir, desk: "Desk", clock: SystemClock) -> "Office | None":
    """Return what answers the operators' plain pages: the only part that writes.

    Where nothing can be written OpB's page is shown all the same: to whoever is signed in while at least
    that can be read, else (None) nobody can act here.
    """
    from qgtm.web.office import office_of

    site = site_of(config.web.origin, config.web.port)

    def put(command: Command) -> None:
        # Opened anew for each: a restored backup puts another inbox in the place of this one.
        with Inbox(state_dir.inbox) as inbox:
            inbox.put(command, str(getattr(command, "by", "page")), clock.now())

    def office(*, is_read_only: bool) -> "Office":
        files = (state_dir.web, state_dir.secrets)
        return office_of(desk, site, *files, put, clock, is_read_only=is_read_only)

    try:
        made_writable(state_dir)
        Inbox(state_dir.inbox).close()
        return office(is_read_only=False)
    except (ConfigError, JournalError) as problem:
        say(f"NOBODY CAN ACT ON THE PAGE: {problem} Then start `qgtm serve` again. The page itself is shown.")
    with suppress(JournalError):
        return office(is_read_only=True)
    return None


def mount_live(app: "FastAPI", desk: "Desk") -> None:
    """Put the live view into the application."""
    import_module("dashboards.phone").mount(app, desk, LIVE)  # Panel takes two seconds, and may not be there


def bound(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address; raise ConfigError with the next step when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    # what is accepted inherits it: asyncio sets it only where the protocol was named, and without it the
    # second part of each reply waits forty milliseconds for the other side's acknowledgement
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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


def _run(app: "App", listener: socket.socket, *, is_behind: bool = False) -> None:
    """Serve until told to stop; behind a proxy on this machine the client is whom the proxy names."""
    import uvicorn

    logging.getLogger("bokeh").setLevel(logging.ERROR)
    settings = uvicorn.Config(
        app,
        log_level="warning",
        timeout_graceful_shutdown=STOP_S,
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=2**18,
        proxy_headers=is_behind,
        forwarded_allow_ips=[each.strip("[]") for each in LOOPBACK],
    )
    with listener:
        uvicorn.Server(settings).run(sockets=[listener])


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _word(has_live: bool) -> str:
    return "" if has_live else "Without Panel the page draws its own pictures. "
