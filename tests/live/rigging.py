"""A rig whose broker, feed and stream are the exchange's core in process, on a venue clock that stands."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from qgtm.adapters.calendar import xnys
from qgtm.adapters.clock import Anchor, boot_id
from qgtm.adapters.files import StateDir, write_atomic
from qgtm.config import load_config
from qgtm.core.errors import BrokerError
from qgtm.core.events import BootStepFinished, Event
from qgtm.exchange.core import Exchange
from qgtm.exchange.market.recorded import RecordedMarket
from qgtm.live.boot import boot
from qgtm.live.hands import Answer
from qgtm.live.rig import Rig
from qgtm.ports import Account, BrokerOrder, BrokerPosition
from qgtm.simulation.direct import DirectBroker, DirectFeed

REPO: Final = Path(__file__).resolve().parents[2]
TODAY: Final = date(2023, 2, 1)
STARTED: Final = datetime.fromisoformat("2023-02-01T14:00:00+00:00")  # half an hour before the open
NUMBER: Final = "PAPER"


class Hands:
    """Hands that only write down what they are asked for; the test says what the answers are."""

    def __init__(self) -> None:
        self.wanted: list[Any] = []
        self.waiting: list[Answer] = []

    def start(self, effect: Any) -> None:
        self.wanted.append(effect)

    def answers(self) -> list[Answer]:
        ready, self.waiting = self.waiting, []
        return ready

    def is_flying(self, kind: type) -> bool:
        return False

    def hurry(self, key: str) -> None:
        return None

    def close(self) -> None:
        return None


class Broker(DirectBroker):
    """The exchange's core, with what a test wants otherwise."""

    failures: int = 0
    account_changes: dict[str, Any]
    extra: tuple[BrokerPosition, ...] = ()
    asked: list[str]

    def _ask(self, what: str) -> None:
        self.__dict__.setdefault("asked", []).append(what)
        if self.failures:
            self.failures -= 1
            raise BrokerError("no answer for the account: connection refused; ask again later")

    def account(self) -> Account:
        self._ask("account")
        return replace(super().account(), **self.__dict__.get("account_changes", {}))

    def positions(self) -> tuple[BrokerPosition, ...]:
        self._ask("positions")
        return super().positions() + self.extra

    def orders(self, *, after: datetime | None = None, is_open: bool = False) -> tuple[BrokerOrder, ...]:
        self._ask("orders")
        return super().orders(after=after, is_open=is_open)

    def close(self) -> None:
        return None


@dataclass
class Stage:
    """A folder, a market and an exchange that outlive the rigs which boot on them."""

    folder: Path
    bars: Path
    changes: tuple[tuple[str, str], ...] = ()
    said: list[BootStepFinished] = field(default_factory=list)

    def __post_init__(self) -> None:
        text = (REPO / "qgtm_config.toml").read_text(encoding="utf-8")
        for old, new in self.changes:
            assert re.search(re.escape(old), text), f"{old!r} is not in qgtm_config.toml"
            text = text.replace(old, new)
        self.config = self.folder / "qgtm_config.toml"
        self.config.write_text(text, encoding="utf-8")
        self.market = RecordedMarket(self.bars, 7)
        self.exchange = Exchange(self.market, start=STARTED, seed=7, cash=Decimal(250_000))
        self.state.exchange.mkdir(parents=True)
        self.set_time(STARTED)

    @property
    def state(self) -> StateDir:
        return StateDir(self.folder / "var")

    def set_time(self, at: datetime) -> None:
        anchor = Anchor(
            venue_at=at,
            monotonic_at=0.0,
            wall_at=at,
            boot_id=boot_id(),
            speed=0.0,
            held_by=(),
            mode="stepped",
        )
        write_atomic(self.state.exchange / "venue.json", anchor.text().encode())
        self.exchange.advance(at)

    def rig(self, **environ: str) -> "StagedRig":
        return StagedRig(load_config(self.config, {}), self.state, environ, stage=self)

    def boot(self, rig: "StagedRig") -> bool:
        self.said.clear()
        return boot(rig, self.said.append)


@dataclass
class StagedRig(Rig):
    """A rig that connects to the stage instead of sockets."""

    stage: Stage = field(kw_only=True)
    is_listening: bool = True
    prepare: Callable[["StagedRig"], None] = lambda rig: None

    def connect(self) -> None:
        self.calendar = xnys()
        self.broker = Broker(self.stage.exchange, self.stage.market, self.clock)
        self.feed = DirectFeed(self.stage.market, self.clock)
        self.hands = Hands()
        self.stream = SimpleNamespace(
            start=lambda: None,
            stop=lambda: True,
            wait_listening=lambda timeout_s: self.is_listening,
            is_listening=self.is_listening,
        )
        self.prepare(self)

    def facts(self, *kinds: type[Event]) -> list[Any]:
        return [e.event for e in self.journal.read() if not kinds or isinstance(e.event, kinds)]


def position(symbol: str, quantity: int) -> BrokerPosition:
    return BrokerPosition(
        symbol=symbol,
        quantity=Decimal(quantity),
        available=Decimal(quantity),
        mark=Decimal(50),
        mean_entry_price=Decimal(50),
    )


def names(steps: Sequence[BootStepFinished]) -> list[tuple[int, bool]]:
    return [(step.number, step.is_ok) for step in steps]
