"""How long an alert takes from the append that makes it a fact to the outbox, and to a mail server.

Journal, outbox and courier as live, on the disk, with the scheduler's own pause between two looks; the mail
server is one on loopback that takes every mail. `python -m benchmarks alerts` prints the figures.
"""

import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from random import Random
from socket import socket
from threading import Event, Thread
from typing import Any, Final

from benchmarks.reaction import percentile
from qgtm.adapters.chain import Row
from qgtm.adapters.channel import channels
from qgtm.adapters.journal import SqliteJournal
from qgtm.core.events import AlertRaised
from qgtm.core.request import Person
from qgtm.reporting.courier import LOOK_S, Courier
from qgtm.reporting.outbox import Outbox

ALERTS: Final = 200
WAIT_S: Final = 60.0


class Noted(Outbox):
    """An outbox that notes when it had what, durably."""

    took: list[tuple[int, float]]

    def take(self, rows: Iterable[Row], now: datetime, since: datetime | None = None) -> int:
        """Take rows in, and note their numbers and the moment after the commit."""
        found = list(rows)
        made = super().take(found, now, since)
        self.took += [(row.seq, time.monotonic()) for row in found]
        return made


class Box:
    """A mail server's end that notes when a mail was there, by the number in its subject."""

    def __init__(self) -> None:
        self.at_s: dict[int, float] = {}

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a mail."""
        subject = str(message_from_bytes(envelope.content)["subject"])
        self.at_s.setdefault(int(subject.rpartition(" ")[2]), time.monotonic())
        return "250 OK"


def measured(alerts: int) -> tuple[list[float], list[float]]:
    """Return the seconds until each alert was in the outbox, and until its first mail was taken."""
    from aiosmtpd.controller import Controller

    box, port = Box(), _free_port()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    found = {"QGTM_SMTP_URL": f"smtp://127.0.0.1:{port}?from=fund@fund.example"}
    ways = channels(found, {person: f"{person.name.lower()}@fund.example" for person in Person})
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _run(Path(folder), ways, box, alerts)
    finally:
        server.stop()


def _run(folder: Path, ways: Sequence[Any], box: Box, alerts: int) -> tuple[list[float], list[float]]:
    path, stop, chance = folder / "journal.db", Event(), Random(7)
    raised: dict[int, float] = {}
    with SqliteJournal(path) as journal, closing(Noted(folder / "outbox.db")) as outbox:
        outbox.took = []
        courier = Courier(path, outbox, ways, lambda: datetime.now(UTC), print)

        def carry() -> None:
            while not stop.wait(LOOK_S):
                courier.look()

        walker = Thread(target=carry)
        walker.start()
        for number in range(1, alerts + 1):
            time.sleep(chance.uniform(0, 2 * LOOK_S))
            raised[number] = time.monotonic()
            text = f"Alert {number}."
            journal.append([AlertRaised(level="red", cause=f"drill {number}", text=text)], datetime.now(UTC))
        until_s = time.monotonic() + WAIT_S
        while len(box.at_s) < alerts and time.monotonic() < until_s:
            time.sleep(0.05)
        stop.set()
        walker.join()
        enqueued = [at_s - raised[seq] for seq, at_s in outbox.took]
    if len(enqueued) != alerts or len(box.at_s) != alerts:
        raise RuntimeError(f"of {alerts} alerts {len(enqueued)} were taken in and {len(box.at_s)} delivered")
    return enqueued, [box.at_s[number] - at_s for number, at_s in raised.items()]


def _free_port() -> int:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main(args: list[str]) -> dict[str, Any]:
    """Print and return the figures."""
    enqueued, delivered = measured(int(args[0]) if args else ALERTS)
    found = {
        "alerts": len(delivered),
        "enqueued_max_s": max(enqueued),
        "delivered_p50_s": percentile(delivered, 0.5),
        "delivered_p99_s": percentile(delivered, 0.99),
        "delivered_max_s": max(delivered),
    }
    print(", ".join(f"{name} {value:.3g}" for name, value in found.items()))
    return found
