"""The watchdog's own way to tell people: mail, and a push to each address; both operators get each alert.

It shares nothing with the alerts of the rest, which may be dead as well. Nothing here holds up the loop:
alerts go into a queue, a thread sends them and tries again for a while. Errors are logged by their kind
alone, since an address may be a secret.

QGTM_SMTP_URL is `smtps://user:password@host:port?from=fund@example.org&to=a@example.org,b@example.org`;
`smtp:` speaks STARTTLS, and in the clear with a server on this machine only. QGTM_WATCHDOG_PUSH_URLS are
addresses parted by spaces; each is sent the text by POST with a `Title`, as push services take it.
"""

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import requests

from qgtm.core.errors import ConfigError
from qgtm.watchdog.deed import Alert

LIMIT_S: Final = 10.0
TRIES_S: Final = (0.0, 5.0, 30.0, 120.0, 600.0, 1800.0)  # waits before each try
HERE: Final = ("127.0.0.1", "::1", "localhost")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Told:
    """An alert and when it was raised, which it still says when it is delivered late."""

    alert: Alert
    wall_at: datetime


Channel = Callable[[Told], None]


def channels(smtp_url: str, push_urls: tuple[str, ...]) -> dict[str, Channel]:
    """Return a way to send for each address, by a name that shows no secret; raise ConfigError."""
    found: dict[str, Channel] = {}
    if smtp_url:
        found["mail"] = _mail(smtp_url)
    for number, url in enumerate(push_urls, 1):
        found[f"push {number}"] = _push(url)
    return found


class Alarm:
    """Send alerts on threads, one for each channel, so that a slow one holds up no other."""

    def __init__(self, ways: dict[str, Channel], say: Say) -> None:
        self._say = say
        self._stop = Event()
        self._queues: list[SimpleQueue[Told | None]] = []
        self._threads = [self._thread(name, send) for name, send in ways.items()]

    def raise_(self, alert: Alert, wall_at: datetime) -> None:
        """Hand an alert to every channel; returns at once."""
        for queue in self._queues:
            queue.put(Told(alert, wall_at))

    def close(self, within_s: float) -> None:
        """Try what still waits once more, for `within_s` seconds a channel at most."""
        self._stop.set()
        for queue in self._queues:
            queue.put(None)
        for thread in self._threads:
            thread.join(within_s)

    def _thread(self, name: str, send: Channel) -> Thread:
        queue: SimpleQueue[Told | None] = SimpleQueue()
        self._queues.append(queue)
        thread = Thread(target=self._run, args=(name, send, queue), name=f"alarm {name}", daemon=True)
        thread.start()
        return thread

    def _run(self, name: str, send: Channel, queue: "SimpleQueue[Told | None]") -> None:
        while (told := queue.get()) is not None:
            self._deliver(name, send, told)

    def _deliver(self, name: str, send: Channel, told: Told) -> None:
        for wait_s in TRIES_S:
            if wait_s and self._stop.wait(wait_s):
                break
            try:
                send(told)
            except (OSError, smtplib.SMTPException, requests.RequestException, ValueError) as problem:
                self._say(f"alert by {name} failed: {type(problem).__name__}")
            else:
                return
        self._say(f"alert by {name} given up: {told.alert.cause}")


# --- mail ---------------------------------------------------------------------------------------


def _mail(url: str) -> Channel:
    parts = urlsplit(url)
    names = parse_qs(parts.query)
    recipients = [each for text in names.get("to", []) for each in text.split(",") if each]
    sender = names.get("from", [unquote(parts.username or "")])[0]
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or not recipients or not sender:
        raise ConfigError(
            "QGTM_SMTP_URL cannot be used: write smtps://user:password@host:465?from=ADDRESS&to=ADDRESS,ADDRESS."
        )

    def send(told: Told) -> None:
        message = EmailMessage()
        message["Subject"] = f"[qgtm {told.alert.level}] {told.alert.cause}"
        message["From"], message["To"] = sender, ", ".join(recipients)
        message["Date"] = format_datetime(told.wall_at)
        message.set_content(text_of(told))
        with _server(parts.scheme, parts.hostname or "", parts.port) as server:
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message, sender, recipients)

    return send


def _server(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=LIMIT_S, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port or 587, timeout=LIMIT_S)
    server.ehlo()
    if host not in HERE or server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
    return server


def text_of(told: Told) -> str:
    """Return the alert as people read it, with the moment at which it was raised."""
    return f"{told.alert.text}\n\nRaised by the watchdog, {told.wall_at:%Y-%m-%d %H:%M:%S} UTC.\n"


# --- push ---------------------------------------------------------------------------------------


def _push(url: str) -> Channel:
    parts = urlsplit(url)
    if not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in HERE)):
        raise ConfigError("an address in QGTM_WATCHDOG_PUSH_URLS does not begin with https://: correct it.")

    def send(told: Told) -> None:
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Title": f"qgtm {told.alert.level}: {told.alert.cause}"}
            session.post(
                url,
                data=text_of(told).encode(),
                headers=headers,
                timeout=(3.0, LIMIT_S),
                allow_redirects=False,
            ).raise_for_status()

    return send
