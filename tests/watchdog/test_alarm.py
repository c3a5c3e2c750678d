"""Alerts by mail and push through real servers on this machine, and what happens when they are down."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from qgtm.core.errors import ConfigError
from qgtm.watchdog import alarm as module
from qgtm.watchdog.alarm import Alarm, channels
from qgtm.watchdog.deed import Alert
from tests.live.processes import eventually

AT = datetime(2026, 1, 5, 15, 0, 7, tzinfo=UTC)
FIRE = Alert(level="red", cause="dead man", text="The watchdog fences the daemon and closes everything.")


@dataclass
class Post:
    """A mail server of a few lines: it takes what it is given and remembers it."""

    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    mails: list[tuple[list[str], str]] = field(default_factory=list)
    is_mute: bool = False

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            Thread(target=self.talk, args=(sock,), daemon=True).start()

    def talk(self, sock: socket.socket) -> None:
        with sock, sock.makefile("rwb") as line:
            if self.is_mute:
                time.sleep(20)
                return
            self.say(line, "220 here")
            recipients: list[str] = []
            while words := line.readline().decode().strip():
                verb = words.split(" ")[0].upper()
                if verb == "RCPT":
                    recipients.append(words.split("<")[1].split(">")[0])
                if verb == "DATA":
                    self.say(line, "354 go on")
                    text = b""
                    while not text.endswith(b"\r\n.\r\n"):
                        text += line.readline()
                    self.mails.append((recipients, text.decode()))
                self.say(line, "250 ok" if verb != "QUIT" else "221 bye")
                if verb == "QUIT":
                    return

    @staticmethod
    def say(line: Any, text: str) -> None:
        line.write(f"{text}\r\n".encode())
        line.flush()


@contextmanager
def post() -> Iterator[Post]:
    server = Post()
    Thread(target=server.serve, daemon=True).start()
    try:
        yield server
    finally:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()


@contextmanager
def push(status: int = 200) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    heard: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            heard.append((self.headers["Title"], body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/topic-canary", heard
        finally:
            server.shutdown()
            thread.join(5)


@pytest.mark.fault("K9")
def test_alert_reaches_both_operators_by_mail_and_by_push_with_its_moment() -> None:
    said: list[str] = []
    with post() as mail, push() as (url, heard):
        smtp = f"smtp://127.0.0.1:{mail.port}?from=dog@example.org&to=a@example.org,b@example.org"
        alarm = Alarm(channels(smtp, (url, url)), said.append)
        alarm.raise_(FIRE, AT)
        eventually(lambda: mail.mails and len(heard) == 2, "mail and two pushes", 10)
        alarm.close(5.0)
    recipients, text = mail.mails[0]
    assert recipients == ["a@example.org", "b@example.org"]
    assert "Subject: [qgtm red] dead man" in text
    assert "closes everything" in text
    assert "2026-01-05 15:00:07 UTC" in text
    assert heard[0][0] == "qgtm red: dead man"
    assert said == []


@pytest.mark.fault("K1", "K2", "K9")
@pytest.mark.invariant("V23")
def test_channel_that_hangs_or_is_down_holds_up_neither_the_loop_nor_the_other() -> None:
    said: list[str] = []
    with post() as mail, push() as (url, heard):
        mail.is_mute = True
        smtp = f"smtp://127.0.0.1:{mail.port}?from=dog@example.org&to=a@example.org"
        alarm = Alarm(channels(smtp, ("http://127.0.0.1:9/canary", url)), said.append)
        began_s = time.monotonic()
        for _ in range(50):
            alarm.raise_(FIRE, AT)
        assert time.monotonic() - began_s < 0.5
        eventually(lambda: len(heard) == 50, "the push that works", 20)
        eventually(lambda: any("push 1 failed" in line for line in said), "a word about the other", 10)


@pytest.mark.fault("K1", "K3")
def test_alert_that_failed_is_tried_again_and_delivered_with_its_first_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TRIES_S", (0.0, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2))
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    alarm = Alarm(channels(f"smtp://127.0.0.1:{port}?from=d@x.org&to=a@x.org", ()), said.append)
    alarm.raise_(FIRE, AT)
    eventually(lambda: said, "a failure", 10)
    server = Post(listener=socket.create_server(("127.0.0.1", port)))
    Thread(target=server.serve, daemon=True).start()
    eventually(lambda: server.mails, "the mail", 10)
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()
    assert "2026-01-05 15:00:07 UTC" in server.mails[0][1]
    assert said[0] == "alert by mail failed: ConnectionRefusedError"


@pytest.mark.fault("J13")
@pytest.mark.invariant("V27")
def test_failure_is_told_without_the_address() -> None:
    said: list[str] = []
    with push(status=500) as (url, _):
        alarm = Alarm(channels("", (url,)), said.append)
        alarm.raise_(FIRE, AT)
        eventually(lambda: said, "a failure", 10)
    assert "canary" not in " ".join(said)


@pytest.mark.parametrize(
    "url", ["mailto:a@b.c", "smtp://host", "smtp://user:secret@host?from=x@y.z", "smtps://"]
)
def test_mail_address_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigError, match="QGTM_SMTP_URL") as problem:
        channels(url, ())
    assert "secret" not in str(problem.value)


def test_push_in_the_clear_to_another_machine_is_refused() -> None:
    with pytest.raises(ConfigError, match="https://"):
        channels("", ("http://push.example.org/canary",))
