"""The daemon's equipment in a world: its own code from the boot to the pacing, on a virtual machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol

from requests.adapters import BaseAdapter

from qgtm.adapters.alpaca_broker import AlpacaBroker
from qgtm.adapters.alpaca_feed import AlpacaFeed
from qgtm.adapters.audit import Audit
from qgtm.adapters.call_budget import CallBudget
from qgtm.adapters.chain import GENESIS, BadRow, walk
from qgtm.adapters.files import StateDir
from qgtm.adapters.manifest import Difference, Manifest, Package, load_package, manifest_sha
from qgtm.adapters.watchdog_file import WatchdogWord, word_from
from qgtm.config import Config
from qgtm.core.gate import Verdict
from qgtm.exchange.core import Exchange
from qgtm.keys import Endpoints
from qgtm.live.beside import NothingBeside
from qgtm.live.disk import Disk as Room
from qgtm.live.hands import Deed, Hands
from qgtm.live.rig import PACKAGE, Rig
from qgtm.ports import Head
from qgtm.simulation.broker import WeatheredBroker, WeatheredFeed
from qgtm.simulation.disk import (
    Disk,
    MemoryBars,
    MemoryBeat,
    MemoryInbox,
    MemoryKill,
    MemoryLease,
    MemoryRecord,
    MemorySnapshots,
)
from qgtm.simulation.process import Life, VirtualStream, hands_of
from qgtm.simulation.tape import Tape
from qgtm.simulation.timeline import Bell, Spell, Timeline
from qgtm.simulation.weather import Weather

BOOT_ID: Final = "virtual"
# Four that need bars alone and want different things; the house is tried here, not the rules.
SIMULATED: Final = ("tsmom", "donchian_breakout", "gold_silver_ratio", "miners_vs_metal")
ENDLESS: Final = 10**12  # bytes of room: what a full disk does is a fault of the record here


class Ground(Protocol):
    """What a world gives a process to stand on."""

    line: Timeline
    weather: Weather
    chance: Random
    disk: Disk
    exchange: Exchange
    tape: Tape
    config: Config
    state_dir: StateDir
    adapter: Callable[..., BaseAdapter] | None  # the real client's way in, None for none
    tampered: str

    def effect(self, what: str, life: Life) -> None:
        """Count an effect that a process is about to have, or has just had: a crash may fall there."""
        ...

    def request(self, stage: str, method: str, order_id: str, outcome: str, life: Life) -> None:
        """Note that a request left a process, or reached the exchange."""
        ...

    def doing(self, effect: object, is_over: bool) -> None:
        """Hear what a worker begins to do, and that it is done."""
        ...

    def rest(self, seconds: float, is_enough: Callable[[], bool], life: Life) -> None:
        """Let time pass for a process that waits."""
        ...


@cache
def the_package() -> Package:
    """Return what lies on the disk, read once."""
    return load_package(PACKAGE)


@lru_cache(maxsize=4)
def _word(content: bytes) -> WatchdogWord | None:
    return word_from(content)


class Reader:
    """A process's own way to the broker: what a call does to time and trace."""

    def __init__(self, ground: Ground, life: Life) -> None:
        self.weather = ground.weather
        self.chance = ground.chance
        self._ground = ground
        self._life = life

    def spend(self, seconds: float) -> None:
        """Let a call take so long: short ones let the world go on, long ones let the answer come late."""
        life, line = self._life, self._ground.line
        if seconds > 0.5 and life.is_calling:
            life.spent_s += seconds
            return
        line.advance(seconds)
        while life.is_alive and life.paused_until_s > line.process_s:
            line.advance(life.paused_until_s - line.process_s)

    def sent(self, method: str, order_id: str = "") -> None:
        """Note that a request leaves."""
        self._ground.request("send", method, order_id, "", self._life)

    def reached(self, method: str, order_id: str = "", outcome: str = "") -> None:
        """Note what a request did."""
        self._ground.request("apply", method, order_id, outcome, self._life)


@dataclass
class VirtualRig(Rig):
    """A rig on the ground of a world, for one life."""

    ground: Any = field(kw_only=True)
    life: Life = field(kw_only=True)

    def __post_init__(self) -> None:
        ground: Ground = self.ground
        whenever: Any = lambda seconds, is_enough: ground.rest(seconds, is_enough, self.life)  # noqa: E731
        self.stop, self.wake = _any(Bell(whenever)), _any(Bell(whenever))
        self.machine = _any(Spell(ground.line))
        self.pid = self.life.number

    def _effect(self, what: str) -> None:
        self.ground.effect(what, self.life)

    def open_clock(self) -> None:
        """Take the machine's clock, with the error that a fault gives it."""
        self.clock = _any(self.machine)

    def check_prints(self, package: Path) -> tuple[Difference, ...]:
        """Return a difference where somebody tampered with a print."""
        self.package = self.on_disk()
        if self.ground.tampered == "edited":
            return (Difference("edited", "strategies/tsmom", "tsmom was printed as aa and is bb on disk."),)
        return ()

    def on_disk(self) -> Package:
        """Return what lies on the disk: as it was deployed, or whole and something else."""
        whole = the_package()
        if self.ground.tampered == "code":
            return replace(whole, code_sha="0" * 64)
        if self.ground.tampered == "parameters":
            prints = dict(whole.manifest.prints)
            name, entry = next(iter(prints.items()))
            prints[name] = replace(entry, parameters={**entry.parameters, "lookback": 1})
            return replace(whole, manifest=Manifest(prints))
        return whole

    def verdicts(self) -> Mapping[str, Verdict]:
        """Let every strategy trade its whole size: the house is tried here, not the rules."""
        return {}

    def open_record(self) -> None:
        """Open the record on the machine's disk."""
        disk: Disk = self.ground.disk
        self.disk = Room(self.state_dir.root, free=lambda folder: ENDLESS, reserve_bytes=0)
        self.journal = _any(MemoryRecord(disk, self._effect))
        self.snapshots = _any(MemorySnapshots(disk, manifest_sha(self.package.manifest), self._effect))

    def audit(self) -> Audit:
        """Walk the chain from the newest snapshot on."""
        disk: Disk = self.ground.disk
        since: Head = disk.snapshots[-1][0] if disk.snapshots else GENESIS
        for row, problem in walk(disk.rows[since.seq :], since):
            if problem:
                return Audit(0, since, BadRow(row.seq, row.kind, problem))
        return Audit(len(disk.rows) - since.seq, disk.head, None)

    def take_lease(self, least: int) -> None:
        """Take the lease, where no other living process has it."""
        self._effect("lease")
        self.lease = _any(MemoryLease(self.ground.disk, self.life, least))
        self._effect("leased")

    def open_inbox(self) -> None:
        """Open the inbox."""
        self.inbox = _any(MemoryInbox(self.ground.disk))

    def open_beside(self) -> None:
        """Know nothing beside the bars: a world has no other feed."""
        self.beside = NothingBeside()

    def open_bars(self) -> None:
        """Open the store."""
        self.store = _any(MemoryBars(self.ground.disk))

    def open_heartbeat(self) -> None:
        """Begin to beat."""
        self.heartbeat = _any(MemoryBeat(self.ground.disk, self._effect))

    def open_kill_file(self) -> None:
        """Begin to tell the watchdog of the kill switch."""
        self.kill_file = _any(MemoryKill(self.ground.disk))

    def watchdog_word(self) -> WatchdogWord | None:
        """Return what the watchdog said last, None when there is no word of it."""
        disk: Disk = self.ground.disk
        return _word(disk.watchdog) if disk.watchdog else None

    def nonce(self) -> str:
        """Return 256 bits that nobody has used before, drawn from the world's own chance."""
        return f"{self.ground.chance.getrandbits(256):064x}"

    def boot_id(self) -> str:
        """Return the one boot of the virtual machine."""
        return BOOT_ID

    def cool_off_s(self) -> float:
        """Return venue seconds: venue time may run fast here, and a clock that is wrong does not count."""
        ground: Ground = self.ground
        return ground.line.venue_at.timestamp()

    def _broker(self, where: Endpoints, budget: CallBudget, *, is_urgent: bool) -> AlpacaBroker:
        ground: Ground = self.ground
        if ground.adapter is not None:
            way = ground.adapter(ground, Reader(ground, self.life))
            return AlpacaBroker(
                self._alpaca_keys(), where.trading_url, budget, is_urgent=is_urgent, adapter=way
            )
        times = Spell(ground.line)
        wire = Reader(ground, self.life)
        made: AlpacaBroker = _any(WeatheredBroker(ground.exchange, times, wire, budget, is_urgent=is_urgent))
        return made

    def _feed(self, where: Endpoints, budget: CallBudget) -> AlpacaFeed:
        ground: Ground = self.ground
        if ground.adapter is not None:
            return AlpacaFeed(
                self._alpaca_keys(),
                where.data_url,
                budget,
                now=self.clock.now,
                closes_at=lambda day: found.close_at if (found := self.calendar.session_on(day)) else None,
                feed=self.config.broker.feed,
                adapter=ground.adapter(ground, Reader(ground, self.life), is_data=True),
            )
        made: AlpacaFeed = _any(WeatheredFeed(ground.tape, Spell(ground.line), Reader(ground, self.life)))
        return made

    def _hands(self, ordinary: Deed, urgent: Deed) -> Hands:
        ground: Ground = self.ground
        return hands_of(ground.line, self.life, ordinary, urgent, self.wake.set, ground.doing)

    def _order_stream(self, where: Endpoints) -> Any:
        ground: Ground = self.ground
        return VirtualStream(ground.line, self.life, ground.weather, ground.chance, self)

    def connected(self) -> None:
        """Hear that the stream listens."""
        self._connected()

    def dropped(self) -> None:
        """Hear that the stream broke."""
        self.wake.set()

    def lost(self, reason: str) -> None:
        """Hear that three tries failed."""
        self.ground.note("promised", "lost")
        self._lost(reason)

    def hinted(self) -> None:
        """Hear that something happened to an order."""
        self._hinted()

    def vanish(self) -> None:
        """Die: nothing is cleaned up, and only the operating system lets go of the lock."""
        self.life.is_alive = False
        disk: Disk = self.ground.disk
        if disk.lease_lock is self.life:
            disk.lease_lock = None


def _any(stand_in: object) -> Any:
    """Return a stand-in as what it stands for: the rig names the real classes."""
    return stand_in


def rig_on(ground: Any, life: Life, environ: Mapping[str, str]) -> VirtualRig:
    """Return a rig for one life."""
    config = ground.config
    config = replace(
        config,
        daemon=replace(config.daemon, snapshot_every_s=600),
        strategies=replace(config.strategies, enabled=SIMULATED),
    )
    return VirtualRig(config, ground.state_dir, environ, ground=ground, life=life)
