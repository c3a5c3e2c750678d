"""One line to a server, on which a whole call has an end.

A time-out per read does not stop a server that sends one byte every four seconds, and none at
all covers the look-up of a name. So a call runs in a thread of its own; whoever asked waits a
fixed time and then cuts the line. A line that is cut shuts its sockets and lets none be opened:
what was given up can not be sent later behind our back. Nor can what a process that was stopped had
on its tongue: once awake, a call past its end sends no byte more. And what a fence is given with, such as an
order, asks it again before each byte.
"""

import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Final, TypeVar
from weakref import WeakSet

from requests import Response, Session
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from qgtm.adapters.clock import SystemClock

CONNECT_S: Final = 3.0
READ_S: Final = 5.0
WHOLE_S: Final = 4.8  # faults A2: a call has ended after five seconds
CUT_LINES: Final = 8  # given-up threads that may still be stuck in a name look-up
PIECE_BYTES: Final = 65_536
FENCED: Final = "the right to send was lost before this was sent"
Fence = Callable[[], bool]
T = TypeVar("T")


def always() -> bool:
    """Let out what needs no right to send: a reading, a cancel."""
    return True


class NoAnswer(Exception):
    """No answer came that can be believed; what was asked for may have been done.

    `is_held_back` says that a call limit kept it from being done.
    """

    def __init__(self, reason: str, *, is_held_back: bool = False) -> None:
        super().__init__(reason)
        self.is_held_back = is_held_back


class TooLong(NoAnswer):
    """The answer is longer than any that can be meant; what came of it is thrown away."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whole, and not yet read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Gate:
    """Every socket of a line, so that they can be shut from outside, and the end of the present call."""

    def __init__(self) -> None:
        self.until_s = float("inf")
        self._may_send: Fence = always
        self._clock = SystemClock()
        self._lock = Lock()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._is_cut = False

    def admit(self, sock: socket.socket) -> None:
        with self._lock:
            if self._is_cut:
                sock.close()
                raise ConnectionAbortedError("this line was given up")
            self._sockets.add(sock)

    def begin(self, whole_s: float, may_send: Fence) -> None:
        self.until_s, self._may_send = self._clock.monotonic() + whole_s, may_send

    def let_out(self) -> None:
        if self._is_cut or self._clock.monotonic() > self.until_s:
            raise ConnectionAbortedError("this call was given up before it was sent")
        if not self._may_send():
            raise ConnectionAbortedError(FENCED)

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            for sock in self._sockets:
                _shut(sock)


def _shut(sock: socket.socket) -> None:
    try:
        # the plain socket's own shutdown, since TLS would first want to say goodbye
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        sock.close()  # it was not connected any more


def _gated_adapter(gate: _Gate) -> HTTPAdapter:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            gate.admit(self.sock)

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            gate.let_out()
            super().send(data)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            gate.admit(self.sock)

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            gate.let_out()
            super().send(data)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    adapter = HTTPAdapter(max_retries=0, pool_connections=2, pool_maxsize=1)
    adapter.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return adapter


def session_with(adapter: BaseAdapter) -> Session:
    """Return a session that goes through `adapter` alone and heeds no proxy variable and no .netrc."""
    session = Session()
    session.trust_env = False
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _sent(
    session: Session,
    method: str,
    url: str,
    options: Mapping[str, Any],
    read_s: float,
    most_bytes: int | None,
) -> Reply:
    try:
        told = {**options, "allow_redirects": False}  # keys and orders go to this address or nowhere
        told["stream"] = most_bytes is not None
        response = session.request(method, url, timeout=(CONNECT_S, read_s), **told)
        body = response.content if most_bytes is None else _within(response, most_bytes)
        return Reply(response.status_code, response.headers, body)
    except (OSError, HTTPError, HTTPException) as problem:  # every fault of requests is an OSError
        raise NoAnswer(f"{type(problem).__name__}: {problem}") from problem


def _within(response: Response, most_bytes: int) -> bytes:
    body = bytearray()
    with response:
        for piece in response.iter_content(PIECE_BYTES):  # unpacked, so that a packed one cannot burst
            body += piece
            if len(body) > most_bytes:
                raise TooLong(f"the answer is longer than {most_bytes} bytes")
    return bytes(body)


class _Worker:
    """A thread with a session and a gate; all three are thrown away together."""

    def __init__(self) -> None:
        self.gate = _Gate()
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[Session], Any]] | None] = SimpleQueue()
        self.thread = Thread(target=self._run, name="alpaca-call", daemon=True)
        self.thread.start()

    def ask(self, job: Callable[[Session], Any], whole_s: float, may_send: Fence) -> Future[Any]:
        answer: Future[Any] = Future()
        self.gate.begin(whole_s, may_send)
        self._jobs.put((answer, job))
        return answer

    def stop(self) -> None:
        self._jobs.put(None)
        self.gate.cut()

    def _run(self) -> None:
        with session_with(_gated_adapter(self.gate)) as session:
            while (item := self._jobs.get()) is not None:
                answer, job = item
                try:
                    answer.set_result(job(session))
                except Exception as problem:  # noqa: BLE001 - not handled here but handed to who asked
                    answer.set_exception(problem)


class Line:
    """Calls to one server, one at a time, each with an end.

    With an `adapter` (an exchange in this very process) calls run where they are made, in no
    thread, so that a simulation stays in order. `read_s` is the longest silence within a call;
    `most_bytes`, where it is given, the longest reply.
    """

    def __init__(
        self,
        whole_s: float = WHOLE_S,
        adapter: BaseAdapter | None = None,
        *,
        read_s: float = READ_S,
        most_bytes: int | None = None,
    ) -> None:
        self._whole_s = whole_s
        self._read_s = read_s
        self._most_bytes = most_bytes
        self._inline = session_with(adapter) if adapter is not None else None
        self._worker: _Worker | None = None
        self._cut: list[_Worker] = []
        self._turn = Lock()

    def ask(self, method: str, url: str, options: Mapping[str, Any], may_send: Fence = always) -> Reply:
        """Return the whole reply; raise NoAnswer when none has come in time, or `may_send` says no."""
        call = partial(_sent, read_s=self._read_s, most_bytes=self._most_bytes)
        return self.lend(partial(call, method=method, url=url, options=options), may_send)

    def lend(self, job: Callable[[Session], T], may_send: Fence = always) -> T:
        """Return what `job` makes of our session, for a client that brings its own calls.

        Raises NoAnswer when it is not done in time, and whatever the job raises.
        """
        if self._inline is not None:
            if not may_send():
                raise NoAnswer(FENCED)
            return job(self._inline)
        with self._turn:
            answer: Future[T] = self._ready().ask(job, self._whole_s, may_send)
            try:
                return answer.result(self._whole_s)
            except TimeoutError:
                if answer.done():  # it came at the last moment, or the job itself ran out of time
                    return answer.result()
                self._give_up()
                raise NoAnswer(f"no whole answer within {self._whole_s} s") from None

    def close(self) -> None:
        """Shut every socket; a later call opens new ones."""
        if self._worker is not None:
            self._give_up()

    def _ready(self) -> _Worker:
        self._cut = [worker for worker in self._cut if worker.thread.is_alive()]
        if len(self._cut) >= CUT_LINES:
            reason = f"{CUT_LINES} earlier calls still hang; the next is not tried until one ends"
            raise NoAnswer(reason, is_held_back=True)
        if self._worker is None:
            self._worker = _Worker()
        return self._worker

    def _give_up(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._cut.append(self._worker)
            self._worker = None
