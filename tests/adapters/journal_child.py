"""A writer to be killed: appends rows for ever, and acknowledges each on stdout once it is durable."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from qgtm.adapters.journal import SqliteJournal
from qgtm.core.events import BrokerLost, FeedRecovered

with SqliteJournal(Path(sys.argv[1])) as journal:
    while True:
        number = journal.head().seq
        journal.append(
            [BrokerLost(reason=f"after {number}"), FeedRecovered(feed=str(number))],
            datetime(2024, 3, 1, tzinfo=UTC),
        )
        head = journal.head()
        sys.stdout.write(f"{head.seq} {head.hash}\n")
        sys.stdout.flush()
