"""The exchange's own file: each change is on the disk before its answer goes out, and a restart resumes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import apsw

from qgtm.adapters.database import explained_by_sqlite, open_writer, writing
from qgtm.exchange.codec import to_json
from qgtm.exchange.core import Exchange
from qgtm.exchange.state import head, load

APPLICATION_ID: Final = 0x71676578  # "qgex"
_TABLES: Final = (
    "CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL);"
    "CREATE TABLE orders (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);"
    "CREATE TABLE executions (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);"
    "CREATE TABLE activities (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);"
    "CREATE TABLE closes (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);",
)
_LISTS: Final = ("orders", "executions", "activities", "closes")


class Store:
    """One exchange's state in SQLite; only what changed is written.

    Raises `JournalError` with the next step where the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: apsw.Connection = open_writer(path, APPLICATION_ID, _TABLES)
        self._written = dict.fromkeys(_LISTS, 0)
        self._last_head = ""

    def load_into(self, exchange: Exchange) -> bool:
        """Put what is stored into the exchange; False when nothing is stored yet."""
        with explained_by_sqlite(self._path):
            rows = self._connection.execute("SELECT body FROM head").fetchall()
            if not rows:
                return False
            state: dict[str, Any] = json.loads(str(rows[0][0]))
            for name in _LISTS:
                found = self._connection.execute(f"SELECT body FROM {name} ORDER BY seq").fetchall()
                state[name] = [json.loads(str(row[0])) for row in found]
                self._written[name] = len(state[name])
        load(exchange, state)
        return True

    def replace_all(self, exchange: Exchange) -> None:
        """Write everything anew, after a state was put in from outside."""
        with explained_by_sqlite(self._path), writing(self._connection):
            for name in _LISTS:
                self._connection.execute(f"DELETE FROM {name}")
        self._written = dict.fromkeys(_LISTS, 0)
        self._last_head = ""
        exchange.desk.book.dirty = {order.seq: order for order in exchange.desk.book.all}
        self.keep(exchange, is_due=True)

    def keep(self, exchange: Exchange, *, is_due: bool = False) -> bool:
        """Write what changed since the last time; `is_due` also when only time went on.

        Returns whether anything was written. It is on the disk then.
        """
        desk = exchange.desk
        lists: dict[str, Sequence[Any]] = {
            "executions": desk.executions,
            "activities": desk.activities,
            "closes": desk.ledger.closes,
        }
        grown = {n: rows[self._written[n] :] for n, rows in lists.items() if len(rows) > self._written[n]}
        body = head(exchange)
        text = json.dumps({**body, "now": ""})
        if not (desk.book.dirty or grown or is_due or text != self._last_head):
            return False
        with explained_by_sqlite(self._path), writing(self._connection):
            self._put("orders", [(order.seq, order) for order in desk.book.dirty.values()])
            for name, rows in grown.items():
                self._put(name, list(enumerate(rows, start=self._written[name] + 1)))
            self._connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?)", (json.dumps(body),))
        desk.book.dirty.clear()
        self._last_head = text
        for name, rows in lists.items():
            self._written[name] = len(rows)
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _put(self, name: str, rows: list[tuple[int, Any]]) -> None:
        statement = f"INSERT OR REPLACE INTO {name} VALUES (?, ?)"
        self._connection.executemany(statement, [(seq, json.dumps(to_json(row))) for seq, row in rows])
