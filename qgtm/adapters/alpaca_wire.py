"""The two sockets of Alpaca, each a small thing that opens, listens and closes.

alpaca-py makes the connection and says who we are; the endless loops around it are ours
(alpaca_stream), since its own retry at random times and lose what a handler cannot take.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol

import msgpack

from qgtm.adapters import alpaca_parse as parse
from qgtm.adapters.alpaca_client import Keys, StockDataStream, TradingStream, address
from qgtm.core.bar import nonsense
from qgtm.core.errors import BrokerError, ConfigError
from qgtm.ports import BrokerOrder

# The dictionary replaces alpaca-py's own, which would see a frozen peer after 200 s (guard 8).
SOCKET: Final = {"ping_interval": 5, "ping_timeout": 5, "close_timeout": 1}
WIRE_LOGS: Final = ("websockets", "websockets.client", "websockets.server", "websockets.protocol")


def mute_wire_logs() -> None:
    """Keep the wire's loggers at INFO or above: at DEBUG they print every frame, the secret too."""
    for name in WIRE_LOGS:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.INFO))
        if not any(isinstance(each, _NoFrames) for each in logger.filters):
            logger.addFilter(_NoFrames())


class _NoFrames(logging.Filter):
    """Holds when somebody sets the level back."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.INFO


mute_wire_logs()


@dataclass(frozen=True, slots=True)
class Listening:
    """The server said that it sends what we asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderHint:
    """Something happened to an order: ask by REST. `order` holds cumulative counts, when readable.

    `raw` is the whole message; its own `price` and `qty` are of one execution and count for nothing.
    """

    event: str
    order: BrokerOrder | None
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteBar:
    """A minute that began at `start_at` (aware UTC): prices in dollars, volume in shares."""

    symbol: str
    start_at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingStatus:
    """A halt or its end, in the tape's own codes."""

    symbol: str
    code: str
    reason: str
    at: datetime | None


Heard = Listening | OrderHint | MinuteBar | TradingStatus


class Wire(Protocol):
    """One connection: opened, heard until it breaks (then it raises), closed."""

    async def open(self) -> None:
        """Connect and ask for what is wanted; raise when that fails."""

    async def heard(self) -> Sequence[Heard]:
        """Wait for a frame; raise when the connection breaks."""
        ...

    async def close(self) -> None:
        """Say goodbye."""

    def abort(self) -> None:
        """Drop the connection without goodbye."""


class OrderWire:
    """The account's `trade_updates`."""

    def __init__(self, keys: Keys, url: str) -> None:
        self._stream = TradingStream(
            keys.key_id,
            keys.secret,
            raw_data=True,
            url_override=address(url, "ws"),
            websocket_params=dict(SOCKET),
        )
        self._stream.subscribe_trade_updates(_unused)
        self._socket: Any = None

    async def open(self) -> None:
        """Connect, say who we are, ask for the updates; raise when one of it fails."""
        await self._stream._start_ws()  # type: ignore[no-untyped-call]

    async def heard(self) -> Sequence[Heard]:
        """Wait for a frame; raise when the connection breaks."""
        return heard_from(await _socket_of(self._stream).recv())

    async def close(self) -> None:
        """Say goodbye."""
        self._socket = _socket_of(self._stream) or self._socket  # alpaca-py forgets it, closed or not
        await self._stream.close()

    def abort(self) -> None:
        """Drop the connection without goodbye."""
        _abort(_socket_of(self._stream) or self._socket)


class BarWire:
    """Minute bars and halts of some symbols."""

    def __init__(self, keys: Keys, url: str, symbols: Sequence[str]) -> None:
        if not symbols:
            raise ConfigError("a bar stream without a symbol would spin; name at least one")
        self._stream = StockDataStream(
            keys.key_id,
            keys.secret,
            raw_data=True,
            url_override=address(url, "ws"),
            websocket_params=dict(SOCKET),
        )
        self._stream.subscribe_bars(_unused, *symbols)
        self._stream.subscribe_trading_statuses(_unused, *symbols)
        self._socket: Any = None

    async def open(self) -> None:
        """Connect, say who we are, subscribe; raise when one of it fails."""
        await self._stream._start_ws()
        await self._stream._send_subscribe_msg()

    async def heard(self) -> Sequence[Heard]:
        """Wait for a frame; raise when the connection breaks or the server reports an error."""
        return prices_from(await _socket_of(self._stream).recv())

    async def close(self) -> None:
        """Say goodbye."""
        self._socket = _socket_of(self._stream) or self._socket  # alpaca-py forgets it, closed or not
        await self._stream.close()

    def abort(self) -> None:
        """Drop the connection without goodbye."""
        _abort(_socket_of(self._stream) or self._socket)


def _socket_of(stream: Any) -> Any:
    return stream._ws  # None before it is open and after it was closed


def _abort(socket: Any) -> None:
    if socket is not None and socket.transport is not None:
        socket.transport.abort()


async def _unused(_message: object) -> None:
    """Stand where alpaca-py wants a handler; the frames are read above it."""


def heard_from(frame: str | bytes) -> tuple[Listening | OrderHint, ...]:
    """Return what a frame of the order stream says; one that cannot be read is a hint as well."""
    try:
        message = json.loads(frame, parse_float=Decimal)
    except (ValueError, RecursionError):
        return (OrderHint(event="unreadable", order=None, raw={}),)
    stream = message.get("stream") if isinstance(message, Mapping) else None
    body = message.get("data") if isinstance(message, Mapping) else None
    if stream == "listening":
        streams = body.get("streams") if isinstance(body, Mapping) else None
        return (Listening(),) if "trade_updates" in (streams or ()) else ()
    if stream != "trade_updates":
        return ()
    return (_hint_from(body),)


def _hint_from(body: object) -> OrderHint:
    if not isinstance(body, Mapping):
        return OrderHint(event="unreadable", order=None, raw={})
    try:
        order = parse.order(body.get("order"))
    except BrokerError:
        order = None
    return OrderHint(event=str(body.get("event")), order=order, raw=body)


def prices_from(frame: bytes) -> tuple[Listening | MinuteBar | TradingStatus, ...]:
    """Return what a frame of the data stream says, leaving out bars that cannot be true.

    Raises ConnectionError for an error that the server reports, ValueError for an unreadable frame.
    """
    messages = msgpack.unpackb(frame)
    if not isinstance(messages, list):
        raise ValueError("a frame of the data stream is no list")
    found = (_price_from(message) for message in messages if isinstance(message, Mapping))
    return tuple(one for one in found if one is not None)


def _price_from(message: Mapping[str, Any]) -> Listening | MinuteBar | TradingStatus | None:
    kind = message.get("T")
    if kind == "error":
        raise ConnectionError(f"the data stream reports {message.get('code')}: {message.get('msg')}")
    if kind == "subscription":
        return Listening() if message.get("bars") else None
    if kind == "s":
        code, reason = str(message.get("sc", "")), str(message.get("rm") or message.get("rc") or "")
        at = _moment(message.get("t"))
        return TradingStatus(symbol=str(message.get("S", "")), code=code, reason=reason, at=at)
    return _minute(message) if kind == "b" else None


def _minute(message: Mapping[str, Any]) -> MinuteBar | None:
    figures = [message.get(name) for name in "ohlcv"]
    values = [float(figure) for figure in figures if isinstance(figure, int | float)]
    start_at = _moment(message.get("t"))
    if start_at is None or len(values) < len(figures) or nonsense(*values):
        return None
    names = ("open", "high", "low", "close", "volume")
    return MinuteBar(
        symbol=str(message.get("S", "")), start_at=start_at, **dict(zip(names, values, strict=True))
    )


def _moment(stamp: object) -> datetime | None:
    return stamp.to_datetime() if isinstance(stamp, msgpack.Timestamp) else None
