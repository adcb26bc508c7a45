"""What ranks say in tests of folding: histories, their interleavings, and what each rank said as a reader sees it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from random import Random

from hypothesis import strategies as st

from pxshell.protocol.digest import with_digest
from pxshell.protocol.fold import Folder
from pxshell.protocol.message import Message
from pxshell.ranks import RankSet

CELL = "cell"
TEXTS = ["a\n", "b\n", "\n", "a", "ab\nc", "progress\rdone\n", "é\u2028x\n", "a\nb\na\n"]

texts = st.sampled_from(TEXTS)
utterances = st.one_of(
    st.tuples(st.just("stdout"), texts),
    st.tuples(st.just("stdout"), texts),
    st.tuples(st.just("stderr"), texts),
    st.tuples(st.just("late"), texts),
    st.tuples(st.sampled_from(["display_data", "execute_result", "error", "clear_output"]), st.sampled_from("xy")),
    st.tuples(st.just("comm_msg"), st.sampled_from("xy")),
    st.tuples(st.just("other cell"), texts),
)
replies = st.sampled_from([("execute_reply", "ok"), ("execute_reply", "error"), ("px_missing", "ended: exit 1")])


@st.composite
def spoken(draw, ranks: int = 5) -> list[list[Message]]:
    """Return for each rank what it says; ranks mostly say the same, cut anywhere, and end with a reply or die."""
    common = draw(st.lists(utterances, max_size=8))
    out = []
    for rank in range(draw(st.integers(1, ranks))):
        own = list(common)
        for _ in range(draw(st.integers(0, 2))):
            at = draw(st.integers(0, len(own)))
            own[at : at + draw(st.integers(0, 1))] = draw(st.lists(utterances, max_size=2))
        out.append(_messages(rank, [*own, draw(replies)], draw(st.randoms(use_true_random=False))))
    return out


def _messages(rank: int, history: list[tuple[str, str]], rng: Random) -> list[Message]:
    out: list[Message] = []
    for kind, what in history:
        if kind in {"stdout", "stderr", "late", "other cell"}:
            name = "stdout" if kind in {"late", "other cell"} else kind
            parent = "other" if kind == "other cell" else CELL
            for text in cut(what, rng):
                out.append(stream(rank, text, name, parent=parent, late=kind == "late", id=f"{rank}-{len(out)}"))
        else:
            out.append(said_whole(rank, kind, what, id=f"{rank}-{len(out)}"))
    return out


def stream(ranks, text: str, name: str = "stdout", *, id: str = "s", parent: str = CELL, **fields) -> Message:  # noqa: A002 - the field's name
    """Return stream text of a rank, or of several."""
    return Message.make("stream", id, {"name": name, "text": text}, ranks=_set(ranks), parent=parent, **fields)


def said_whole(ranks, kind: str, what: str, *, id: str = "w", parent: str = CELL, **fields) -> Message:  # noqa: A002 - the field's name
    """Return a message that folds whole, or never, with its digest."""
    return with_digest(Message.make(kind, id, {"what": what}, ranks=_set(ranks), parent=parent, **fields))


def _set(ranks) -> RankSet:
    return RankSet.of(ranks) if isinstance(ranks, int) else RankSet(ranks)


def cut(text: str, rng: Random) -> list[str]:
    """Cut text at arbitrary points."""
    points = sorted({0, len(text), *(rng.randrange(len(text) + 1) for _ in range(rng.randrange(3)))})
    return [text[start:stop] for start, stop in pairwise(points)]


def interleaved(histories: list[list[Message]], rng: Random) -> list[Message]:
    """Return all messages in some order in which each rank's own are in order."""
    left = [list(reversed(history)) for history in histories if history]
    out = []
    while left:
        history = rng.choice(left)
        out.append(history.pop())
        if not history:
            left.remove(history)
    return out


@dataclass
class Relay:
    """A folder that hands on at arbitrary moments."""

    rng: Random
    folder: Folder

    def pass_on(self, message: Message) -> list[Message]:
        """Take a message; return what goes on."""
        self.folder.add(message)
        match self.rng.randrange(6):
            case 0:
                return self.folder.take()
            case 1 | 2:
                waited_for = RankSet(rank for rank in range(6) if self.rng.random() < 0.6)
                return self.folder.take_complete(lambda _: waited_for)
        return []


def through_the_tree(messages: list[Message], rng: Random) -> list[Message]:
    """Return what comes out of a controller above up to three nodes."""
    count = rng.randint(1, 3)
    nodes = [Relay(rng, Folder()) for _ in range(count)]
    top = Relay(rng, Folder())
    out: list[Message] = []
    for message in messages:
        for folded in nodes[message.ranks.first % count].pass_on(message):
            out += top.pass_on(folded)
    for node in nodes:
        for folded in node.folder.take():
            out += top.pass_on(folded)
    return out + top.folder.take()


def as_read(messages: list[Message]) -> dict[int, list[tuple]]:
    """Return for each rank what a reader sees of it: text in one piece until something else comes, and messages."""
    out: dict[int, list[tuple]] = {}
    for message in messages:
        for rank in message.ranks:
            seen = out.setdefault(rank, [])
            scope = (message.type, message.parent, message.header.origin, message.header.epoch, message.header.late)
            if message.type != "stream":
                seen.append((*scope, message.content, message.buffers))
                continue
            data = message.data()
            if seen and seen[-1][:-1] == (*scope, data["name"]):
                seen[-1] = (*seen[-1][:-1], seen[-1][-1] + data["text"])
            elif data["text"]:
                seen.append((*scope, data["name"], data["text"]))
    return out


def as_shown(messages: list[Message]) -> list[tuple]:
    """Return ranks, type and content of messages: what folds are compared by."""
    return [
        (str(message.ranks), message.type, message.parent, message.header.late, message.content) for message in messages
    ]
