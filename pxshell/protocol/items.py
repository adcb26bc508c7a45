"""What folds as one: a whole message, or one line of a stream."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

from pxshell.protocol.message import Message, MessageError, encode_content
from pxshell.protocol.stacktree import merged_content
from pxshell.protocol.types import Fold, type_of
from pxshell.ranks import EMPTY, RankSet

__all__ = ["Item", "Key", "Part", "alone", "is_merge", "lines_of", "messages_of", "parts_of", "stream_of"]

#: (scope, detail): what has equal keys is equal; lines with equal scopes belong to one stream.
Key = tuple[Hashable, Hashable]
#: What folds as one: its key, None for what is equal to nothing else, and the line for stream text.
Part = tuple[Key | None, str | None]


@dataclass(slots=True)
class Item:
    """A part of messages with the ranks that said it."""

    key: Key | None
    #: The first message that it came in.
    message: Message
    ranks: RankSet
    #: The line's text, for stream items.
    text: str | None = None
    #: The ranks that said nothing after it; a relay keeps account of it.
    last: RankSet = EMPTY
    #: The messages after the first, of those that a reducer makes one of.
    more: list[Message] = field(default_factory=list)

    @property
    def size(self) -> int:
        """What it costs to keep: length of the line, or bytes of the messages."""
        if self.text is not None:
            return len(self.text)
        return self.message.size + sum(message.size for message in self.more)


def parts_of(message: Message) -> list[Part]:
    """Cut a message into what folds: stream text into lines, anything else whole."""
    stream = stream_of(message)
    if stream is not None:
        scope, text = stream
        return [((scope, line), line) for line in lines_of(text)]
    header = message.header
    row = type_of(header.type)
    if row is not None and row.fold is Fold.MERGE and not header.key and message.ranks:
        return [(((header.type, header.parent, header.origin, header.epoch, header.late), Fold.MERGE), None)]
    # What nobody said is about all; two such messages are two.
    if row is None or row.fold is not Fold.DIGEST or header.key or not header.digest or not message.ranks:
        return [(None, None)]
    return [(((header.type, header.parent, header.origin, header.epoch, header.late), header.digest), None)]


def is_merge(key: Key | None) -> bool:
    """Tell whether messages with this key become one by a reducer, and so have to be kept."""
    return key is not None and key[1] is Fold.MERGE


def stream_of(message: Message) -> tuple[Hashable, str] | None:
    """Return the scope and text of a message that folds by the line; None for others."""
    header = message.header
    row = type_of(header.type)
    if row is None or row.fold is not Fold.LINES or header.key or not message.ranks:
        return None
    name, text = _name_and_text(message)
    return (header.parent, header.origin, header.epoch, header.late, name), text


def lines_of(text: str) -> list[str]:
    """Cut text into lines with their ends. Only a newline ends a line: a carriage return redraws one."""
    lines = text.split("\n")
    rest = lines.pop()
    whole = [line + "\n" for line in lines]
    return [*whole, rest] if rest else whole


def _name_and_text(message: Message) -> tuple[str, str]:
    content = message.data()
    return str(content.get("name", "stdout")), str(content.get("text", ""))


def messages_of(items: Iterable[Item]) -> list[Message]:
    """Make messages of items: adjacent lines of one stream and one rank set become one."""
    out: list[Message] = []
    lines: list[Item] = []
    for item in items:
        if lines and not _same_stream(lines[-1], item):
            out.append(_stream_message(lines))
            lines = []
        if item.more:
            out.append(_merged(item))
        elif item.text is None:
            out.append(_with_ranks(item.message, item.ranks))
        else:
            lines.append(item)
    if lines:
        out.append(_stream_message(lines))
    return out


def alone(message: Message) -> Message:
    """Return what folding makes of a message that nothing folds with."""
    row = type_of(message.header.type)
    if row is not None and row.fold is Fold.LINES and (message.header.mark or message.header.digest):
        return message.with_header(mark=0, digest=b"")
    return message


def _same_stream(one: Item, other: Item) -> bool:
    if one.text is None or other.text is None or one.key is None or other.key is None:
        return False
    return (one.ranks is other.ranks or one.ranks == other.ranks) and one.key[0] == other.key[0]


def _with_ranks(message: Message, ranks: RankSet) -> Message:
    return message if ranks is message.ranks or ranks == message.ranks else message.with_ranks(ranks)


def _merged(item: Item) -> Message:
    """Make one message of those that a reducer merges."""
    replies = [(message.ranks, _readable(message)) for message in (item.message, *item.more)]
    header = item.message.with_header(digest=b"").header
    return _with_ranks(Message(header, item.message.ranks, encode_content(merged_content(replies))), item.ranks)


def _readable(message: Message) -> dict[str, object]:
    """Decode a content; what cannot be decoded reads as a reply that fails, and does not end the relay."""
    try:
        return message.data()
    except MessageError:
        return {"status": "error"}


def _stream_message(lines: list[Item]) -> Message:
    first = _with_ranks(lines[0].message, lines[0].ranks)
    text = "".join(item.text or "" for item in lines)
    name, own = _name_and_text(first)
    header = first.header
    if text == own and not header.mark and not header.digest:
        return first
    content = encode_content({"name": name, "text": text})
    return Message(first.with_header(mark=0, digest=b"").header, first.ranks, content)
