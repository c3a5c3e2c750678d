"""What every test gets: real prices where they lie beside the repository, and no network but loopback."""

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.faults.mapping import unknown_ids
from tests.faults.result import Recorder

REPO = Path(__file__).resolve().parents[1]
SHARED = REPO.parent / "shared" / "data"

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("house"), derandomize=True, print_blob=True)
settings.register_profile("long", parent=settings.get_profile("house"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "house"))


@pytest.fixture(scope="session")
def repo() -> Path:
    """Return the folder that holds pyproject.toml."""
    return REPO


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real prices and recorded replies, or skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("../shared/data is absent: the real prices are not part of the repository")
    return SHARED


def pytest_configure(config: pytest.Config) -> None:
    """Let the results of marked tests be kept for docs/faults.md, once however many workers there are."""
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        config.pluginmanager.register(Recorder(REPO))


@pytest.hookimpl(tryfirst=True)  # before -m is read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses `shared_data`, so that -m "not real_data" needs no second list; know every id."""
    if unknown := unknown_ids(items):
        raise pytest.UsageError("No such row in tests/faults/catalogue.py: " + "; ".join(unknown))
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker("real_data")


class OutsideNetwork(ConnectionRefusedError):
    """A test tried to reach a host other than this machine."""


def is_loopback(host: object) -> bool:
    """Return whether `host` names this machine, without asking a name server."""
    if host in (None, "", "localhost", b"localhost"):
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(text.split("%")[0]).is_loopback or text in ("0.0.0.0", "::")
    except ValueError:
        return False


def guarded(call: Callable[..., Any], host_from: Callable[..., object]) -> Callable[..., Any]:
    """Return `call`, refusing every host but loopback."""

    def only_loopback(*args: Any, **kwargs: Any) -> Any:
        host = host_from(*args, **kwargs)
        if not is_loopback(host):
            raise OutsideNetwork(
                f"a test tried to reach {host!r}; tests reach loopback only. Point it at a local server."
            )
        return call(*args, **kwargs)

    return only_loopback


def host_of_address(_sock: socket.socket, address: object, *_rest: object) -> object:
    """Return the host of a socket address; a path (AF_UNIX) counts as this machine."""
    return address[0] if isinstance(address, tuple) else None


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """Refuse every connection that leaves this machine, for the whole run."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name), host_of_address))
        patch.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo, lambda host, *_, **__: host))
        yield


@pytest.fixture(scope="session", autouse=True)
def own_environment() -> Iterator[None]:
    """Hide this person's keys, config and time zone from the tests and from what they start."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("APCA_", "QGTM_", "FRED_", "REDDIT_")):
                patch.delenv(name)
        patch.setenv("PLOOMBER_STATS_ENABLED", "false")
        yield
