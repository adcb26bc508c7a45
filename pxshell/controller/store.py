"""Cells and their answers in SQLite, within limits; for one thread."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from pxshell.protocol.message import Message
from pxshell.protocol.pending import is_reply
from pxshell.ranks import RankSet

__all__ = ["MAX_BYTES", "MAX_CELLS", "MAX_CELL_BYTES", "Store"]

#: Cells that are kept; the oldest go first.
MAX_CELLS = 1000
#: Bytes of all answers that are kept; the cells of the oldest go first, the last one always stays.
MAX_BYTES = 64 * 1024 * 1024
#: Bytes of text, values and errors that one cell keeps beside its replies; what comes after is counted.
MAX_CELL_BYTES = 4 * 1024 * 1024

_SCHEMA = """
PRAGMA journal_mode = MEMORY;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS cells (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, client TEXT, cell INTEGER, code TEXT, ranks TEXT,
    time REAL, answered TEXT DEFAULT '', failed TEXT DEFAULT '', size INTEGER DEFAULT 0,
    cut_bytes INTEGER DEFAULT 0
);
CREATE TABLE IF NOT EXISTS messages (number INTEGER, message BLOB);
CREATE INDEX IF NOT EXISTS messages_of ON messages (number);
"""
_COLUMNS = ("number", "id", "client", "cell", "code", "ranks", "time", "answered", "failed", "cut_bytes")
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM cells"  # noqa: S608 - names of ours
_frames = msgspec.msgpack.Encoder()


class Store:
    """The file.

    Args:
        path: Where; made with mode 0600. What it holds from before stays.

    Raises:
        sqlite3.Error, OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)
        #: More is about to be written: the limits are looked at then.
        self._is_together = False

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what is kept inside in one piece, which costs a fraction of writing each of it; then let the oldest go.

        Raises:
            sqlite3.Error: it could not be written.
        """
        self._db.execute("BEGIN")
        self._is_together = True
        try:
            yield
            self._is_together = False
            self._trim()
        finally:
            self._is_together = False
            # SQLite itself has ended it when the disk is full.
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    def begin(self, request: Message, time: float) -> None:
        """Keep a cell; the same request again changes nothing.

        Args:
            request: An `execute_request`, its origin the client.
            time: When it came, in seconds of Unix.
        """
        content = request.data()
        row = (request.id, request.header.origin, int(content["cell"]), str(content["code"]), str(request.ranks), time)
        self._db.execute(
            "INSERT OR IGNORE INTO cells (id, client, cell, code, ranks, time) VALUES (?, ?, ?, ?, ?, ?)", row
        )
        self._trim()

    def add(self, message: Message) -> None:
        """Keep what was said for a cell; of a cell that is not kept, or of a full one, nothing but its replies."""
        found = self._db.execute("SELECT number, size FROM cells WHERE id = ?", (message.parent,)).fetchone()
        if found is None:
            return
        number, size = found
        if is_reply(message):
            self._account(number, message)
        elif size + message.size > MAX_CELL_BYTES:
            self.cut(message.parent, message.size)
            return
        blob = _frames.encode([bytes(frame) for frame in message.to_frames()])
        self._db.execute("INSERT INTO messages VALUES (?, ?)", (number, blob))
        self._db.execute("UPDATE cells SET size = size + ? WHERE number = ?", (len(blob), number))
        self._trim()

    def _account(self, number: int, message: Message) -> None:
        is_well = message.type != "px_missing" and message.data().get("status") == "ok"
        for column in ("answered",) if is_well else ("answered", "failed"):
            query = f"SELECT {column} FROM cells WHERE number = ?"  # noqa: S608 - names of ours
            before = RankSet.parse_folded(self._db.execute(query, (number,)).fetchone()[0])
            update = f"UPDATE cells SET {column} = ? WHERE number = ?"  # noqa: S608 - names of ours
            self._db.execute(update, (str(before | message.ranks), number))

    def cut(self, request: str, size: int) -> None:
        """Count bytes that are left out of a cell."""
        self._db.execute("UPDATE cells SET cut_bytes = cut_bytes + ? WHERE id = ?", (size, request))

    def _trim(self) -> None:
        while not self._is_together:
            count, size, oldest, newest = self._db.execute(
                "SELECT count(*), total(size), min(number), max(number) FROM cells"
            ).fetchone()
            if count <= 1 or oldest == newest or (count <= MAX_CELLS and size <= MAX_BYTES):
                return
            self._db.execute("DELETE FROM messages WHERE number = ?", (oldest,))
            self._db.execute("DELETE FROM cells WHERE number = ?", (oldest,))

    def last(self, count: int) -> list[dict[str, Any]]:
        """Return the last cells, the newest first."""
        return self._cells("ORDER BY number DESC LIMIT ?", count)

    def numbered(self, number: int) -> list[dict[str, Any]]:
        """Return the cell of this number in the history, if it is kept."""
        return self._cells("WHERE number = ?", number)

    def of_session(self, cell: int) -> list[dict[str, Any]]:
        """Return the newest cell that a session gave this number, if one is kept."""
        return self._cells("WHERE cell = ? ORDER BY number DESC LIMIT 1", cell)

    def _cells(self, condition: str, value: int) -> list[dict[str, Any]]:
        rows = self._db.execute(f"{_SELECT} {condition}", (value,)).fetchall()
        return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]

    def messages(self, number: int) -> list[bytes]:
        """Return what was said for a cell, in order: each a msgpack list of frames."""
        rows = self._db.execute("SELECT message FROM messages WHERE number = ? ORDER BY rowid", (number,))
        return [row[0] for row in rows]
