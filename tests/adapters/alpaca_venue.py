"""A server of raw sockets that answers as badly as it is told to, and remembers what it was asked."""

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from qgtm.adapters.alpaca_client import Keys

KEYS = Keys("PKTEST", "a-secret-that-must-not-show")


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def sent(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Talk:
    """One request on one connection; an answer writes to it."""

    sock: socket.socket
    asked: Asked
    closing: Event
    is_over: bool = False

    def write(self, data: bytes) -> None:
        self.sock.sendall(data)


Answer = Callable[[Talk], None]


def reply(status: int, body: object = None, headers: dict[str, str] | None = None) -> Answer:
    """Answer properly: `body` as JSON, bytes as they are, None as nothing."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(raw)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + raw
    return lambda talk: talk.write(whole)


def raw(data: bytes) -> Answer:
    """Write these bytes and hang up."""

    def answer(talk: Talk) -> None:
        talk.write(data)
        talk.is_over = True

    return answer


def hang(talk: Talk) -> None:
    """Say nothing until the test ends."""
    talk.closing.wait(30)
    talk.is_over = True


def drip(talk: Talk) -> None:
    """Send a valid reply a byte at a time, slower than anyone should wait."""
    with suppress(OSError):
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]":
            if talk.closing.wait(0.2):
                break
            talk.write(bytes([byte]))
    talk.is_over = True


def reset(talk: Talk) -> None:
    """Break the connection the hard way."""
    talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.is_over = True


def hang_up(talk: Talk) -> None:
    """Close without a word."""
    talk.is_over = True


@dataclass
class Venue:
    answers: list[Answer]
    asked: list[Asked] = field(default_factory=list)
    closing: Event = field(default_factory=Event)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    threads: list[Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            thread = Thread(target=self.serve, args=(sock,))
            self.threads.append(thread)
            thread.start()

    def serve(self, sock: socket.socket) -> None:
        sock.settimeout(0.2)
        with sock, suppress(ConnectionError):
            pending = b""
            while not self.closing.is_set():
                asked, pending = self.read(sock, pending)
                if asked is None:
                    return
                self.asked.append(asked)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                talk = Talk(sock, asked, self.closing)
                answer(talk)
                if talk.is_over:
                    return

    def read(self, sock: socket.socket, data: bytes) -> tuple[Asked | None, bytes]:
        while b"\r\n\r\n" not in data:
            if (more := self.more(sock)) is None:
                return None, b""
            data += more
        head, rest = data.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        while len(rest) < int(headers.get("content-length", 0)):
            if (more := self.more(sock)) is None:
                return None, b""
            rest += more
        size = int(headers.get("content-length", 0))
        method, target, _ = first.split(" ")
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return Asked(method, parts.path, query, headers, rest[:size]), rest[size:]

    def more(self, sock: socket.socket) -> bytes | None:
        while not self.closing.is_set():
            try:
                return sock.recv(65536) or None
            except TimeoutError:
                continue
        return None


@contextmanager
def serving(*answers: Answer) -> Iterator[Venue]:
    """Give the answers in turn, the last one again and again."""
    venue = Venue(list(answers))
    acceptor = Thread(target=venue.accept)
    acceptor.start()
    try:
        yield venue
    finally:
        venue.closing.set()
        with suppress(OSError):
            venue.listener.shutdown(socket.SHUT_RDWR)
        venue.listener.close()
        acceptor.join(5)
        for thread in venue.threads:
            thread.join(5)
