"""What a front end shows: frozen events, folded, free of escape sequences, the same for every face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pxshell.protocol.stacktree import StackTree
from pxshell.ranks import EMPTY, RankSet
from pxshell.values.picture import Picture

__all__ = [
    "Answer",
    "CellAnswers",
    "Compared",
    "Comparison",
    "Cut",
    "Event",
    "Failure",
    "Level",
    "Listing",
    "Missing",
    "Notice",
    "Panel",
    "Plot",
    "Progress",
    "Refusal",
    "Stacks",
    "Stand",
    "Stands",
    "States",
    "Text",
]

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Text:
    """Lines that ranks wrote to a stream; live, so equal lines may come as several events."""

    ranks: RankSet
    name: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What ranks answered or displayed: a MIME bundle.

    Attributes:
        ranks: Who said it.
        data: MIME type to data; `text/plain` is always there.
        metadata: Jupyter's, of the bundle.
        type: The Jupyter message type: `execute_result` or `display_data`.
        order: 0 for a rank's first answer to the cell, 1 for its second, and so on; only equals are compared.
    """

    ranks: RankSet
    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    type: str = "execute_result"
    order: int = 0

    @property
    def text(self) -> str:
        """The plain text of the answer."""
        return str(self.data.get("text/plain", ""))


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception on ranks.

    Attributes:
        ranks: Who raised it.
        ename: Name of its class.
        evalue: Its message.
        traceback: Lines, the user's frames only.
        place: Where: `cell 4, line 1` or `sim.py:87`.
        source: The line of source there.
    """

    ranks: RankSet
    ename: str
    evalue: str
    traceback: tuple[str, ...] = ()
    place: str = ""
    source: str = ""

    @property
    def summary(self) -> str:
        """The exception in one line."""
        first, _, more = self.evalue.partition("\n")
        return f"{self.ename}: {first}{' …' if more else ''}" if first or more else self.ename


@dataclass(frozen=True, slots=True)
class Refusal:
    """Ranks that did not run the request, and why, in one line."""

    ranks: RankSet
    why: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Ranks that did not answer, and why (P3)."""

    ranks: RankSet
    why: str


@dataclass(frozen=True, slots=True)
class CellAnswers:
    """All that ranks answered to one cell, shown at once when every rank is accounted for.

    `silent` are the ranks that ran it without an answer (an assignment); `all_groups` shows each group however
    many there are.
    """

    cell: int
    answers: tuple[Answer, ...] = ()
    failures: tuple[Failure, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    missing: tuple[Missing, ...] = ()
    silent: RankSet = EMPTY
    all_groups: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for people, from pxshell itself; `ranks` are those that it is about, if any."""

    level: Level
    text: str
    ranks: RankSet = EMPTY


@dataclass(frozen=True, slots=True)
class Cut:
    """An announced cut: text of ranks that is not shown; all of it is in `file` (P2)."""

    ranks: RankSet
    bytes: int
    lines: int
    file: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Who is done and who is not, of something that takes longer than a second.

    `where` says where the slowest is, "" when unknown; `outside` are idle ranks that were not asked; `lasting` is the
    same for displays that print no line which is taken back, where it is worth one that stays.
    """

    done: RankSet
    waiting: RankSet
    where: str = ""
    outside: RankSet = EMPTY
    lasting: str = ""


@dataclass(frozen=True, slots=True)
class States:
    """The state of all ranks, folded: `rows` are ranks, state in a word or two, and where they are."""

    title: str
    rows: tuple[tuple[RankSet, str, str], ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """Ranks whose values are the same.

    Attributes:
        ranks: Who they are.
        letter: `a` for `@a`; "" beyond the 26th group.
        text: Their value in one line.
        is_odd: Another group holds more than half of the ranks.
        details: Lines that say what differs from the first group.
    """

    ranks: RankSet
    letter: str
    text: str
    is_odd: bool = False
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Values of ranks compared: groups, the largest first, then lines about all of them."""

    groups: tuple[Compared, ...]
    notes: tuple[str, ...] = ()
    all_groups: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """What is drawn for ranks with equal values; `place` has start and stop in the whole field, for each axis."""

    ranks: RankSet
    picture: Picture
    place: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Plot:
    """Values of ranks as a plot: of one kind all of them, numbers, rows or fields.

    Attributes:
        title: What is plotted.
        panels: By first rank; those that all have a place make one field.
        png: The same as an image, "" when nobody can show one here.
    """

    title: str
    panels: tuple[Panel, ...]
    png: bytes = b""


@dataclass(frozen=True, slots=True)
class Stacks:
    """The stacks of ranks, merged.

    Attributes:
        tree: The stacks, and who could not tell and why.
        letters: Of the branches, in the order of `render.branching.branches_of`; "" for one without.
        odd: Ranks outside the majority; empty when there is none.
        values: Chosen locals: name, and its values with the ranks that have them.
    """

    tree: StackTree
    letters: tuple[str, ...] = ()
    odd: RankSet = EMPTY
    values: tuple[tuple[str, tuple[tuple[RankSet, str], ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Stand:
    """Where ranks stand: `place` as `sim.py:88 in step`, its line of source, and a word if they do not stand."""

    ranks: RankSet
    place: str
    source: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class Stands:
    """Where each rank of a set stands, folded."""

    rows: tuple[Stand, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A stack, or lines of source, of ranks that have the same: rows of two columns, one of them marked.

    `marked` is the number of that row, -1 for none.
    """

    ranks: RankSet
    title: str
    rows: tuple[tuple[str, str], ...]
    marked: int = -1


Event = (
    Text
    | Answer
    | Failure
    | Refusal
    | Missing
    | CellAnswers
    | Notice
    | Cut
    | States
    | Comparison
    | Plot
    | Stacks
    | Stands
    | Listing
)
"""What `Display.show` gets; `Progress` goes to `Display.progress`."""
