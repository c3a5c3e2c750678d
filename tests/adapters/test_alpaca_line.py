import socket
import threading
import time
from functools import partial
from http.client import IncompleteRead
from ssl import SSLError
from typing import Any

import pytest
from requests.adapters import BaseAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from qgtm.adapters.alpaca_line import Line, NoAnswer
from tests.adapters.alpaca_venue import Talk, drip, hang, reply, serving


def calls() -> int:
    """Return how many threads of lines there are, other tests' included."""
    return sum(thread.name == "alpaca-call" for thread in threading.enumerate())


def settled(count: int) -> bool:
    """Wait a little for given-up threads to end."""
    for _ in range(100):
        if calls() <= count:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.fault("A2", "G11")
@pytest.mark.mistake(9)
@pytest.mark.parametrize("fault", [hang, drip])
def test_a_call_that_hangs_or_drips_ends_at_its_limit_and_leaves_no_thread(fault: object) -> None:
    before = calls()
    with serving(fault) as venue:  # type: ignore[arg-type]
        line = Line(whole_s=0.6)
        began = time.monotonic()
        with pytest.raises(NoAnswer, match="within"):
            line.ask("GET", venue.url, {})
        assert 0.5 < time.monotonic() - began < 1.2
        assert settled(before)


def test_a_line_that_was_cut_serves_the_next_call() -> None:
    with serving(hang, reply(200, [1])) as venue:
        line = Line(whole_s=0.4)
        with pytest.raises(NoAnswer):
            line.ask("GET", venue.url, {})
        assert line.ask("GET", venue.url, {}).body == b"[1]"
        line.close()


def test_a_call_that_was_given_up_before_it_connected_is_never_sent_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, before = threading.Event(), calls()
    slow = socket.getaddrinfo

    def lookup(*args: object, **kwargs: object) -> object:
        found.wait(5)
        return slow(*args, **kwargs)

    with serving(reply(200, {})) as venue:
        monkeypatch.setattr("socket.getaddrinfo", lookup)
        line = Line(whole_s=0.3)
        with pytest.raises(NoAnswer):
            line.ask("POST", venue.url, {"json": {"symbol": "GLD"}})
        found.set()  # the name is found now, and the thread goes on
        assert settled(before)
        assert venue.asked == []


@pytest.mark.fault("G11")
def test_calls_are_refused_while_too_many_given_up_ones_still_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    found, before = threading.Event(), calls()

    def lookup(*_args: object, **_kwargs: object) -> object:
        found.wait(10)
        raise OSError("no such name")

    monkeypatch.setattr("socket.getaddrinfo", lookup)
    line = Line(whole_s=0.05)
    for _ in range(8):
        with pytest.raises(NoAnswer, match="within"):
            line.ask("GET", "http://127.0.0.1:9", {})
    with pytest.raises(NoAnswer, match="still hang") as refused:
        line.ask("GET", "http://127.0.0.1:9", {})
    assert refused.value.is_held_back
    found.set()
    assert settled(before)


def test_a_silent_server_ends_a_read_before_the_whole_call_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qgtm.adapters.alpaca_line.READ_S", 0.3)
    with serving(hang) as venue:
        line = Line(whole_s=8.0)
        with pytest.raises(NoAnswer, match="ReadTimeout"):
            line.ask("GET", venue.url, {})
        line.close()


@pytest.mark.fault("A12")
@pytest.mark.parametrize("problem", [IncompleteRead(b""), HTTPError("cut"), OSError("gone"), SSLError("no")])
def test_whatever_breaks_below_is_no_answer(problem: Exception) -> None:
    class Broken(BaseAdapter):
        def send(self, *_args: object, **_more: object) -> Any:
            raise problem

        def close(self) -> None:
            pass

    with pytest.raises(NoAnswer, match=type(problem).__name__):
        Line(adapter=Broken()).ask("GET", "http://exchange.test", {})


@pytest.mark.fault("A12")
def test_a_redirect_is_not_followed_whatever_the_caller_says() -> None:
    with serving(reply(307, {}, {"Location": "/elsewhere"}), reply(200, {})) as venue:
        line = Line()
        order = {"json": {"symbol": "GLD"}, "allow_redirects": True}
        assert line.ask("POST", f"{venue.url}/v2/orders", order).status == 307
        assert [asked.path for asked in venue.asked] == ["/v2/orders"]
        line.close()


def test_the_time_limit_of_a_call_begins_with_its_turn() -> None:
    def slow(talk: Talk) -> None:
        time.sleep(0.6)
        reply(200, {})(talk)

    with serving(slow) as venue:
        line, done = Line(whole_s=1.5), []

        def ask() -> None:
            done.append(line.ask("GET", venue.url, {}).status)

        ask()  # the line has its worker now, which all of them share
        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(10)
        assert done == [200] * 5  # the last of them waited 1.8 s for its turn
        line.close()


def test_two_threads_on_one_line_take_turns() -> None:
    inside, most = [0], [0]

    def slow(talk: Talk) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.1)
        inside[0] -= 1
        reply(200, {})(talk)

    with serving(slow) as venue:
        line, done = Line(), []
        ask = partial(line.ask, "GET", venue.url, {})
        askers = [threading.Thread(target=lambda: done.append(ask().status)) for _ in range(4)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(5)
        assert done == [200] * 4
        assert most == [1]
        line.close()


def test_one_connection_serves_many_calls() -> None:
    sockets = []

    def note(talk: Talk) -> None:
        sockets.append(talk.sock)
        reply(200, {})(talk)

    with serving(note) as venue:
        line = Line()
        for _ in range(5):
            line.ask("GET", venue.url, {})
        assert len(sockets) == 5
        assert len(set(map(id, sockets))) == 1
        line.close()


@pytest.mark.fault("F8", "G8")
@pytest.mark.invariant("V5")
@pytest.mark.parametrize("is_connected", [True, False])
def test_a_call_that_a_stopped_process_had_on_its_tongue_is_not_sent_once_it_wakes(
    monkeypatch: pytest.MonkeyPatch, is_connected: bool
) -> None:
    waking = threading.Event()

    with serving(reply(200, [])) as venue:
        line = Line(whole_s=0.3)
        if is_connected:  # a new line is cut at its socket; an old one must be cut at each byte
            line.ask("GET", venue.url, {})
        # the thread that sends and the one that gives up wake at once, and the sender wins
        monkeypatch.setattr("qgtm.adapters.alpaca_line.Line._give_up", lambda self: None)
        monkeypatch.setattr(HTTPConnection, "request", held_up_request(HTTPConnection.request, waking))
        with pytest.raises(NoAnswer, match="within"):
            line.ask("POST", venue.url, {})
        waking.set()
        time.sleep(0.3)
        assert [asked.method for asked in venue.asked] == ["GET"] * is_connected
        monkeypatch.undo()
        line.close()


@pytest.mark.fault("F8", "D19")
@pytest.mark.invariant("V16")
@pytest.mark.parametrize("is_connected", [True, False])
def test_an_order_whose_right_to_be_sent_is_lost_while_it_is_on_the_tongue_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, is_connected: bool
) -> None:
    waking, lost = threading.Event(), threading.Event()

    with serving(reply(200, [])) as venue:
        line = Line(whole_s=4.0)
        if is_connected:
            line.ask("GET", venue.url, {})
        monkeypatch.setattr(HTTPConnection, "request", held_up_request(HTTPConnection.request, waking))
        threading.Timer(0.1, lambda: (lost.set(), waking.set())).start()  # taken from us after the first look
        with pytest.raises(NoAnswer, match="right to send"):
            line.ask("POST", venue.url, {}, lambda: not lost.is_set())
        assert [asked.method for asked in venue.asked] == ["GET"] * is_connected
        line.ask("GET", venue.url, {})  # a reading needs no such right
        line.close()


def held_up_request(request: Any, waking: threading.Event) -> Any:
    """Return what sends a request only once it is let."""

    def held(self: HTTPConnection, *words: Any, **options: Any) -> None:
        waking.wait(5)
        request(self, *words, **options)

    return held
