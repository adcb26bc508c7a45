"""Completion on the ranks' own objects, merged over the focus, and on our magics and rank sets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from pxshell.errors import PxshellError
from pxshell.session import Session

__all__ = ["RankCompleter", "Source"]

#: A rank that has not answered by then has nothing to say to this keystroke.
DEADLINE_S = 0.1

_NAMES = ("@paused", "@held", "@failed", "@busy", "@idle", "@dead", "@first", "@last", "@odd")
_VERBS = {
    "pxsignal": ("pause", "pause --sync", "resume", "INT", "TERM", "KILL", "USR1", "USR2", "HUP", "CONT", "STOP"),
    "pxcluster": ("start -n", "attach", "list", "stop"),
}
_MAGIC_NAME = re.compile(r"(%{1,2})(\w*)")
_FIRST_LINE = re.compile(r"%%px\b[^\n]*\n")
_ONE_LINE = re.compile(
    r"%px(?:diff|plot)?\b\s*(?:(?:-t|-o|--timeout|--rtol|--atol|--grid)\s+\S+\s+|(?:-a|--peek|--local|--all|--)\s+)*"
)
_Words = tuple[str, Iterable[str]]
_LOCAL = re.compile(r"%local\s|%%local[^\n]*\n")


class Source(Protocol):
    """Where completions come from: the shell."""

    @property
    def session(self) -> Session:
        """The session, which asks the ranks."""

    def magic_names(self) -> Iterable[str]:
        """Names of what runs here, without %."""

    def complete_here(self, code: str, cursor: int) -> Iterator[Completion]:
        """Complete on the objects of this process."""


class RankCompleter(Completer):
    """Completes what is typed; prompt_toolkit calls it in a thread, so typing never waits for a rank."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield what can stand at the cursor."""
        line = document.current_line_before_cursor
        if found := _rank_words(self._source, line) or _verbs(line):
            word, words = found
            yield from (Completion(one, -len(word)) for one in words if one.startswith(word))
            return
        if name := _MAGIC_NAME.fullmatch(line):
            yield from self._magics(*name.groups())
        yield from self._objects(document)

    def _magics(self, sigil: str, name: str) -> Iterator[Completion]:
        for known in sorted(self._source.magic_names()):
            if known.startswith(name):
                yield Completion(f"{sigil}{known}", -len(sigil + name), display_meta="here")

    def _objects(self, document: Document) -> Iterator[Completion]:
        text, cursor = document.text, document.cursor_position
        if local := _LOCAL.match(text):
            yield from self._source.complete_here(text[local.end() :], cursor - local.end())
            return
        head = _FIRST_LINE.match(text) or _ONE_LINE.match(text)
        start = head.end() if head else 0
        if cursor < start or not text[start:cursor].strip():
            return
        yield from _completions(_ask(self._source.session, text[start:], cursor - start), text[start:], cursor - start)


def _ask(session: Session, code: str, cursor: int) -> dict[str, Any]:
    try:
        return session.complete(code, cursor, timeout=DEADLINE_S)
    except PxshellError:  # nobody to ask: the session says so itself, and not with each keystroke
        return {}


def _completions(reply: Mapping[str, Any], code: str, cursor: int) -> Iterator[Completion]:
    """Read Jupyter's complete_reply."""
    start = int(reply.get("cursor_start", cursor))
    typed = reply.get("metadata", {}).get("_jupyter_types_experimental", ())
    kinds = {one["text"]: one["type"] for one in typed if one.get("type") != "<unknown>"}
    for match in reply.get("matches", ()):
        # IPython writes the whole path, a.b.c; people read its last part.
        shown = match.rpartition(".")[2] if "." in code[start:cursor] else match
        yield Completion(match, start - cursor, display=shown or match, display_meta=kinds.get(match, ""))


def _rank_words(source: Source, line: str) -> _Words | None:
    before, _, word = line.rpartition(" ")
    words = before.split()
    if not words or not words[0].startswith(("%px", "%%px")) or words[-1] not in ("-t", "%pxfocus"):
        return None
    options = ["if", "--name"] if words == ["%pxfocus"] else []
    return re.split(r"[,!&^]", word)[-1].lstrip("+-"), ["all", str(source.session.world), *_NAMES, *options]


def _verbs(line: str) -> _Words | None:
    found = re.match(r"%(px\w+)\s+", line)
    if found is None or found[1] not in _VERBS:
        return None
    return line[found.end() :], _VERBS[found[1]]
