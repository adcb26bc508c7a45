r"""Marks in a rank's output pipes: whose the text after them is, and where a message stands in it.

A mark is `ESC _ p x TOKEN ; BODY ESC \` (the form of an APC string, which no terminal shows). BODY is `nN` (message
number N follows in the link), `cSCOPE` (the text after it belongs to this request, see `Scope`), `s1` or `s2` (it is
stdout, it is stderr). The token is random for each process, so that no text of a program is a mark by accident.
Marks are written whole, in one write of at most PIPE_BUF bytes, so that those of several threads do not mix.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

__all__ = ["MarkReader", "Position", "Scope", "Text", "cell_mark", "position_mark", "stream_mark"]

_Decoder = codecs.getincrementaldecoder("utf-8")

_BEGIN = b"\x1b_px"
_END = b"\x1b\\"
#: Longest body, and longest mark with a token of at most 27 characters, in bytes.
_LONGEST_BODY = 160
_LONGEST = 200


def position_mark(token: str, number: int) -> bytes:
    """Return the mark that stands before message `number` of the link."""
    return _mark(token, f"n{number}")


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose text it is: the request, the client that it came from, and whether its reply has been sent.

    Ids are made by pxshell: short, and without `@` and `!`.
    """

    cell: str = ""
    origin: str = ""
    late: bool = False

    def __str__(self) -> str:
        return f"{self.cell}@{self.origin}{'!' if self.late else ''}"

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Read what `str` wrote."""
        cell, _, origin = text.partition("@")
        return cls(cell, origin.removesuffix("!"), origin.endswith("!"))


def cell_mark(token: str, scope: Scope) -> bytes:
    """Return the mark after which text belongs to this scope."""
    return _mark(token, f"c{scope}")


def stream_mark(token: str, name: str) -> bytes:
    """Return the mark after which text is `stdout` or `stderr`."""
    return _mark(token, "s2" if name == "stderr" else "s1")


def _mark(token: str, body: str) -> bytes:
    encoded = body.encode()
    if len(encoded) > _LONGEST_BODY or b"\x1b" in encoded:
        raise ValueError(f"no mark can hold {body[:40]!r}: at most {_LONGEST_BODY} bytes and no ESC")
    return _BEGIN + token.encode() + b";" + encoded + _END


@dataclass(frozen=True, slots=True)
class Text:
    """Text of one stream and one cell."""

    name: str
    cell: str
    text: str


@dataclass(frozen=True, slots=True)
class Position:
    """Message `number` stands here."""

    number: int


class MarkReader:
    """Cuts the bytes of one pipe into text and marks.

    Args:
        token: the process's token.
        name: the stream that the pipe carries where no mark says otherwise.
        cell: the request that text belongs to until a mark says otherwise.
    """

    def __init__(self, token: str, name: str, cell: str = "") -> None:
        self._begin = _BEGIN + token.encode() + b";"
        self._pattern = re.compile(re.escape(self._begin) + rb"([^\x1b]{1,%d})" % _LONGEST_BODY + re.escape(_END))
        self._own = name
        self._name = name
        self.cell = cell
        self._rest = b""
        #: One for each stream: a character may be cut by a mark, and continued after text of the other stream.
        self._decoders = {stream: _Decoder("replace") for stream in (name, "stderr")}

    def feed(self, data: bytes) -> list[Text | Position]:
        """Take bytes; return what they hold, in order. A mark that is not whole yet is kept."""
        data = self._rest + data
        out: list[Text | Position] = []
        start = 0
        for found in self._pattern.finditer(data):
            self._text(data[start : found.start()], out)
            self._apply(found.group(1).decode("utf-8", "replace"), out)
            start = found.end()
        keep = self._kept_from(data, start)
        self._text(data[start:keep], out)
        self._rest = data[keep:]
        return out

    def close(self) -> list[Text | Position]:
        """Return what was kept: the pipe has ended."""
        out: list[Text | Position] = []
        rest, self._rest = self._rest, b""
        self._text(rest, out)
        self._finish_characters(out)
        return out

    def _kept_from(self, data: bytes, start: int) -> int:
        """Return where a mark begins that is not whole yet, at most the length of a mark before the end, or the end."""
        at = data.find(b"\x1b", max(start, len(data) - _LONGEST))
        while at != -1:
            if self._begin.startswith(data[at : at + len(self._begin)]):
                return at
            at = data.find(b"\x1b", at + 1)
        return len(data)

    def _text(self, data: bytes, out: list[Text | Position]) -> None:
        text = self._decoders[self._name].decode(data)
        if text:
            out.append(Text(self._name, self.cell, text))

    def _finish_characters(self, out: list[Text | Position]) -> None:
        """Give out what there is of characters that were cut: nothing of them follows any more."""
        for name, decoder in self._decoders.items():
            text = decoder.decode(b"", final=True)
            if text:
                out.append(Text(name, self.cell, text))

    def _apply(self, body: str, out: list[Text | Position]) -> None:
        if re.fullmatch("n[0-9]+", body):
            out.append(Position(int(body[1:])))
        elif body.startswith("c"):
            self._finish_characters(out)
            self.cell = body[1:]
        elif body in ("s1", "s2"):
            self._name = "stderr" if body == "s2" else self._own
