"""`qgtm serve` where something is missing: the page is shown all the same, and no stranger is let in."""

import asyncio
import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from qgtm.adapters.clock import SystemClock
from qgtm.adapters.files import StateDir
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.journal import SqliteJournal
from qgtm.cli import serve
from qgtm.config import Config, load_config
from qgtm.core.commands import Halt
from qgtm.core.errors import ConfigError
from qgtm.core.events import OperatorEnrolled
from qgtm.core.request import Person
from qgtm.web.office import COOKIE
from qgtm.web.visitor import Visitors
from tests.web.office import phone

REPO = Path(__file__).parents[2]


@pytest.fixture
def config() -> Config:
    return load_config(REPO / "qgtm_config.toml", {})


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    made = StateDir(tmp_path)
    key = phone(Person.OPB).credential(Person.OPB)
    with SqliteJournal(made.journal) as journal:
        journal.append([OperatorEnrolled(credential=key, by="OpB")], SystemClock().now())
    return made


def session(state: StateDir) -> str:
    key = phone(Person.OPB).credential(Person.OPB).credential_id
    with closing(Visitors(state.web, SystemClock().now)) as visitors:
        return visitors.begin(Person.OPB, key, "a browser")


def asked(
    config: Config, state: StateDir, path: str, form: dict[str, str] | None = None, said: str = ""
) -> Any:
    home = f"http://localhost:{config.web.port}"
    headers = {"cookie": f"{COOKIE}={said}", "origin": home}

    async def reply() -> Any:
        app = serve.application(config, state, has_live=False)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=home, headers=headers) as client:
            return await client.request("GET" if form is None else "POST", path, data=form)

    return asyncio.run(reply())


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(folder: StateDir) -> StateDir:
        raise ConfigError(f"the state folder {folder.root} cannot be used: Read-only file system.")

    monkeypatch.setattr(serve, "made_writable", refused)


@pytest.mark.usefixtures("read_only")
@pytest.mark.fault("H7")
def test_page_is_shown_where_nothing_can_be_written(
    config: Config, state: StateDir, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(config, state, "/").status_code == 200
    assert "NOBODY CAN ACT ON THE PAGE" in capsys.readouterr().out
    assert asked(config, state, "/acts").status_code == 404


@pytest.mark.usefixtures("read_only")
@pytest.mark.parametrize("is_signed_in", [False, True])
def test_private_page_is_shown_to_who_is_signed_in_where_nothing_can_be_written(
    config: Config, state: StateDir, is_signed_in: bool
) -> None:
    private = replace(config, web=replace(config.web, host="0.0.0.0"))
    cookie = session(state)
    assert asked(private, state, "/", said=cookie if is_signed_in else "x").status_code == (
        200 if is_signed_in else 303
    )
    state.web.unlink()
    assert asked(private, state, "/", said=cookie).status_code == 503


def test_command_lands_in_the_inbox_that_a_restore_put_there(
    config: Config, state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    puts: list[Any] = []
    monkeypatch.setattr("qgtm.web.office.office_of", lambda *told, **_: puts.append(told[4]))
    serve._office(config, state, None, SystemClock())  # type: ignore[arg-type]
    puts[0](Halt(reason="before", by="OpB"))
    state.inbox.rename(state.root / "aside.db")
    puts[0](Halt(reason="after", by="OpB"))
    with Inbox(state.inbox) as inbox:
        assert [wish.command for wish in inbox.wishes(0)] == [Halt(reason="after", by="OpB")]


@pytest.mark.parametrize("is_behind", [False, True])
def test_client_is_whom_a_proxy_names_where_a_name_is_configured_and_else_who_connects(
    monkeypatch: pytest.MonkeyPatch, is_behind: bool
) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    made: list[uvicorn.Config] = []

    class Server:
        def __init__(self, config: uvicorn.Config) -> None:
            config.load()
            made.append(config)

        def run(self, sockets: object) -> None:
            pass

    monkeypatch.setattr(uvicorn, "Server", Server)
    with serve.bound("127.0.0.1", 0) as listener:
        serve._run(app, listener, is_behind=is_behind)
    forwarded = [
        (b"x-forwarded-for", b"6.6.6.6, 203.0.113.9")
    ]  # the first is what the client said of himself
    for client in ("127.0.0.1", "198.51.100.7"):
        scope = {"type": "http", "client": (client, 1), "headers": forwarded, "scheme": "http"}
        asyncio.run(made[0].loaded_app(scope, None, None))  # type: ignore[arg-type]
    assert seen == [("203.0.113.9" if is_behind else "127.0.0.1"), "198.51.100.7"]


def test_page_in_two_parts_does_not_wait_for_an_acknowledgement() -> None:
    with serve.bound("127.0.0.1", 0) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
