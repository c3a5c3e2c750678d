"""The disaster drill with real processes: the record lost, an old backup put back, the broker gone on."""

import json
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from qgtm.adapters.journal import JournalReader
from qgtm.core.events import AlertRaised, BreakFound, IntentFormed, Latched
from qgtm.core.mode import Latch
from qgtm.engine.state import folded
from tests.scenarios.terminal import Desk, eventually
from tests.scenarios.test_up import LIVE, ended, entries, events, held, state_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


@pytest.mark.fault("H3", "D3")
def test_old_backup_put_back_after_the_broker_went_on_is_halted_locked_and_told(place: Desk) -> None:
    up = place.start("up")
    place.until(up, LIVE)
    made = place.here("backup", "--json")  # of a fund that holds nothing yet, or little
    assert made.code == 0, made.all
    copied = json.loads(made.out)
    with JournalReader(Path(copied["path"]) / "journal.db") as reader:
        positions = folded(entry.event for entry in reader.read()).positions
    before = {symbol: position.quantity for symbol, position in positions.items() if position.quantity}
    eventually(lambda: held(place) and held(place) != before, "fills after the backup", 60)

    busy = place.here("restore", copied["path"])
    assert busy.code == 1
    assert "up" in busy.err  # nothing is put back under a running fleet
    up.send_signal(signal.SIGINT)
    assert ended(up, 60) == 0
    bought = held(place)
    (place.state / "journal.db").write_bytes(b"\0" * 4096)  # the disk took it
    for end in ("-wal", "-shm"):
        (place.state / f"journal.db{end}").unlink(missing_ok=True)

    checked = place.here("restore", copied["path"], "--verify", "--json").json()
    assert (checked["state_sha"], checked["aside"]) == (copied["state_sha"], None)
    done = place.here("restore", copied["path"])
    assert done.code == 0, done.all
    rows = len(entries(place))
    assert rows == copied["rows"]

    again = place.start("up")
    place.until(again, LIVE)
    eventually(lambda: Latch.OPERATOR_HALT in state_of(place).switch.latches, "the halt of the restore", 60)
    eventually(lambda: events(place, BreakFound), "the break between both books", 60)
    new = [entry.event for entry in entries(place)[rows:]]
    broken = {event.subject for event in new if isinstance(event, BreakFound)}
    both = bought.keys() | before.keys()
    missing = {name for name in both if bought.get(name, Decimal(0)) != before.get(name, Decimal(0))}
    assert missing
    assert missing <= broken, (missing, broken)
    assert any(isinstance(event, Latched) and event.latch is Latch.OPERATOR_HALT for event in new)
    assert any(isinstance(event, AlertRaised) and event.cause.startswith("break") for event in new)
    assert not [event for event in new if isinstance(event, IntentFormed)]  # nothing was sent on a guess
    status = place.here("status", "--json").json()
    assert status["dot"] != "green"
    again.send_signal(signal.SIGINT)
    assert ended(again, 60) == 0
