"""The watchdog's own session with the broker: one call at a time, each with an end.

A limit per read does not stop a server that sends a byte every four seconds, and none covers the look-up of
a name. So calls run in a thread, and one that has no whole answer in time is given up with its thread.
"""

from collections.abc import Callable
from http.client import HTTPException
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

import requests
from requests.adapters import HTTPAdapter

from qgtm.watchdog.deed import Call
from qgtm.watchdog.fact import Answer, NoAnswer
from qgtm.watchdog.place import Keys
from qgtm.watchdog.wire import Reply, answer_of, request_of

CONNECT_S: Final = 3.0
READ_S: Final = 4.0
WHOLE_S: Final = 4.8
GIVEN_UP: Final = 8  # threads that may still hang; with more, no further call is tried until one ends

Take = Callable[[Call, Answer], None]


class Line:
    """Make calls; `take` is called with each answer, from a thread of this line or from `check`."""

    def __init__(self, url: str, keys: Keys, take: Take) -> None:
        self._url = url
        self._headers = {"APCA-API-KEY-ID": keys.key_id, "APCA-API-SECRET-KEY": keys.secret}
        self._take = take
        self._worker: _Worker | None = None
        self._given_up: list[_Worker] = []
        self._call: Call | None = None
        self._since_s = 0.0
        self._turn = Lock()  # an answer may come in the moment in which its call is given up

    def ask(self, call: Call, now_s: float) -> None:
        """Start a call at the monotone second `now_s`."""
        self._given_up = [worker for worker in self._given_up if worker.is_alive()]
        if len(self._given_up) >= GIVEN_UP:
            self._take(call, NoAnswer(f"{GIVEN_UP} earlier calls still hang"))
            return
        if self._worker is None:
            self._worker = _Worker(self._url, self._headers, self._answered)
        self._call, self._since_s = call, now_s
        self._worker.jobs.put(call)

    def _answered(self, worker: "_Worker", call: Call, answer: Answer) -> None:
        with self._turn:
            if worker is self._worker:  # one that was given up has nothing more to say
                self._call = None
                self._take(call, answer)

    def check(self, now_s: float) -> None:
        """Give up a call that has taken too long."""
        with self._turn:
            call, worker = self._call, self._worker
            if call is None or worker is None or now_s - self._since_s < WHOLE_S:
                return
            self._call, self._worker = None, None
            worker.jobs.put(None)
            self._given_up.append(worker)
            self._take(call, NoAnswer(f"no whole answer within {WHOLE_S} s"))

    def close(self) -> None:
        """Make no further call; one that is in flight ends by itself."""
        if self._worker is not None:
            self._worker.jobs.put(None)
            self._worker.join(WHOLE_S)
            self._worker = None


class _Worker(Thread):
    """A thread with a session; both are thrown away together."""

    def __init__(
        self, url: str, headers: dict[str, str], answered: Callable[["_Worker", Call, Answer], None]
    ) -> None:
        super().__init__(name="watchdog-call", daemon=True)
        self.jobs: SimpleQueue[Call | None] = SimpleQueue()
        self._url, self._headers, self._done = url, headers, answered
        self.start()

    def run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False  # no proxy variable and no .netrc changes where orders go
            session.headers.update(self._headers)
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=0, pool_connections=1, pool_maxsize=1))
            while (call := self.jobs.get()) is not None:
                self._done(self, call, _sent(session, self._url, call))


def _sent(session: requests.Session, url: str, call: Call) -> Answer:
    wanted = request_of(call)
    try:
        response = session.request(
            wanted.method,
            url + wanted.path,
            params=dict(wanted.query),
            json=wanted.body,
            timeout=(CONNECT_S, READ_S),
            allow_redirects=False,
        )
        reply = Reply(response.status_code, response.headers, response.content)
    except (OSError, HTTPException, ValueError) as problem:  # every fault of requests is an OSError
        return NoAnswer(type(problem).__name__)
    return answer_of(call, reply)
