"""What a daemon works with, built during its boot."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event as Flag

import qgtm
from qgtm.adapters.alpaca_broker import AlpacaBroker
from qgtm.adapters.alpaca_client import Keys as AlpacaKeys
from qgtm.adapters.alpaca_feed import AlpacaFeed
from qgtm.adapters.alpaca_stream import OrderStream
from qgtm.adapters.audit import Audit, verify
from qgtm.adapters.calendar import Calendar, xnys
from qgtm.adapters.call_budget import CallBudget
from qgtm.adapters.card_file import verdicts
from qgtm.adapters.chain import GENESIS
from qgtm.adapters.chance import random_hex
from qgtm.adapters.clock import SystemClock, VenueClock, boot_id
from qgtm.adapters.files import StateDir
from qgtm.adapters.heartbeat import HeartbeatFile
from qgtm.adapters.inbox import Inbox
from qgtm.adapters.journal import SqliteJournal
from qgtm.adapters.kill_file import KillFile, KillWord
from qgtm.adapters.lease import Lease
from qgtm.adapters.manifest import Difference, Package, load_package, manifest_sha, verify_prints
from qgtm.adapters.proof import Proven, Prover, site_of
from qgtm.adapters.quarantine import Released
from qgtm.adapters.snapshot import Snapshots, known_heads
from qgtm.adapters.store import BarStore
from qgtm.adapters.watchdog_file import WatchdogWord, load_watchdog
from qgtm.config import Config
from qgtm.core.errors import FeedError
from qgtm.core.events import AlertRaised, DataReleased, Event
from qgtm.core.gate import Verdict
from qgtm.core.instant import text_from_instant
from qgtm.core.order import Order
from qgtm.core.request import Credential, Proof
from qgtm.engine.act import Seal
from qgtm.engine.authority import Moment
from qgtm.engine.live_loop import is_wanted
from qgtm.features.history import History
from qgtm.keys import Endpoints, Keys, Venue, endpoints
from qgtm.live.beside import Beside, LookAtFeeds, NothingBeside, StoreBeside
from qgtm.live.collect import STATUS
from qgtm.live.disk import Disk
from qgtm.live.hands import Deed, Done, Hands, Wanted
from qgtm.live.kernel import Kernel
from qgtm.live.perform import World, perform
from qgtm.live.reconciliation import ReadBooks, read_books
from qgtm.live.scale import Scale

PACKAGE = Path(qgtm.__file__).parent
# The embedded exchange takes any keys; these make its logs readable.
EMBEDDED_KEYS = AlpacaKeys("PKEMBEDDED", "embedded")

CLOSING = (
    ("stream", "stop"),
    ("hands", "close"),
    ("broker", "close"),
    ("inbox", "close"),
    ("store", "close"),
    ("lease", "release"),
    ("journal", "close"),
)


def done(wanted: Wanted, world: World) -> Done:
    """Do what is wanted, on a worker's own connection."""
    if isinstance(wanted, LookAtFeeds):
        return world.beside.judged(world.clock.now())
    if isinstance(wanted, ReadBooks):
        return read_books(world.broker, wanted.live, world.clock.now())
    return perform(wanted, world)


@dataclass
class Rig:
    """All of a daemon's equipment. The first fields are given; the boot fills the rest, step by step."""

    config: Config
    state_dir: StateDir
    environ: Mapping[str, str]
    stop: Flag = field(default_factory=Flag)
    wake: Flag = field(default_factory=Flag)
    is_resync_due: bool = False
    is_stream_lost: str = ""

    keys: Keys = field(init=False)
    venue: Venue = field(init=False)
    clock: SystemClock | VenueClock = field(init=False)
    calendar: Calendar = field(init=False)
    journal: SqliteJournal = field(init=False)
    snapshots: Snapshots = field(init=False)
    disk: Disk = field(init=False)
    package: Package = field(init=False)  # as it was when this daemon started
    lease: Lease = field(init=False)
    store: BarStore = field(init=False)
    beside: Beside = field(init=False, default_factory=NothingBeside)
    inbox: Inbox = field(init=False)
    heartbeat: HeartbeatFile = field(init=False)
    kill_file: KillFile = field(init=False)
    history: History = field(init=False)
    kernel: Kernel = field(init=False)
    broker: AlpacaBroker = field(init=False)
    feed: AlpacaFeed = field(init=False)
    hands: Hands = field(init=False)
    stream: OrderStream = field(init=False)
    pid: int = field(default_factory=os.getpid)
    last_broker_at: datetime | None = None
    machine: SystemClock = field(default_factory=SystemClock)  # what steps and beats are timed by
    scale: Scale = field(default_factory=Scale)

    # -- what this machine keeps: a simulation keeps it in memory ----------------------------

    def open_clock(self) -> None:
        """Choose the clock: the embedded exchange keeps venue time in a file."""
        embedded = self.venue == "embedded"
        self.clock = VenueClock(self.state_dir.exchange / "venue.json") if embedded else SystemClock()

    def check_prints(self, package: Path) -> tuple[Difference, ...]:
        """Load what lies in `package` and return every print that differs from its manifest."""
        self.package = load_package(package)
        return verify_prints(package, self.package.manifest)

    def verdicts(self) -> Mapping[str, Verdict]:
        """Return what the gates say of each enabled strategy, by its card in `reports`."""
        reports = self.config.path.parent / "reports"
        return verdicts(reports, self.package.manifest, self.config.strategies.enabled)

    def on_disk(self) -> Package:
        """Return what lies on the disk now. Raises ExportError when it cannot be read."""
        return load_package(PACKAGE)

    def open_record(self) -> None:
        """Open the journal and the snapshots beside it, with room held back. Raises JournalError."""
        self.disk = Disk(self.state_dir.root)
        self.disk.prepare()
        self.journal = SqliteJournal(self.state_dir.journal)
        self.snapshots = Snapshots(self.state_dir.snapshots, manifest_sha(self.package.manifest))

    def audit(self) -> Audit:
        """Walk the journal's chain from the newest snapshot on, and hold it against all of them."""
        heads = known_heads(self.state_dir.snapshots)
        newest = max(heads, key=lambda head: head.seq, default=GENESIS)
        return verify(self.state_dir.journal, since=newest, anchors=heads)

    def take_lease(self, least: int) -> None:
        """Take the lease, with an epoch above `least`. Raises JournalLocked when a daemon has it."""
        self.lease = Lease(self.state_dir.lease, least=least)

    def open_inbox(self) -> None:
        """Open the operators' commands. Raises JournalError."""
        self.inbox = Inbox(self.state_dir.inbox)

    def open_bars(self) -> None:
        """Open the local copy of the bars. Raises JournalError."""
        self.store = BarStore(self.state_dir.bars)

    def open_beside(self) -> None:
        """Open what `qgtm feeds` keeps beside the bars. Raises FeedError."""
        read = {feed for strategy in self.kernel.desk.strategies for feed in strategy.feeds}
        self.beside = StoreBeside(self.state_dir.store, self.state_dir.feeds / STATUS, read)

    def learn_releases(self) -> None:
        """Take in which bars a person has found true; a file that cannot be read is told, no more."""
        try:
            self.scale.release(Released(self.state_dir.released).items())
        except FeedError as problem:
            self._tell_of_releases(problem)

    def keep_releases(self, facts: Iterable[Event]) -> None:
        """Put down which values were released, for the collector of feeds and for the next start."""
        for fact in facts:
            if isinstance(fact, DataReleased):
                self.scale.release([fact.item])
                try:
                    Released(self.state_dir.released).add(fact.item, fact.by, fact.reason, self.clock.now())
                except FeedError as problem:
                    self._tell_of_releases(problem)

    def _tell_of_releases(self, problem: FeedError) -> None:
        alert = AlertRaised(level="yellow", cause="released", text=str(problem))
        self.kernel.take(alert, self.clock.now())

    def open_heartbeat(self) -> None:
        """Begin to beat."""
        self.heartbeat = HeartbeatFile(self.state_dir.heartbeat)

    def boot_id(self) -> str:
        """Return what tells one boot of the machine from another."""
        return boot_id()

    # -- the kill switch and the persons -----------------------------------------------------

    def open_kill_file(self) -> None:
        """Begin to tell the watchdog of the kill switch."""
        self.kill_file = KillFile(self.state_dir.kill)

    def tell_watchdog(self) -> None:
        """Tell the watchdog how the kill switch stands. Raises JournalError when the disk refuses."""
        state = self.kernel.state
        since = state.switch.since
        self.kill_file.write(
            KillWord(
                mode=state.switch.mode.value,
                kill_epoch=state.switch.kill_epoch,
                since=None if since is None else text_from_instant(since),
                command_id=state.command_id,
            )
        )

    def watchdog_word(self) -> WatchdogWord | None:
        """Return what the watchdog said last, None when there is no word of it."""
        return load_watchdog(self.state_dir.watchdog)

    def nonce(self) -> str:
        """Return 256 fresh random bits, in hex."""
        return random_hex()

    def seal(self) -> Seal:
        """Return what the next command is judged with."""
        head, state = self.journal.head(), self.kernel.state
        return Seal(
            at=self.moment(),
            head=f"{head.seq} {head.hash}",
            nonce=self.nonce(),
            limits=state.limits or self.config.limits,
            verify=self.verify,
        )

    def moment(self) -> Moment:
        """Return what the clocks say: requests live by the wall's and by process time."""
        return Moment(
            now=self.clock.now(),
            wall_at=self.machine.now(),
            monotonic_s=self.clock.monotonic(),
            epoch=self.lease.epoch,
        )

    def verify(
        self, challenged: bytes, proof: Proof, credential: Credential, count: int, at: datetime
    ) -> int | str:
        """Return the count that a proof shows, or why it does not hold."""
        prover = Prover(site_of(self.config.web.origin, self.config.web.port), self.state_dir.secrets)
        found = prover.judged(challenged, proof, credential, count, at)
        return found.count if isinstance(found, Proven) else found.reason

    # -- the broker ------------------------------------------------------------------------

    def connect(self) -> None:
        """Make the broker's sessions, one a thread; none connects before its first call."""
        self.calendar = xnys()
        self.open_beside()
        where = endpoints(self.config, self.venue)
        orders, data = CallBudget(self.clock.monotonic), CallBudget(self.clock.monotonic)
        self.broker = self._broker(where, orders, is_urgent=False)
        self.feed = self._feed(where, data)
        ordinary = self._world(self._broker(where, orders, is_urgent=False), self._feed(where, data))
        urgent = self._world(self._broker(where, orders, is_urgent=True), self._feed(where, data))
        self.hands = self._hands(lambda wanted: done(wanted, ordinary), lambda wanted: done(wanted, urgent))
        self.stream = self._order_stream(where)

    def _world(self, broker: AlpacaBroker, feed: AlpacaFeed) -> World:
        return World(
            broker,
            feed,
            self.clock,
            self._is_leader,
            self.cool_off_s,
            self.scale.checked,
            self.beside,
            self._is_wanted,
        )

    def cool_off_s(self) -> float:
        """Return what counts a cool-off: process time, or the embedded exchange's own, which may run fast."""
        return self.clock.now().timestamp() if self.venue == "embedded" else self.clock.monotonic()

    def _is_leader(self) -> bool:
        return not self.stop.is_set() and self.lease.is_mine()

    def _is_wanted(self, order: Order) -> bool:
        """Return whether an order may go out as the switch stands now; called from the workers' threads."""
        return is_wanted(order, self.kernel.state)

    def _alpaca_keys(self) -> AlpacaKeys:
        found = self.keys.broker
        return AlpacaKeys(found.key_id.reveal(), found.secret.reveal()) if found else EMBEDDED_KEYS

    def _broker(self, where: Endpoints, budget: CallBudget, *, is_urgent: bool) -> AlpacaBroker:
        return AlpacaBroker(
            self._alpaca_keys(),
            where.trading_url,
            budget,
            is_urgent=is_urgent,
            may_send=self._is_leader,
        )

    def _feed(self, where: Endpoints, budget: CallBudget) -> AlpacaFeed:
        return AlpacaFeed(
            self._alpaca_keys(),
            where.data_url,
            budget,
            now=self.clock.now,
            closes_at=lambda day: found.close_at if (found := self.calendar.session_on(day)) else None,
            feed=self.config.broker.feed,
        )

    def _hands(self, ordinary: Deed, urgent: Deed) -> Hands:
        return Hands(ordinary, urgent, monotonic=self.clock.monotonic, wake=self.wake.set)

    def _order_stream(self, where: Endpoints) -> OrderStream:
        return OrderStream(
            self._alpaca_keys(),
            where.trading_stream_url,
            on_hint=lambda hint: self._hinted(),
            on_connected=self._connected,
            on_dropped=lambda reason: self.wake.set(),
            on_lost=self._lost,
        )

    def _connected(self) -> None:
        self.is_stream_lost = ""
        self.is_resync_due = True
        self.wake.set()

    def _lost(self, reason: str) -> None:
        self.is_stream_lost = reason
        self.wake.set()

    def _hinted(self) -> None:
        """Let the loop ask at once: what a stream says is a reason to look, not the truth."""
        self.hands.hurry("PollOrders")
        self.wake.set()

    def close(self) -> None:
        """Let go of everything that was built, in the order that leaves no orphan."""
        for name, method in CLOSING:
            if hasattr(self, name):
                getattr(getattr(self, name), method)()
