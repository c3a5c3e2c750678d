"""Real daemons killed at random instants, stopped and woken, on real files against an exchange on sockets.

A site is one fleet: an exchange, a state folder, a seed. Every fifth has a watchdog as well, and ends with a
daemon that stands still so long that the watchdog closes everything, and then wakes up.
"""

import os
import random
import shutil
import signal
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qgtm.adapters.clock import SystemClock, boot_id
from qgtm.adapters.heartbeat import load_heartbeat
from qgtm.adapters.journal import JournalReader
from qgtm.adapters.watchdog_file import load_watchdog
from qgtm.core.errors import JournalError
from qgtm.core.events import AlertRaised, BootStepFinished, Event, IntentFormed, Latched
from qgtm.core.mode import Mode
from qgtm.engine.state import State, folded
from tests.durability.zygote import Forked, forked
from tests.live.books import (
    BUSY,
    LOST_ANSWERS,
    SLOW,
    accepted,
    check_books_agree,
    check_journal_holds,
    check_no_order_is_doubled,
    stir,
    truth,
)
from tests.live.processes import Site, environment, eventually

KILLS_A_SITE = 20
KILLS_BESIDE_A_WATCHDOG = 8
WATCHED_EVERY = 5
DEAD_MAN = "30,60,100"  # seconds to both alerts and to the flatten; a boot may wait a minute for calls
PATIENCE_S = 90.0  # for what a loaded machine does late; nothing is judged by it
BOOT_STEPS = 8
RECONCILIATION = 3  # as one counts from 0


def is_watched(seed: int) -> bool:
    return seed % WATCHED_EVERY == WATCHED_EVERY - 1


def kills_of(seed: int) -> int:
    return KILLS_BESIDE_A_WATCHDOG if is_watched(seed) else KILLS_A_SITE


class ForkingSite(Site):
    """A site whose daemons and exchange are forks of this process, and whose journal is read once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, changes=BUSY)
        self._seen = 0
        self._kept: list[Event] = []
        self._folded, self._folds = State(), 0

    def start(self, *words: str) -> Any:
        if words[0] == "watchdog":
            return super().start(*words)
        log = self.folder / f"{words[0]}-{len(self.children)}.log"
        child: Any = forked(words, self.folder, log, environment())
        self.children.append(child)
        return child

    def events(self, *kinds: type[Event]) -> list[Any]:
        try:
            with JournalReader(self.state / "journal.db") as reader:
                for entry in reader.read(self._seen):
                    self._kept.append(entry.event)
                    self._seen = entry.seq
        except JournalError:
            pass
        return [event for event in self._kept if not kinds or isinstance(event, kinds)]

    def folded(self) -> State:
        self.events()
        self._folded = folded(self._kept[self._folds :], self._folded)
        self._folds = len(self._kept)
        return self._folded


@dataclass
class Tally:
    """What befell one site."""

    kills: int = 0
    booting: int = 0  # kills of a daemon that was not live yet
    working: int = 0  # kills that met live orders
    pauses: int = 0
    fenced: int = 0
    late: int = 0  # orders that had passed the fence when the daemon was stopped, and arrived when it woke
    orders: int = 0
    filled: int = 0
    boots: list[tuple[float, float, bool]] = field(default_factory=list)
    """Seconds of all steps, and of reconciliation; whether the minute's calls were used up."""

    def plain(self) -> dict[str, Any]:
        return vars(self)


@dataclass
class Ordeal:
    """One site lived through: kill, check, stir, start again."""

    place: ForkingSite
    chance: random.Random
    is_watched: bool
    tally: Tally = field(default_factory=Tally)

    def run(self, kills: int) -> Tally:
        place = self.place
        place.exchange(seed=self.chance.randrange(1000))
        place.post("state", habits=SLOW)
        place.post("faults", faults=[f | {"probability": 0.15, "seconds": 0.3} for f in LOST_ANSWERS])
        daemon = self.daemon()
        if self.is_watched:
            place.start("watchdog", "--dead-man", DEAD_MAN)
        while self.tally.kills < kills:
            daemon = self.cycle(daemon)
        assert not place.events(Latched), "a latch that nobody asked for"
        assert not place.folded().switch.latches
        if self.is_watched:
            daemon = self.sleep_too_long(daemon)
        daemon.terminate()
        assert daemon.wait(PATIENCE_S) == 0, place.last_log()
        self.check()
        self.count()
        return self.tally

    def daemon(self) -> Forked:
        before = len(self.booted())
        child = self.place.start("daemon")
        self.until_live(child)
        eventually(lambda: len(self.booted()) > before, "the boot's last step in the journal", PATIENCE_S)
        took = [step.took_s for step in self.booted()[-1]]
        waited = "call limit" in self.place.last_log()
        self.tally.boots.append((round(sum(took), 3), took[RECONCILIATION], waited))
        return child  # type: ignore[no-any-return]

    def booted(self) -> list[list[BootStepFinished]]:
        """Return the steps of each boot that came to its end."""
        boots: list[list[BootStepFinished]] = [[]]
        for step in self.place.events(BootStepFinished):
            boots += [[]] if step.number == 1 else []
            boots[-1].append(step)
        return [steps for steps in boots if len(steps) == BOOT_STEPS]

    def until_live(self, child: Forked) -> None:
        def is_live() -> bool:
            assert child.poll() is None, self.place.last_log()
            return "8/8 live" in self.place.last_log()

        # The exchange counts the calls of killed daemons, too: the next one waits for its minute.
        eventually(is_live, "the daemon's boot", 2 * PATIENCE_S)

    def cycle(self, daemon: Forked) -> Forked:
        if self.chance.random() < 0.2:
            self.nap(daemon)
        time.sleep(self.chance.uniform(0.0, 2.5))
        self.kill(daemon)
        self.check()
        stir(self.place, self.chance)
        while self.chance.random() < 0.3:  # and once more while it boots
            booting = self.place.start("daemon")
            time.sleep(self.chance.uniform(0.0, 2.0))
            self.tally.booting += "8/8 live" not in self.place.last_log()
            self.kill(booting)
            self.check()
        daemon = self.daemon()
        check_books_agree(self.place, PATIENCE_S)
        return daemon

    def kill(self, child: Forked) -> None:
        assert child.poll() is None, self.place.last_log()
        child.send_signal(signal.SIGKILL)
        child.wait()
        self.tally.kills += 1
        self.tally.working += any(order.is_live for order in self.place.folded().orders.values())

    def check(self) -> None:
        check_journal_holds(self.place)
        check_no_order_is_doubled(self.place, is_watched=self.is_watched)

    def nap(self, daemon: Forked) -> None:
        """Stop the daemon for so short that nobody takes its lease, and see that it goes on."""
        daemon.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.2, 3.0))
        before = self.beats()
        daemon.send_signal(signal.SIGCONT)
        eventually(lambda: self.beats() > before, "a heartbeat after it woke", PATIENCE_S)
        assert not self.fenced_words(), "fenced, and nobody took the lease"
        self.tally.pauses += 1

    def beats(self) -> int:
        beat = load_heartbeat(self.place.state / "heartbeat.json")
        return 0 if beat is None else beat.counter

    def fenced_words(self) -> list[AlertRaised]:
        return [event for event in self.place.events(AlertRaised) if event.cause == "fenced"]

    def sleep_too_long(self, daemon: Forked) -> Forked:
        """Stop the daemon until the watchdog has closed everything; from then on it sends nothing."""
        place = self.place
        daemon.send_signal(signal.SIGSTOP)
        eventually(self.is_flat, "the watchdog's flatten", 3 * PATIENCE_S)
        assert truth(place) == {}
        before, sent = self.formed(), self.sent()
        daemon.send_signal(signal.SIGCONT)
        eventually(self.fenced_words, "the word that it is fenced", PATIENCE_S)
        stir(place, self.chance)
        time.sleep(4.0)
        late = self.sent() - sent
        assert late <= before, f"formed and sent by a fenced daemon: {late - before}"
        # What had passed the fence when it was stopped may arrive (V5), and must come to nothing.
        eventually(lambda: not truth(place) and not self.live(), "an empty book", PATIENCE_S)
        self.tally.late += len(late)
        self.kill(daemon)
        check_journal_holds(place)
        daemon = self.daemon()
        sent = self.sent()
        stir(place, self.chance)
        time.sleep(3.0)
        assert self.sent() == sent, "sent by a halted daemon"
        assert place.folded().switch.mode is Mode.HALTED_DEAD_MAN
        self.tally.fenced += 1
        return daemon

    def sent(self) -> set[str]:
        return {order["client_order_id"] for order in accepted(self.place)}

    def live(self) -> list[str]:
        live = ("new", "accepted", "pending_new", "partially_filled", "pending_cancel")
        return [order["client_order_id"] for order in accepted(self.place) if order["status"] in live]

    def formed(self) -> set[str]:
        return {event.order.client_order_id for event in self.place.events(IntentFormed)}

    def is_flat(self) -> bool:
        word = load_watchdog(self.place.state / "watchdog.json")
        is_this_boot = word is not None and word.age_s(SystemClock().monotonic(), boot_id()) is not None
        return is_this_boot and word is not None and word.state == "flat"

    def count(self) -> None:
        orders = accepted(self.place)
        self.tally.orders = len(orders)
        self.tally.filled = sum(order["status"] == "filled" for order in orders)


def lived_through(seed: int, kills: int, kept: Path) -> dict[str, Any]:
    """Return what came of one site, as plain values; the folder of one that broke is kept."""
    began_s = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"qgtm-kills-{seed}-"))
    ordeal = Ordeal(ForkingSite(folder), random.Random(f"{seed} kills"), is_watched(seed))
    broken: list[str] = []
    try:
        ordeal.run(kills)
    except Exception as problem:  # noqa: BLE001  whatever it was, it is the result
        broken.append(f"{type(problem).__name__}: {problem}"[:2000] + "\n" + traceback.format_exc(limit=-3))
        shutil.copytree(folder, kept / f"kills-{seed}-{os.getpid()}", dirs_exist_ok=True)
    finally:
        ordeal.place.close()
        shutil.rmtree(folder, ignore_errors=True)
    return {"seed": seed, **ordeal.tally.plain(), "broken": broken, "took_s": time.monotonic() - began_s}
