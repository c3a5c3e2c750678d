"""The guards that all other tests stand behind."""

import socket

import pytest


def test_connection_to_another_host_is_refused_by_name() -> None:
    with socket.socket() as sock, pytest.raises(ConnectionRefusedError, match=r"192\.0\.2\.1"):
        sock.connect(("192.0.2.1", 80))


def test_name_outside_this_machine_is_not_looked_up() -> None:
    with pytest.raises(ConnectionRefusedError, match=r"broker\.example"):
        socket.getaddrinfo("broker.example", 443)


def test_connection_to_loopback_is_let_through() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as out,
    ):
        assert out.getpeername() == server.getsockname()
