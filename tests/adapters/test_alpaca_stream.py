"""The stream's watch over its connection, on a wire without sockets and on real ones."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from threading import Event, Thread
from typing import Any

import msgpack
import pytest
from websockets.asyncio.server import ServerConnection, serve

from qgtm.adapters import alpaca_wire
from qgtm.adapters.alpaca_stream import BarStream, OrderStream, StreamState, Supervisor
from qgtm.adapters.alpaca_wire import Heard, Listening, OrderHint, heard_from, prices_from
from qgtm.core.errors import ConfigError
from qgtm.core.order import OrderState
from tests.adapters.alpaca_venue import KEYS

UPDATE = {
    "stream": "trade_updates",
    "data": {
        "event": "partial_fill",
        "price": "183.2",
        "qty": "1",
        "execution_id": "e-1",
        "order": {
            "id": "b-1",
            "client_order_id": "qgtm-1-rebalance-20240105-GLD-1",
            "symbol": "GLD",
            "qty": "7",
            "filled_qty": "4",
            "filled_avg_price": "183.1",
            "side": "buy",
            "status": "partially_filled",
            "updated_at": "2024-01-05T15:00:01Z",
        },
    },
}


class Notes:
    """What a stream said, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []
        self.came = Event()

    def hear(self, word: str, *what: Any) -> None:
        self.said.append((word, what[0] if what else None))
        self.came.set()

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            f"on_{word}": lambda *what, word=word: self.hear(word, *what)
            for word in ("hint", "connected", "dropped", "lost")
        }

    @property
    def words(self) -> list[str]:
        return [word for word, _ in self.said]

    def wait(self, condition: Callable[["Notes"], bool], seconds: float = 8.0) -> bool:
        end = time.monotonic() + seconds
        while not condition(self) and time.monotonic() < end:
            self.came.clear()
            self.came.wait(0.02)
        return condition(self)


# --- a wire without sockets ---------------------------------------------------------------------


class PlayedWire:
    """Plays a list: a frame is heard, an exception raised, a number waited."""

    def __init__(self, frames: Sequence[Heard | Exception | float]) -> None:
        self.frames = list(frames)
        self.is_closed = False

    async def open(self) -> None:
        await asyncio.sleep(0)

    async def heard(self) -> Sequence[Heard]:
        frame = self.frames.pop(0) if self.frames else 3600.0
        if isinstance(frame, Exception):
            raise frame
        if isinstance(frame, float):
            await asyncio.sleep(frame)
            return ()
        return (frame,)

    async def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True


HINT = OrderHint(event="fill", order=None, raw={})
FAST = (0.01, 0.01, 0.01, 0.01, 0.05)


@contextmanager
def played(*lives: Sequence[Heard | Exception | float], **options: Any) -> Iterator[tuple[Supervisor, Notes]]:
    """Play one list after the other, the last one again and again."""
    left, notes, wires = list(lives), Notes(), []

    def wire() -> PlayedWire:
        wires.append(PlayedWire(left.pop(0) if len(left) > 1 else left[0]))
        return wires[-1]

    ours = Supervisor(wire, **({"back_off_s": FAST} | options | notes.callbacks()))
    ours.start()
    try:
        yield ours, notes
    finally:
        assert ours.stop()
        assert all(each.is_closed for each in wires)
        assert ours.state is StreamState.STOPPED


def test_hints_come_after_the_stream_listens() -> None:
    with played([Listening(), HINT, HINT]) as (ours, notes):
        assert ours.wait_listening(2)
        assert notes.wait(lambda n: n.words == ["connected", "hint", "hint"])
        assert ours.state is StreamState.LISTENING


@pytest.mark.fault("B1")
def test_a_drop_is_told_and_the_next_listening_asks_for_a_back_fill() -> None:
    with played([Listening(), ConnectionResetError("peer")], [Listening()]) as (_, notes):
        assert notes.wait(lambda n: n.words == ["connected", "dropped", "connected"])
        assert "peer" in notes.said[1][1]


@pytest.mark.fault("B2")
@pytest.mark.invariant("V14")
def test_three_failed_tries_lose_the_stream_once_and_tries_go_on_until_one_succeeds() -> None:
    fails = [[OSError("no")]] * 7
    with played([Listening(), OSError("gone")], *fails, [Listening()]) as (ours, notes):
        assert notes.wait(lambda n: n.words == ["connected", "dropped", "lost", "connected"])
        assert ours.is_listening


def test_a_stream_that_never_listens_is_disconnected_after_its_first_try() -> None:
    with played([3600.0], listen_s=0.1, back_off_s=(30.0,)) as (ours, notes):
        time.sleep(0.3)
        assert ours.state is StreamState.DISCONNECTED
        assert not ours.wait_listening(0.1)
        assert notes.words == []


@pytest.mark.fault("B2")
def test_a_connection_that_breaks_at_once_every_time_is_lost_too() -> None:
    with played([Listening(), OSError("flapping")]) as (_, notes):
        assert notes.wait(lambda n: "lost" in n.words)
        assert notes.words[:7] == ["connected", "dropped"] * 3 + ["lost"]


def test_tries_that_are_refused_at_once_are_still_spread() -> None:
    began_s = time.monotonic()
    with played([OSError("refused")], back_off_s=(0.01, 0.3, 0.3, 0.3)) as (_, notes):
        assert notes.wait(lambda n: "lost" in n.words)
        assert time.monotonic() - began_s >= 0.6  # the first at once, two more 0.3 s apart


@pytest.mark.fault("B2")
def test_three_tries_that_hear_nothing_take_less_than_thirty_seconds() -> None:
    from qgtm.adapters.alpaca_stream import BACK_OFF_S, LISTEN_S, TRIES

    began_s = BACK_OFF_S[0]
    for gap_s in BACK_OFF_S[1:TRIES]:
        began_s += max(gap_s, LISTEN_S + BACK_OFF_S[0])
    whole_s = began_s + LISTEN_S
    assert whole_s < 30.0
    assert began_s > 15.0  # refused at once: a server that is back after fifteen seconds was not lost
    assert whole_s + sum(alpaca_wire.SOCKET.values()) < 35.0  # after a freeze: ping, its time-out, goodbye
    assert LISTEN_S < 10.0
    assert max(BACK_OFF_S) == 30.0


@pytest.mark.fault("B8")
def test_a_listener_that_fails_does_not_end_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    notes = Notes()
    broken = notes.callbacks() | {"on_hint": lambda _: [][1]}
    ours = Supervisor(lambda: PlayedWire([Listening(), HINT, HINT]), back_off_s=FAST, **broken)
    ours.start()
    assert ours.wait_listening(2)
    deadline = time.monotonic() + 3
    while caplog.text.count("polling closes the gap") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ours.state is StreamState.LISTENING
    assert ours.stop()
    assert caplog.text.count("polling closes the gap") == 2


def test_a_stream_may_be_stopped_before_it_began_and_twice() -> None:
    ours = Supervisor(lambda: PlayedWire([]), **Notes().callbacks())
    assert ours.stop()
    ours.start()
    assert ours.stop()
    assert ours.stop()


# --- frames -------------------------------------------------------------------------------------


def test_a_frame_gives_cumulative_counts_as_bytes_and_as_text() -> None:
    for frame in (json.dumps(UPDATE), json.dumps(UPDATE).encode()):
        (hint,) = heard_from(frame)
        assert isinstance(hint, OrderHint)
        assert hint.order is not None
        assert (hint.event, hint.order.filled_quantity) == ("partial_fill", Decimal(4))
        assert hint.order.state is OrderState.WORKING
        assert hint.raw["execution_id"] == "e-1"


@pytest.mark.fault("B8")
@pytest.mark.parametrize(
    "frame",
    [b"\xff\xfe", b"{", b"[" * 99_999, json.dumps({"stream": "trade_updates", "data": 3}),
     json.dumps({"stream": "trade_updates", "data": {"event": "x", "order": {"id": 5}}})],
)  # fmt: skip
def test_a_frame_that_cannot_be_read_is_still_a_hint(frame: str | bytes) -> None:
    (hint,) = heard_from(frame)
    assert isinstance(hint, OrderHint)
    assert hint.order is None


@pytest.mark.parametrize(
    "frame", ["3", "null", "[]", "{}", '{"stream": "authorization"}', '{"stream": "listening"}']
)
def test_other_frames_say_nothing(frame: str) -> None:
    assert heard_from(frame) == ()


@pytest.mark.fault("A13")
def test_an_unknown_event_and_status_pass_with_their_words() -> None:
    update = json.loads(json.dumps(UPDATE))
    update["data"] |= {"event": "moon_landing", "order": update["data"]["order"] | {"status": "lunar"}}
    (hint,) = heard_from(json.dumps(update))
    assert isinstance(hint, OrderHint)
    assert hint.order is not None
    assert (hint.event, hint.order.status, hint.order.state) == ("moon_landing", "lunar", OrderState.WORKING)


def bar(**changes: Any) -> dict[str, Any]:
    body = {"T": "b", "S": "GLD", "o": 183.0, "h": 183.5, "l": 182.9, "c": 183.1, "v": 900}
    return body | {"t": msgpack.Timestamp(1704466800, 0)} | changes


@pytest.mark.fault("E3")
def test_minute_bars_and_halts_are_read_and_nonsense_is_left_out() -> None:
    frame = [bar(), bar(h=1), bar(o=float("nan")), bar(c=-1), bar(t="noon"), bar(T="q")]
    halt = {"T": "s", "S": "GLD", "sc": "H", "rc": "T12", "t": msgpack.Timestamp(1704466801, 5)}
    found = prices_from(msgpack.packb([*frame, halt]))
    assert [type(one).__name__ for one in found] == ["MinuteBar", "TradingStatus"]
    assert found[0].start_at.isoformat() == "2024-01-05T15:00:00+00:00"  # type: ignore[union-attr]
    assert (found[1].code, found[1].reason) == ("H", "T12")  # type: ignore[union-attr]


def test_an_error_on_the_data_stream_breaks_the_connection() -> None:
    with pytest.raises(ConnectionError, match="405"):
        prices_from(msgpack.packb([{"T": "error", "code": 405, "msg": "symbol limit exceeded"}]))


def test_a_bar_stream_without_symbols_is_refused() -> None:
    with pytest.raises(ConfigError):
        alpaca_wire.BarWire(KEYS, "ws://127.0.0.1:1/v2/iex", ())


# --- real sockets -------------------------------------------------------------------------------


class SocketVenue:
    """A websocket server in a thread; `script` says what one connection hears."""

    def __init__(self, script: Callable[[ServerConnection, int], Any]) -> None:
        self.script = script
        self.count = 0
        self.ready = Event()
        self.url = ""
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread = Thread(target=lambda: asyncio.run(self.run()))

    async def run(self) -> None:
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        async with serve(self.one, "127.0.0.1", 0, close_timeout=0.1) as server:
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream"
            self.ready.set()
            await self.over.wait()

    async def one(self, connection: ServerConnection) -> None:
        self.count += 1
        await self.script(connection, self.count)

    def __enter__(self) -> "SocketVenue":
        self.thread.start()
        assert self.ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(5)


async def greeted(connection: ServerConnection, *, is_binary: bool = True) -> None:
    """Alpaca's first frames: authorization, then listening."""
    asked = json.loads(await connection.recv())
    assert asked == {
        "action": "authenticate",
        "data": {"key_id": KEYS.key_id, "secret_key": KEYS.secret},
    }
    answer = {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}
    await connection.send(json.dumps(answer).encode() if is_binary else json.dumps(answer))
    assert json.loads(await connection.recv())["action"] == "listen"
    await connection.send(
        json.dumps({"stream": "listening", "data": {"streams": ["trade_updates"]}}).encode()
    )


def test_the_order_stream_hears_updates_and_after_a_drop_connects_again() -> None:
    async def script(connection: ServerConnection, count: int) -> None:
        await greeted(connection, is_binary=count == 1)
        await connection.send(json.dumps(UPDATE).encode())
        if count > 1:
            await connection.wait_closed()

    notes = Notes()
    with SocketVenue(script) as venue:
        ours = OrderStream(KEYS, venue.url, back_off_s=FAST, **notes.callbacks())
        ours.start()
        assert notes.wait(lambda n: n.words == ["connected", "hint", "dropped", "connected", "hint"])
        began = time.monotonic()
        assert ours.stop()
        assert time.monotonic() - began < 2.0
    assert notes.said[1][1].order.filled_quantity == Decimal(4)


@pytest.mark.fault("A10", "B5")
def test_keys_that_are_refused_leave_the_stream_disconnected_and_lost() -> None:
    async def script(connection: ServerConnection, _count: int) -> None:
        await connection.recv()
        await connection.send(json.dumps({"stream": "authorization", "data": {"status": "unauthorized"}}))

    notes = Notes()
    with SocketVenue(script) as venue:
        ours = OrderStream(KEYS, venue.url, back_off_s=FAST, **notes.callbacks())
        ours.start()
        assert notes.wait(lambda n: n.words == ["lost"])
        assert ours.state is not StreamState.LISTENING
        assert KEYS.secret not in notes.said[0][1]
        assert ours.stop()


@pytest.mark.fault("B3", "B4")
def test_a_server_that_accepts_and_says_nothing_never_counts_as_listening() -> None:
    async def script(connection: ServerConnection, _count: int) -> None:
        await connection.wait_closed()

    notes = Notes()
    with SocketVenue(script) as venue:
        ours = OrderStream(KEYS, venue.url, back_off_s=FAST, listen_s=0.3, **notes.callbacks())
        ours.start()
        assert notes.wait(lambda n: n.words == ["lost"])
        assert ours.stop()


@pytest.mark.fault("B4")
def test_a_frozen_peer_is_seen_within_fifteen_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = alpaca_wire.SOCKET
    assert settings == {"ping_interval": 5, "ping_timeout": 5, "close_timeout": 1}
    # the same three settings, ten times as fast
    monkeypatch.setattr(
        alpaca_wire, "SOCKET", {"ping_interval": 0.5, "ping_timeout": 0.5, "close_timeout": 0.1}
    )
    frozen = Event()

    async def script(connection: ServerConnection, count: int) -> None:
        await greeted(connection)
        if count == 1:
            frozen.set()
            time.sleep(2.5)  # the whole server stands still: no pong, no goodbye

    notes = Notes()
    with SocketVenue(script) as venue:
        ours = OrderStream(KEYS, venue.url, back_off_s=FAST, **notes.callbacks())
        ours.start()
        assert frozen.wait(5)
        began = time.monotonic()
        assert notes.wait(lambda n: "dropped" in n.words)
        assert time.monotonic() - began < 1.5  # 15 s at full length
        assert ours.stop()


def test_stopping_does_not_wait_for_a_frozen_peer() -> None:
    frozen = Event()

    async def script(connection: ServerConnection, _count: int) -> None:
        await greeted(connection)
        frozen.set()
        time.sleep(3)

    notes = Notes()
    with SocketVenue(script) as venue:
        ours = OrderStream(KEYS, venue.url, back_off_s=FAST, **notes.callbacks())
        ours.start()
        assert frozen.wait(5)
        assert notes.wait(lambda n: "connected" in n.words)
        began = time.monotonic()
        assert ours.stop()
        assert time.monotonic() - began < 2.0


@pytest.mark.fault("B6")
def test_a_refused_handshake_counts_as_a_failed_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/stream"

        def refuse() -> None:
            for _ in range(3):
                sock, _ = listener.accept()
                with sock:
                    sock.recv(4096)
                    sock.sendall(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")

        thread = Thread(target=refuse)
        thread.start()
        notes = Notes()
        ours = OrderStream(KEYS, url, back_off_s=(0.01, 0.01, 0.01, 30.0), **notes.callbacks())
        ours.start()
        assert notes.wait(lambda n: n.words == ["lost"])
        assert "429" in notes.said[0][1]
        assert ours.stop()
        thread.join(5)


def test_the_bar_stream_subscribes_and_hears_bars() -> None:
    asked: list[Any] = []

    async def script(connection: ServerConnection, _count: int) -> None:
        await connection.send(msgpack.packb([{"T": "success", "msg": "connected"}]))
        asked.append(msgpack.unpackb(await connection.recv()))
        await connection.send(msgpack.packb([{"T": "success", "msg": "authenticated"}]))
        asked.append(msgpack.unpackb(await connection.recv()))
        await connection.send(msgpack.packb([{"T": "subscription", "bars": ["GLD"], "statuses": ["GLD"]}]))
        await connection.send(msgpack.packb([bar()]))
        await connection.wait_closed()

    notes = Notes()
    with SocketVenue(script) as venue:
        ours = BarStream(KEYS, venue.url, ("GLD",), back_off_s=FAST, **notes.callbacks())
        ours.start()
        assert notes.wait(lambda n: n.words == ["connected", "hint"])
        assert ours.stop()
    assert notes.said[1][1].close == 183.1
    assert asked[1] == {"action": "subscribe", "bars": ["GLD"], "statuses": ["GLD"]}


# --- the secret ---------------------------------------------------------------------------------


@pytest.mark.fault("J13")
@pytest.mark.invariant("V27")
def test_at_debug_level_no_logger_prints_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    async def script(connection: ServerConnection, _count: int) -> None:
        await greeted(connection)
        await connection.wait_closed()

    notes = Notes()
    with caplog.at_level(logging.DEBUG), SocketVenue(script) as venue:
        for name in alpaca_wire.WIRE_LOGS:  # somebody turns everything up
            logging.getLogger(name).setLevel(logging.DEBUG)
        ours = OrderStream(KEYS, venue.url, back_off_s=FAST, **notes.callbacks())
        ours.start()
        assert notes.wait(lambda n: "connected" in n.words)
        assert ours.stop()
    alpaca_wire.mute_wire_logs()
    # a frame is printed with its middle left out, so the whole secret is never found: no frame may be
    assert [record.name for record in caplog.records if record.name == "asyncio"]
    frames = [record for record in caplog.records if record.name.startswith("websockets")]
    assert all(record.levelno >= logging.INFO for record in frames)
    assert KEYS.secret[-10:] not in caplog.text
    assert KEYS.key_id not in caplog.text
