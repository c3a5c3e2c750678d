"""The outbox: which alerts are to reach whom, on the disk before anybody is told, and what became of each.

Each alert of the journal comes in once. Out it goes at least once: a crash right
after sending sends again. The first of a cause goes at once, what follows within five minutes is told
together; red is never held back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from qgtm.adapters.chain import Row, entry_of
from qgtm.adapters.database import explained_by_sqlite, open_reader, open_writer, writing
from qgtm.adapters.files import explained
from qgtm.core.errors import JournalCorrupt, JournalError
from qgtm.core.events import AlertRaised
from qgtm.core.instant import instant_from_text, text_from_instant
from qgtm.core.request import Person
from qgtm.ports import Entry, Head

APPLICATION_ID: Final = 0x7167626F  # "qgbo"
MIGRATIONS: Final = (
    """
    CREATE TABLE message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        person TEXT NOT NULL,
        level TEXT NOT NULL,
        cause TEXT NOT NULL,
        text TEXT NOT NULL,
        raised_at TEXT NOT NULL,  -- venue time, of the journal's row
        due_at TEXT NOT NULL,     -- wall clock
        made_at TEXT NOT NULL,
        done_at TEXT
    ) STRICT;
    CREATE UNIQUE INDEX message_once ON message (person, raised_at, cause, level, text);
    CREATE INDEX message_open ON message (due_at) WHERE done_at IS NULL;
    CREATE TABLE delivery (
        message INTEGER NOT NULL REFERENCES message (id),
        channel TEXT NOT NULL,
        at TEXT NOT NULL,
        problem TEXT NOT NULL     -- empty when it was taken
    ) STRICT;
    CREATE INDEX delivery_by_message ON delivery (message);
    CREATE TABLE mark (seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
    INSERT INTO mark VALUES (0, '');
    """,
)
NOBODY: Final = "none"  # stands for the channel where a person has none
INSERT: Final = (
    "INSERT OR IGNORE INTO message (person, level, cause, text, raised_at, due_at, made_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
HEAD: Final = "journal"
KEEP_IT: Final = (
    "Keep this message. A journal in which somebody changed, cut or put back anything does not hold this "
    "row: `qgtm audit verify --head NUMBER:HASH` says so."
)
TOLD_TOGETHER: Final = timedelta(minutes=5)
LEVELS: Final = ("yellow", "orange", "red")  # info is written down, and wakes nobody
# What both are told, whatever its colour.
FOR_BOTH: Final = ("kill switch", "dead man", "limits", "two persons", "refused", "not flat", "flat")
YOUNG: Final = timedelta(days=1)  # a new outbox tells of no alert that is older than this beside the last row


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One alert, or several of one cause, on the way to one person."""

    ids: tuple[int, ...]
    person: Person
    level: str
    cause: str
    text: str
    raised_at: datetime
    tries: int


class Outbox:
    """Open or make the outbox; one process writes it. Raises JournalError with the next step.

    What is in it can be had again from the journal: a damaged one is put aside, and a new one begun.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = open_writer(path, APPLICATION_ID, MIGRATIONS)
        except JournalCorrupt:
            self._put_aside()
            self._connection = open_writer(path, APPLICATION_ID, MIGRATIONS)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def is_renewed(self) -> bool:
        """Return whether the file was found damaged, and a new one begun in its place."""
        try:
            if self._rows("PRAGMA quick_check(1)") == [("ok",)]:
                return False
        except JournalError:  # what cannot even be checked
            pass
        self._connection.close(True)
        self._put_aside()
        self._connection = open_writer(self._path, APPLICATION_ID, MIGRATIONS)
        return True

    def _put_aside(self) -> None:
        with explained(self._path, JournalError):
            for end in ("", "-wal", "-shm"):
                damaged = self._path.with_name(self._path.name + end)
                if damaged.exists():
                    damaged.replace(damaged.with_name(f"{self._path.name}.damaged{end}"))

    # -- in ------------------------------------------------------------------------------

    @property
    def mark(self) -> tuple[int, str]:
        """Return the last journal row that was taken in: its number and hash."""
        seq, row_hash = self._rows("SELECT seq, hash FROM mark")[0]
        return int(seq), str(row_hash)

    def begin_anew(self) -> None:
        """Read from the first row again, for a journal that was put back: what was told once stays told."""
        with explained_by_sqlite(self._path), writing(self._connection):
            self._connection.execute("UPDATE mark SET seq = 0, hash = ''")

    def take(self, rows: Iterable[Row], now: datetime, since: datetime | None = None) -> int:
        """Take the alerts of new journal rows in, and return how many messages they made.

        `now` is the wall clock; alerts raised before `since` are passed over. All of it is one transaction,
        with the mark of how far was read. Only alerts are decoded: no other row can keep one back.
        """
        made, last = 0, None
        with explained_by_sqlite(self._path), writing(self._connection):
            for row in rows:
                last = row
                if row.kind == AlertRaised.__name__:
                    made += self._taken(entry_of(row), now, since)
            if last is not None:
                self._connection.execute("UPDATE mark SET seq = ?, hash = ?", (last.seq, last.hash))
        return made

    def _taken(self, entry: Entry, now: datetime, since: datetime | None) -> int:
        alert = entry.event
        is_old = since is not None and entry.at < since
        if not isinstance(alert, AlertRaised) or alert.level not in LEVELS or is_old:
            return 0
        head = anchor(Head(entry.seq, entry.hash))
        told = replace(alert, text=f"{alert.text}\n\n{head}") if len(recipients(alert)) > 1 else alert
        return self._add(told, entry.at, now)

    def tell_head(self, head: Head, people: Iterable[Person], now: datetime, since: datetime) -> None:
        """Tell people where the journal stands, once since `since`: what they keep, nobody can take back."""
        at = text_from_instant(now)
        sql = "SELECT 1 FROM message WHERE person = ? AND cause = ? AND made_at >= ?"
        for person in people:
            if not self._rows(sql, (person.value, HEAD, text_from_instant(since))):
                row = (person.value, "info", HEAD, f"{anchor(head)}\n\n{KEEP_IT}", at, at, at)
                with explained_by_sqlite(self._path), writing(self._connection):
                    self._connection.execute(INSERT, row)

    def _add(self, alert: AlertRaised, at: datetime, now: datetime) -> int:
        people = recipients(alert)
        for person in people:
            row = (
                person.value, alert.level, alert.cause, alert.text, text_from_instant(at),
                text_from_instant(self._due_at(alert, person, now)), text_from_instant(now),
            )  # fmt: skip
            self._connection.execute(INSERT, row)
        return len(people)

    def _due_at(self, alert: AlertRaised, person: Person, now: datetime) -> datetime:
        """Return when a message is to go: now, or with what else came of its cause within five minutes."""
        if alert.level == "red":
            return now
        sql = (
            "SELECT due_at FROM message WHERE person = ? AND cause = ? AND level = ? "
            "ORDER BY due_at DESC LIMIT 1"
        )
        found = self._rows(sql, (person.value, alert.cause, alert.level))
        last = instant_from_text(found[0][0]) if found else None
        if last is None or now - last >= TOLD_TOGETHER:
            return now
        return last if last > now else last + TOLD_TOGETHER

    # -- out -----------------------------------------------------------------------------

    def due(self, now: datetime) -> tuple[Message, ...]:
        """Return what is to go now, red first; messages of one cause that are due together are one."""
        sql = (
            "SELECT id, person, level, cause, text, raised_at, "
            "(SELECT COUNT(DISTINCT at) FROM delivery WHERE message = message.id) "
            "FROM message WHERE done_at IS NULL AND due_at <= ? ORDER BY level = 'red' DESC, id"
        )
        groups: dict[tuple[Any, ...], list[Any]] = {}
        for row in self._rows(sql, (text_from_instant(now),)):
            number, person, level, cause, *_ = row
            alone = number if level == "red" else 0
            groups.setdefault((person, level, cause, alone), []).append(row)
        return tuple(map(_message, groups.values()))

    def tried(self, message: Message, results: Sequence[tuple[str, str]], now: datetime) -> None:
        """Write down what each channel said, (name, problem or empty), and when the next try is due.

        A message is done when one channel took it; else it is tried again, ever more seldom.
        """
        at = text_from_instant(now)
        is_done = any(not problem for _, problem in results)
        again = text_from_instant(now + pause(message.tries + 1))
        with explained_by_sqlite(self._path), writing(self._connection):
            for number in message.ids:
                rows = [(number, name, at, problem) for name, problem in results]
                self._connection.executemany("INSERT INTO delivery VALUES (?, ?, ?, ?)", rows)
                if is_done:
                    self._connection.execute("UPDATE message SET done_at = ? WHERE id = ?", (at, number))
                else:
                    self._connection.execute("UPDATE message SET due_at = ? WHERE id = ?", (again, number))

    def learned(self, ids: Sequence[int], channel: str, problem: str, now: datetime) -> None:
        """Write down what a channel said after nobody waited for it any more."""
        at = text_from_instant(now)
        with explained_by_sqlite(self._path), writing(self._connection):
            rows = [(number, channel, at, problem) for number in ids]
            self._connection.executemany("INSERT INTO delivery VALUES (?, ?, ?, ?)", rows)
            if not problem:
                sql = "UPDATE message SET done_at = ? WHERE id = ? AND done_at IS NULL"
                self._connection.executemany(sql, [(at, number) for number in ids])

    def _rows(self, sql: str, values: tuple[str, ...] = ()) -> list[Any]:
        with explained_by_sqlite(self._path):
            return self._connection.execute(sql, values).fetchall()


def anchor(head: Head) -> str:
    """Return where the journal stood, as `qgtm audit verify --head` takes it."""
    return f"The journal's row {head.seq} is {head.seq}:{head.hash}"


def recipients(alert: AlertRaised) -> tuple[Person, ...]:
    """Return who is told: both of what is red or touches how the fund is run, else OpA alone."""
    is_for_both = alert.level == "red" or alert.cause.startswith(FOR_BOTH)
    return (Person.OPA, Person.OPB) if is_for_both else (Person.OPA,)


def pause(tries: int) -> timedelta:
    """Return how long after the n-th failed try (from 1) the next one comes: 5 s, doubled, 10 min at most."""
    return timedelta(seconds=min(600, 5 * 2 ** min(tries - 1, 10)))


def _message(rows: Sequence[Any]) -> Message:
    person, level, cause = rows[0][1:4]
    texts = list(dict.fromkeys(row[4] for row in rows))
    return Message(
        ids=tuple(row[0] for row in rows),
        person=Person(person),
        level=level,
        cause=cause,
        text="\n".join(texts),
        raised_at=instant_from_text(rows[0][5]),
        tries=max(row[6] for row in rows),
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """What has not reached anybody for a while: how many messages, the oldest's moment, the last problem.

    `failing` counts those that a channel has failed with; the rest have no channel, or no courier yet.
    """

    number: int
    since: datetime | None
    problem: str
    failing: int = 0


def waiting(path: Path, now: datetime, grace: timedelta = timedelta(seconds=60)) -> Waiting:
    """Return what has been waiting for longer than `grace`; nothing without a file. Raises JournalError."""
    if not path.exists():
        return Waiting(0, None, "")
    connection = open_reader(path, APPLICATION_ID)
    try:
        with explained_by_sqlite(path):
            sql = "SELECT COUNT(*), MIN(made_at) FROM message WHERE done_at IS NULL AND made_at <= ?"
            found: Any = connection.execute(sql, (text_from_instant(now - grace),)).fetchall()[0]
            said: Any = connection.execute(
                "SELECT channel, problem FROM delivery JOIN message ON message.id = delivery.message "
                "WHERE done_at IS NULL ORDER BY channel = ?, delivery.rowid DESC LIMIT 1",
                (NOBODY,),
            ).fetchall()
            failing: Any = connection.execute(
                "SELECT COUNT(DISTINCT message.id) FROM message "
                "JOIN delivery ON delivery.message = message.id "
                "WHERE done_at IS NULL AND channel <> ? AND made_at <= ?",
                (NOBODY, text_from_instant(now - grace)),
            ).fetchall()
    finally:
        connection.close()
    number, since = found
    return Waiting(
        number,
        instant_from_text(since) if since else None,
        _told(*said[0]) if said and number else "",
        int(failing[0][0]),
    )


def _told(channel: str, problem: str) -> str:
    return problem if channel == NOBODY else f"{channel}: {problem}"
