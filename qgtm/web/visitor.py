"""Who may act here: sessions, passwords, invitations, and how often somebody may try. The web's own file.

Every secret is kept as a hash. Moments are of the wall clock, since they outlive the process.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from qgtm.adapters.chance import random_text
from qgtm.adapters.database import explained_by_sqlite, open_reader, open_writer, writing
from qgtm.core.errors import JournalError
from qgtm.core.instant import instant_from_text, text_from_instant
from qgtm.core.request import Person

APPLICATION_ID: Final = 0x71677762  # "qgwb"
MIGRATIONS: Final = (
    """
    CREATE TABLE session (
        id_hash TEXT PRIMARY KEY,
        person TEXT NOT NULL,
        form_key TEXT NOT NULL,
        made_at TEXT NOT NULL,
        seen_at TEXT NOT NULL,
        agent TEXT NOT NULL
    ) STRICT;
    CREATE TABLE password (person TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT;
    CREATE TABLE invitation (
        code_hash TEXT PRIMARY KEY,
        person TEXT NOT NULL,
        expires_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE step (credential_id TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT;
    CREATE TABLE failure (who TEXT NOT NULL, at TEXT NOT NULL) STRICT;
    CREATE INDEX failure_by_who ON failure (who, at);
    """,
    # A password belongs to the codes that it was set with, and a session to the key that opened it: each
    # counts for as long as that key does.
    """
    DROP TABLE password;
    CREATE TABLE password (credential_id TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT;
    DELETE FROM session;
    ALTER TABLE session ADD COLUMN credential_id TEXT NOT NULL DEFAULT '';
    """,
)
IDLE: Final = timedelta(hours=12)
LONGEST: Final = timedelta(days=7)
NOTED: Final = timedelta(minutes=1)  # how exactly it is known when a session was last seen
INVITED: Final = timedelta(minutes=30)
TRIES: Final = 5
TRIED_IN: Final = timedelta(minutes=15)
LEAST_PASSWORD: Final = 15  # characters
MOST_PASSWORD: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who is signed in; `form_key` has to come back with every form (against foreign pages).

    `credential_id` names the key that opened the session, which ends with it.
    """

    session: str  # its hash: what is listed and ended by
    person: Person
    form_key: str
    made_at: datetime
    seen_at: datetime
    agent: str
    credential_id: str

    def owns(self, form_key: str) -> bool:
        """Return whether a form with this key is one of this session's own."""
        told = form_key.encode("utf-8", "surrogatepass")
        return compare_digest(self.form_key.encode("ascii"), told)


class Visitors:
    """Open or make the file; call it from one thread. Raises JournalError with the next step.

    With `is_read_only` those who are signed in stay known, and nothing else can be done.
    """

    def __init__(self, path: Path, now: Callable[[], datetime], *, is_read_only: bool = False) -> None:
        self._path = path
        self._now = now
        self._connection = (
            open_reader(path, APPLICATION_ID)
            if is_read_only
            else open_writer(path, APPLICATION_ID, MIGRATIONS)
        )
        if not is_read_only:
            path.chmod(0o600)
        self._hasher = PasswordHasher()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    # -- sessions ------------------------------------------------------------------------

    def begin(self, person: Person, credential_id: str, agent: str) -> str:
        """Sign a person in by a key and return the session's id, which only the browser keeps."""
        session, now = random_text(32), text_from_instant(self._now())
        row = (_hashed(session), person.value, random_text(32), now, now, agent[:200], credential_id)
        self._write("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return session

    def renewed(self, visitor: Visitor) -> str:
        """Return a new id for a session whose person has just proven to be there; the old id ends."""
        session = random_text(32)
        news = (_hashed(session), random_text(32), visitor.session)
        self._write("UPDATE session SET id_hash = ?, form_key = ? WHERE id_hash = ?", news)
        return session

    def visitor(self, session: str) -> Visitor | None:
        """Return whose session this is, and note that it was seen; None for one that is over or never was."""
        found = self._rows("SELECT * FROM session WHERE id_hash = ?", (_hashed(session),))
        visitor = _visitor(*found[0]) if found else None
        now = self._now()
        if visitor is None or not _is_alive(visitor, now):
            return None
        if now - visitor.seen_at >= NOTED:
            seen = (text_from_instant(now), visitor.session)
            with suppress(JournalError):  # a full disk signs nobody out; the session only looks older
                self._write("UPDATE session SET seen_at = ? WHERE id_hash = ?", seen)
        return visitor

    def sessions(self, person: Person) -> tuple[Visitor, ...]:
        """Return a person's sessions that are alive, the newest first."""
        sql = "SELECT * FROM session WHERE person = ? ORDER BY made_at DESC, id_hash"
        found = [_visitor(*row) for row in self._rows(sql, (person.value,))]
        return tuple(each for each in found if _is_alive(each, self._now()))

    def end(self, session_hash: str, person: Person) -> None:
        """Sign one session of a person's out."""
        self._write("DELETE FROM session WHERE id_hash = ? AND person = ?", (session_hash, person.value))

    def end_all(self, person: Person) -> None:
        """Sign a person out everywhere."""
        self._write("DELETE FROM session WHERE person = ?", (person.value,))

    # -- passwords -----------------------------------------------------------------------

    @staticmethod
    def why_not_password(password: str) -> str:
        """Return why a password cannot be one, empty when it can."""
        if len(password) < LEAST_PASSWORD:
            return f"A password has at least {LEAST_PASSWORD} characters: four words will do."
        return f"A password has at most {MOST_PASSWORD} characters." if len(password) > MOST_PASSWORD else ""

    def set_password(self, credential_id: str, password: str) -> None:
        """Keep the Argon2id hash of the password that goes with a key's codes."""
        row = (credential_id, self._hasher.hash(password))
        self._write("INSERT OR REPLACE INTO password VALUES (?, ?)", row)

    def is_password(self, credential_id: str, password: str) -> bool:
        """Return whether this password goes with a key's codes; it takes as long for a key that has none."""
        found = self._rows("SELECT hash FROM password WHERE credential_id = ?", (credential_id,))
        try:
            self._hasher.verify(found[0][0] if found else _nobodys(), password[:MOST_PASSWORD])
        except (Argon2Error, InvalidHashError):
            return False
        return bool(found) and len(password) <= MOST_PASSWORD

    # -- one-time codes ------------------------------------------------------------------

    def last_step(self, credential_id: str) -> int:
        """Return the time step of the last code that signed in, 0 for none."""
        found = self._rows("SELECT last FROM step WHERE credential_id = ?", (credential_id,))
        return int(found[0][0]) if found else 0

    def keep_step(self, credential_id: str, step: int) -> None:
        """Let no code of `step`, or of one before it, sign in again."""
        self._write("INSERT OR REPLACE INTO step VALUES (?, ?)", (credential_id, step))

    # -- invitations ---------------------------------------------------------------------

    def invite(self, person: Person) -> str:
        """Return a code with which a person may enroll a key, once and within half an hour."""
        code = random_text(24)
        until = text_from_instant(self._now() + INVITED)
        self._write("INSERT INTO invitation VALUES (?, ?, ?)", (_hashed(code), person.value, until))
        return code

    def invited(self, code: str) -> Person | None:
        """Return whom a code invites, None when it is over, used or never was."""
        sql = "SELECT person, expires_at FROM invitation WHERE code_hash = ?"
        for person, expires_at in self._rows(sql, (_hashed(code),)):
            if self._now() < instant_from_text(expires_at):
                return Person(person)
        return None

    def use(self, code: str) -> Person | None:
        """Return whom a code invites and let it invite nobody again."""
        person = self.invited(code)
        self._write("DELETE FROM invitation WHERE code_hash = ?", (_hashed(code),))
        return person

    # -- tries ---------------------------------------------------------------------------

    def wait_s(self, *who: str) -> float:
        """Return after how many seconds the slowest of `who` may try again, 0 for now.

        Each failure doubles the pause, and the fifth within a quarter of an hour ends it for that long.
        """
        return max((self._wait_s(each) for each in who), default=0.0)

    def failures(self, who: str) -> int:
        """Return how many tries of `who` failed in the last quarter of an hour."""
        return len(self._failures(who))

    def _failures(self, who: str) -> list[datetime]:
        since = text_from_instant(self._now() - TRIED_IN)
        sql = "SELECT at FROM failure WHERE who = ? AND at > ? ORDER BY at"
        return [instant_from_text(at) for (at,) in self._rows(sql, (who, since))]

    def _wait_s(self, who: str) -> float:
        found = self._failures(who)
        if not found:
            return 0.0
        free_at = found[-1] + timedelta(seconds=2 ** (len(found) - 1))
        if len(found) >= TRIES:
            free_at = found[-TRIES] + TRIED_IN
        return max(0.0, (free_at - self._now()).total_seconds())

    def failed(self, *who: str) -> None:
        """Count a failed try of each of `who`; a try that is counted before its end counts in time."""
        now = self._now()
        with explained_by_sqlite(self._path), writing(self._connection):
            old = text_from_instant(now - TRIED_IN)
            self._connection.execute("DELETE FROM failure WHERE at <= ?", (old,))
            rows = [(each, text_from_instant(now)) for each in who]
            self._connection.executemany("INSERT INTO failure VALUES (?, ?)", rows)

    def succeeded(self, *who: str) -> None:
        """Forget the failed tries of each of `who`."""
        for each in who:
            self._write("DELETE FROM failure WHERE who = ?", (each,))

    # -- the file ------------------------------------------------------------------------

    def _rows(self, sql: str, values: tuple[str | int, ...]) -> list[Any]:
        with explained_by_sqlite(self._path):
            return self._connection.execute(sql, values).fetchall()

    def _write(self, sql: str, values: tuple[str | int, ...]) -> None:
        with explained_by_sqlite(self._path), writing(self._connection):
            self._connection.execute(sql, values)


def _visitor(
    session: str, person: str, form_key: str, made_at: str, seen_at: str, agent: str, credential_id: str
) -> Visitor:
    return Visitor(
        session=session,
        person=Person(person),
        form_key=form_key,
        made_at=instant_from_text(made_at),
        seen_at=instant_from_text(seen_at),
        agent=agent,
        credential_id=credential_id,
    )


def _is_alive(visitor: Visitor, now: datetime) -> bool:
    # A clock that was put back makes nobody younger than he was.
    return now - visitor.seen_at < IDLE and timedelta(0) <= now - visitor.made_at < LONGEST


@cache
def _nobodys() -> str:
    """Return a hash that no password has, so that an unknown name takes as long to judge."""
    return PasswordHasher().hash(random_text(32))


def _hashed(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
