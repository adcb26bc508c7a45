"""The grammar of rank sets: what people write after ``%pxfocus`` and ``-t``, read without ever evaluating it.

::

    set    = term { operator term }                   equal precedence, left to right
    operator = "," union | "!" difference | "&" intersection | "^" symmetric difference
    term   = "all" | item | "[" item { "," item } "]" | "@" name | key "=" value
    item   = "3" | "0-3" | "0-15/2" | "2:8:2" | "::2" | ":"
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, NoReturn

from pxshell.errors import RankSetError
from pxshell.ranks.items import is_plain, scan_item
from pxshell.ranks.mesh import Mesh
from pxshell.ranks.names import LETTER_NAMES_HINT, is_letter_name
from pxshell.ranks.value import EMPTY, RankSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Context", "parse", "parse_focus"]

_SPACE = re.compile(r"\s*")
_WORD = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(r"[^\s,!&^\[\]@=]+")
_OPERATORS: dict[str, Callable[[RankSet, RankSet], RankSet]] = {
    ",": RankSet.__or__,
    "!": RankSet.__sub__,
    "&": RankSet.__and__,
    "^": RankSet.__xor__,
}


@dataclass(frozen=True)
class Context:
    """What the words of a rank set mean here and now.

    Attributes:
        universe: All ranks that there are.
        names: The sets behind ``@name``: the user's, the states, letters; a callable is called when it is named.
            ``@first``, ``@last`` and ``@all`` are built in.
        hosts: The ranks on each machine, for ``host=NAME``.
        locals: The ranks with each local number, for ``local=NUMBER``.
        mesh: The axes along which the ranks are arranged, for ``AXIS=PLACES``.
    """

    universe: RankSet
    names: Mapping[str, RankSet | Callable[[], RankSet]] = field(default_factory=dict)
    hosts: Mapping[str, RankSet] = field(default_factory=dict)
    locals: Mapping[int, RankSet] = field(default_factory=dict)
    mesh: Mesh | None = None


def parse(text: str, context: Context) -> RankSet:
    """Return the ranks that ``text`` selects, at least one.

    Raises:
        RankSetError: It cannot be read, names what is not there, or selects no rank.
    """
    if is_plain(text):
        # Printed sets may have thousands of items: all at once. What is wrong with one is found the slow way.
        ranks = RankSet.parse_folded(text)
        if ranks <= context.universe:
            return ranks
    return _Parser(text, 0, context).parse()


def parse_focus(text: str, context: Context, current: RankSet) -> RankSet:
    """Return the focus after ``current`` when ``text`` is asked for: a rank set, ``+RANKS`` or ``-RANKS``.

    Raises:
        RankSetError: As ``parse``, or the focus would be empty.
    """
    start = _skip_space(text, 0)
    sign = text[start : start + 1]
    if sign not in {"+", "-"} or not sign:
        return parse(text, context)
    ranks = _Parser(text, start + 1, context).parse()
    if sign == "+":
        return current | ranks
    if ranks >= current:
        _refuse(f"no rank would be left of the focus, {current}; it stays", text, start)
    return current - ranks


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str, position: int, context: Context) -> None:
        self.text = text
        self.position = position
        self.context = context

    def parse(self) -> RankSet:
        """Read all of the text."""
        start = self.position
        ranks = self._term()
        while self._peek():
            combine = _OPERATORS.get(self._peek())
            if combine is None:
                self._fail("expected , (and) ! (without) & (both) or ^ (either) between sets")
            self.position += 1
            ranks = combine(ranks, self._term())
        if not ranks:
            _refuse("this selects no rank", self.text, _skip_space(self.text, start))
        return ranks

    def _peek(self) -> str:
        """Return the next character that is no space, empty at the end."""
        self.position = _skip_space(self.text, self.position)
        return self.text[self.position : self.position + 1]

    def _term(self) -> RankSet:
        character = self._peek()
        start = self.position
        if character == "@":
            return self._existing(self._name(), start)
        if character == "[":
            return self._existing(self._brackets(), start)
        if _WORD.match(character):
            return self._word()
        if character in _OPERATORS:
            self._fail(f"a rank set stands on both sides of {character}, as in all!3")
        if not character:
            self._fail("expected a rank set, as in 0-3,7 or all or @paused")
        return self._existing(self._item(), start)

    def _item(self) -> RankSet:
        universe = self.context.universe
        start = self.position
        end = universe.last + 1 if universe else 0
        ranks, self.position = scan_item(self.text, start, end)
        found = RankSet(ranks)
        # A slice passes over gaps between the ranks that there are; what is spelled out must be there.
        if ":" in self.text[start : self.position] and found.last < end:
            return found & universe
        return found

    def _brackets(self) -> RankSet:
        ranks = EMPTY
        while True:
            self.position += 1
            self._peek()
            ranks |= self._item()
            character = self._peek()
            if character == "]":
                self.position += 1
                return ranks
            if character != ",":
                self._fail("expected , or ] here; in [ ] stand only ranks, as in [0-3,7]")

    def _name(self) -> RankSet:
        start = self.position
        match = _WORD.match(self.text, start + 1)
        if match is None:
            _refuse("expected a name after @, as in @first", self.text, start)
        self.position = match.end()
        return self._named(match.group(), start)

    def _named(self, name: str, start: int) -> RankSet:
        universe = self.context.universe
        if name in {"first", "last"}:
            return _end_of(universe, name)
        if name == "all":
            return universe
        ranks = self.context.names.get(name)
        if ranks is None:
            _refuse(self._unknown_name(name), self.text, start)
        if name == "odd" and not ranks:
            _refuse("no @odd: the last answer had no majority, or was the same on all", self.text, start)
        return ranks if isinstance(ranks, RankSet) else ranks()

    def _unknown_name(self, name: str) -> str:
        if is_letter_name(name):
            return f"no @{name}: {LETTER_NAMES_HINT}"
        known = " ".join(f"@{one}" for one in sorted({"first", "last", *self.context.names}))
        return f"no set is called @{name}; there are {known}; give a name: %pxfocus --name {name} RANKS"

    def _word(self) -> RankSet:
        start = self.position
        match = _WORD.match(self.text, start)
        word = match.group() if match else ""
        self.position = start + len(word)
        if self._peek() == "=":
            self.position += 1
            return self._existing(self._coordinate(word, start), start)
        if word != "all":
            _refuse(self._unknown_word(word), self.text, start)
        return self.context.universe

    def _unknown_word(self, word: str) -> str:
        if word in {"first", "last", *self.context.names}:
            return f"names of sets begin with @: @{word}"
        return f"{word!r} is no rank set; write ranks (0-3,7), all, or a name (@paused)"

    def _coordinate(self, key: str, start: int) -> RankSet:
        self._peek()
        if key == "host":
            return self._host()
        if key == "local":
            return self._local()
        mesh = self.context.mesh
        if mesh is None:
            reason = "is a mesh coordinate, and this cluster has no mesh; give it one: %pxconfig --mesh dp=2,tp=4"
            _refuse(f"{key}= {reason}", self.text, start)
        length = mesh.length(key)
        if length is None:
            _refuse(f"the mesh has no axis {key}; it is {mesh}", self.text, start)
        return self._places(mesh, key, length)

    def _places(self, mesh: Mesh, axis: str, length: int) -> RankSet:
        start = self.position
        wanted, self.position = scan_item(self.text, start, length)
        if wanted[-1] >= length:
            _refuse(f"axis {axis} has the places 0-{length - 1}", self.text, start)
        return mesh.select(axis, wanted)

    def _host(self) -> RankSet:
        start = self.position
        match = _VALUE.match(self.text, start)
        hosts = self.context.hosts
        if match is None or match.group() not in hosts:
            _refuse(f"expected a machine after host=; there are {', '.join(sorted(hosts))}", self.text, start)
        self.position = match.end()
        return hosts[match.group()]

    def _local(self) -> RankSet:
        start = self.position
        known = self.context.locals
        wanted, self.position = scan_item(self.text, start, max(known, default=-1) + 1)
        missing = RankSet(wanted) - RankSet(known)
        if missing:
            _refuse(f"no rank has local number {missing}; there are {RankSet(known)}", self.text, start)
        return reduce(or_, (known[number] for number in wanted))

    def _existing(self, ranks: RankSet, start: int) -> RankSet:
        """Return the ranks when all of them are there."""
        missing = ranks - self.context.universe
        if missing:
            does = "rank {} does" if len(missing) == 1 else "ranks {} do"
            _refuse(f"{does.format(missing)} not exist; there are {self.context.universe}", self.text, start)
        return ranks

    def _fail(self, message: str) -> NoReturn:
        _refuse(message, self.text, self.position)


def _end_of(universe: RankSet, name: str) -> RankSet:
    if not universe:
        return EMPTY
    return RankSet.of(universe.first if name == "first" else universe.last)


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _refuse(message: str, text: str, position: int) -> NoReturn:
    raise RankSetError(message, text, position)
