"""Ask a vendor's server for a whole reply, politely and within a time, and keep what it sent.

Every reply is whole, of a bounded length and valid, or there is a FeedError that names the vendor, the path
and the next step. Nothing of a key is ever in an error or in a file.
"""

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Final, NoReturn, Protocol, TypeVar
from urllib.parse import quote, quote_plus, urlsplit

from requests.adapters import BaseAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from qgtm.adapters.alpaca_line import Line, NoAnswer, Reply, TooLong
from qgtm.adapters.call_budget import CallBudget
from qgtm.adapters.files import explained, write_atomic
from qgtm.core.errors import ConfigError, FeedError

TRIES: Final = 4
WHOLE_S: Final = 30.0  # a vendor's first byte of ten years of vintages takes its time
READ_S: Final = 20.0
FIRST_WAIT_S: Final = 1.0  # then twice as long, and half of each by chance
LONGEST_WAIT_S: Final = 60.0
MOST_BYTES: Final = 64_000_000
RAW_BYTES: Final = 200_000_000  # of each vendor, compressed
STARS: Final = "***"
SAID_LETTERS: Final = 160
THIS_MACHINE: Final = ("127.0.0.1", "::1", "localhost")
T = TypeVar("T")


class Clock(Protocol):
    """Venue time for stamps, process time for limits and waits."""

    def now(self) -> datetime:
        """Return venue time, aware UTC."""
        ...

    def monotonic(self) -> float:
        """Return process time in seconds."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait for so many seconds of process time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """Who is asked: a name for errors, an address, how many calls a minute it takes, and our keys there.

    `secret_query` and `secret_headers` go with each call and are shown nowhere; `key_names` say which keys to
    look at when it refuses us. The broker's own count of calls is shared with those who trade: when it runs
    low we wait. Raises ConfigError for an address that would carry a key in the clear.
    """

    name: str
    url: str
    calls_per_minute: int
    key_names: str = ""
    is_broker: bool = False
    secret_query: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{self.url!r} is no address of {self.name}: write it as https://host")
        has_secret = bool(self.secret_query or self.secret_headers)
        if has_secret and parts.scheme == "http" and parts.hostname not in THIS_MACHINE:
            raise ConfigError(
                f"{self.url!r} would carry the keys of {self.name} in the clear: write https://"
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must never be shown."""
        return tuple(each for each in (*self.secret_query.values(), *self.secret_headers.values()) if each)


class RawShelf:
    """Keep replies as they came, compressed, a folder a vendor; the oldest go when they grow too many."""

    def __init__(self, folder: Path, most_bytes: int = RAW_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._lock = Lock()

    def keep(self, vendor: str, path: str, at: datetime, body: bytes) -> Path:
        """Write a reply down under the moment it came at and what was asked. Raises FeedError."""
        folder = self._folder / vendor
        name = f"{at.astimezone(UTC):%Y%m%dT%H%M%S%f}-{_slug(path)}-{sha256(body).hexdigest()[:8]}.gz"
        with self._lock, explained(folder, FeedError):
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / name, gzip.compress(body, mtime=0), is_durable=False, mode=0o600)
            self._make_room(folder)
        return folder / name

    def _make_room(self, folder: Path) -> None:
        files = sorted(folder.glob("*.gz"))
        sizes = [path.stat().st_size for path in files]
        too_many = sum(sizes) - self._most_bytes
        for path, size in zip(files[:-1], sizes, strict=False):  # the newest stays, however long it is
            if too_many <= 0:
                return
            path.unlink(missing_ok=True)
            too_many -= size


class _Again(Exception):
    """This try came to nothing, and another may not; `wait_s` is what the vendor asked for."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Fetcher:
    """Ask one vendor; for one thread. `jitter` returns a number from 0 to 1."""

    def __init__(
        self,
        vendor: Vendor,
        clock: Clock,
        jitter: Callable[[], float],
        shelf: RawShelf | None = None,
        *,
        adapter: BaseAdapter | None = None,
        whole_s: float = WHOLE_S,
        most_bytes: int = MOST_BYTES,
        tries: int = TRIES,
    ) -> None:
        self.vendor = vendor
        self._clock = clock
        self._jitter = jitter
        self._shelf = shelf
        self._line = Line(whole_s, adapter, read_s=min(READ_S, whole_s), most_bytes=most_bytes)
        self._budget = CallBudget(clock.monotonic, ordinary=vendor.calls_per_minute)
        self._tries = tries

    def close(self) -> None:
        """Shut the connection; a later call opens a new one."""
        self._line.close()

    def fetch_json(self, path: str, query: Mapping[str, object]) -> Any:
        """Return the JSON of a reply. Raises FeedError."""
        return self._fetched(path, query, _json_of)

    def fetch_bytes(self, path: str) -> bytes:
        """Return a reply as it is. Raises FeedError."""
        return self._fetched(path, {}, lambda reply: reply.body)

    def _fetched(self, path: str, query: Mapping[str, object], read: Callable[[Reply], T]) -> T:
        retrying = Retrying(
            stop=stop_after_attempt(self._tries),
            wait=self._pause_s,
            sleep=self._clock.wait,
            retry=retry_if_exception_type(_Again),
            reraise=True,
        )
        try:
            found: T = retrying(self._once, path, query, read)
        except _Again as problem:
            told = self._told(f"{problem}, in {self._tries} tries")
            raise FeedError(
                f"{self.vendor.name} {path}: {told}; it is asked again when it is next due"
            ) from None
        return found

    def _once(self, path: str, query: Mapping[str, object], read: Callable[[Reply], T]) -> T:
        while wait_s := self._budget.take():
            self._clock.wait(wait_s)
        reply = self._answer(path, query)
        if self.vendor.is_broker:
            self._budget.heard(reply.status, reply.headers)
        self._judge(path, reply)
        try:
            found = read(reply)
        except (ValueError, RecursionError) as problem:
            raise _Again(f"the reply cannot be read ({problem})") from None
        if self._shelf is not None:
            self._shelf.keep(self.vendor.name, path, self._clock.now(), self._clean(reply.body))
        return found

    def _answer(self, path: str, query: Mapping[str, object]) -> Reply:
        options = {
            "params": {**query, **self.vendor.secret_query},
            "headers": {"User-Agent": "qgtm", "Accept-Encoding": "gzip", **self.vendor.secret_headers},
        }
        try:
            return self._line.ask("GET", f"{self.vendor.url.rstrip('/')}{path}", options)
        except TooLong as problem:
            self._fail(path, f"{problem}, and no such reply is meant: ask for less at a time")
        except NoAnswer as problem:
            raise _Again(f"no answer ({self._told(str(problem))})") from None

    def _judge(self, path: str, reply: Reply) -> None:
        """Let a 200 pass. Raises _Again for what may pass, FeedError for what will not."""
        if reply.status == 200:
            return
        if reply.status == 429 or reply.status >= 500 or reply.status == 408:
            wait_s = _asked_wait_s(reply.headers)
            if wait_s is not None and wait_s > LONGEST_WAIT_S:
                self._fail(path, f"status {reply.status}; it asks to be left alone for {wait_s:.0f} s")
            raise _Again(f"status {reply.status}", wait_s)
        said = self._told(reply.body[:4096].decode("utf-8", errors="replace"))
        if reply.status in (401, 403):
            self._fail(
                path, f"refused with {reply.status} ({said}): check {self.vendor.key_names or 'the plan'}"
            )
        if 300 <= reply.status < 400:
            self._fail(path, f"sent elsewhere with {reply.status}: has the vendor moved? Correct its url")
        self._fail(path, f"refused with {reply.status} ({said}): has the form of its questions changed?")

    def _fail(self, path: str, why: str) -> NoReturn:
        raise FeedError(f"{self.vendor.name} {path}: {why}.") from None

    def _pause_s(self, state: RetryCallState) -> float:
        """Return the wait before the next try: what the vendor asked for, else doubling, half by chance."""
        problem = state.outcome.exception() if state.outcome else None
        if isinstance(problem, _Again) and problem.wait_s is not None:
            return min(problem.wait_s, LONGEST_WAIT_S)
        whole_s = min(FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1), LONGEST_WAIT_S)
        return whole_s * (0.5 + 0.5 * self._jitter())

    def _told(self, text: str) -> str:
        return told_without(text, self.vendor.secrets)

    def _clean(self, body: bytes) -> bytes:
        for form in _forms(self.vendor.secrets):
            body = body.replace(form.encode(), STARS.encode())
        return body


def told_without(text: str, secrets: Iterable[str]) -> str:
    """Return a vendor's words on one line, cut short, with stars in the place of our keys."""
    for form in _forms(secrets):
        text = text.replace(form, STARS)
    text = " ".join(text.split())
    return text if len(text) <= SAID_LETTERS else f"{text[:SAID_LETTERS]}…"


def _forms(secrets: Iterable[str]) -> set[str]:
    return {form for each in secrets for form in (each, quote(each), quote(each, safe=""), quote_plus(each))}


def _json_of(reply: Reply) -> Any:
    return json.loads(reply.body, parse_constant=_no_constant)


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After, given in seconds or as a date beside the reply's own."""
    asked = headers.get("Retry-After", "")
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        until, sent = parsedate_to_datetime(asked), parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (until - sent).total_seconds())
    except (ValueError, TypeError):
        return None


def _slug(path: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in path.strip("/"))[:60] or "reply"
