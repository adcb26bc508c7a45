"""JSON with comments, edited in place: what is not replaced stays as it was written, comments included.

As VS Code reads its own files: ``//`` and ``/* */`` comments, and a comma after the last element.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

__all__ = ["JsoncError", "Node", "drop", "parse", "put"]

_BLANK = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SCALAR = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null")
_STEP = "    "
_decoder = json.JSONDecoder()


class JsoncError(ValueError):
    """Text that is no JSON with comments; `position` counts characters."""

    def __init__(self, what: str, text: str, position: int) -> None:
        self.line = text.count("\n", 0, position) + 1
        super().__init__(f"{what} (line {self.line})")


@dataclass(slots=True)
class Node:
    """A value and where it stands: `text[start:end]`."""

    value: Any
    start: int
    end: int
    #: Of an object its members, of an array its elements.
    members: dict[str, Node] = field(default_factory=dict)
    elements: list[Node] = field(default_factory=list)
    #: Whether a comma follows the last member or element.
    has_comma: bool = False

    @property
    def last(self) -> Node | None:
        """The last member or element."""
        return next(reversed([*self.members.values(), *self.elements]), None)


def parse(text: str) -> Node:
    """Read a document.

    Raises:
        JsoncError: it is none.
    """
    node = _Reader(text).value(_blank(text, 0))
    end = _blank(text, node.end)
    if end != len(text):
        raise JsoncError("something follows the value", text, end)
    return node


def _blank(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    assert match is not None, "it matches nothing, too"
    return match.end()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, at: int) -> Node:
        start = self._text[at : at + 1]
        if start == "{":
            return self._object(at)
        if start == "[":
            return self._array(at)
        if start == '"':
            value, end = self._string(at)
            return Node(value, at, end)
        match = _SCALAR.match(self._text, at)
        if match is None:
            raise JsoncError("a value is missing", self._text, at)
        try:
            return Node(json.loads(match[0]), at, match.end())
        except ValueError:
            raise JsoncError(f"{match[0]} is no value", self._text, at) from None

    def _string(self, at: int) -> tuple[str, int]:
        if self._text[at : at + 1] != '"':
            raise JsoncError("a name in quotes is missing", self._text, at)
        try:
            value, end = _decoder.raw_decode(self._text, at)
        except ValueError:
            raise JsoncError("a string does not end", self._text, at) from None
        return str(value), end

    def _object(self, start: int) -> Node:
        node = Node({}, start, start)
        at = _blank(self._text, start + 1)
        while self._text[at : at + 1] != "}":
            name, end = self._string(at)
            at = _blank(self._text, end)
            if self._text[at : at + 1] != ":":
                raise JsoncError("a colon is missing", self._text, at)
            member = self.value(_blank(self._text, at + 1))
            node.members[name], node.value[name] = member, member.value
            at = self._past_comma(node, member, "}")
        node.end = at + 1
        return node

    def _array(self, start: int) -> Node:
        node = Node([], start, start)
        at = _blank(self._text, start + 1)
        while self._text[at : at + 1] != "]":
            element = self.value(at)
            node.elements.append(element)
            node.value.append(element.value)
            at = self._past_comma(node, element, "]")
        node.end = at + 1
        return node

    def _past_comma(self, node: Node, element: Node, close: str) -> int:
        at = _blank(self._text, element.end)
        node.has_comma = self._text[at : at + 1] == ","
        if node.has_comma:
            return _blank(self._text, at + 1)
        if self._text[at : at + 1] != close:
            raise JsoncError(f"a comma or {close} is missing", self._text, at)
        return at


def put(text: str, array: str, entry: dict[str, Any]) -> str:
    """Put an entry into an array of the document's object, in place of the one of the same `name` if there is one.

    Raises:
        JsoncError: the document is no object with such an array.
    """
    root = parse(text)
    if not isinstance(root.value, dict):
        raise JsoncError("the file is no object", text, root.start)
    found = root.members.get(array)
    if found is None:
        written = f"{json.dumps(array)}: [\n{_indented(entry, 2)}\n{_STEP}]"
        return _append(text, root, f"{_STEP}{written}", "")
    if not isinstance(found.value, list):
        raise JsoncError(f"{array} is no list", text, found.start)
    for old in found.elements:
        if isinstance(old.value, dict) and old.value.get("name") == entry["name"]:
            return text[: old.start] + _indented(entry, 2).lstrip() + text[old.end :]
    return _append(text, found, _indented(entry, 2), _STEP)


def drop(text: str, array: str, name: str) -> str:
    """Take the entries of a `name` out of an array of the document's object, if there are any; comments stay.

    Raises:
        JsoncError: the document is none.
    """
    found = parse(text).members.get(array, Node(None, 0, 0))
    for index, old in reversed(list(enumerate(found.elements))):
        if isinstance(old.value, dict) and old.value.get("name") == name:
            return drop(_without(text, found, index), array, name)
    return text


def _without(text: str, array: Node, index: int) -> str:
    """Take out an element, with the line that it leaves empty, and the comma that would be too much."""
    old = array.elements[index]
    comma = _blank(text, old.end)
    start, end = old.start, old.end
    if text[comma] == ",":
        text = text[:comma] + text[comma + 1 :]
    elif index:
        comma = _blank(text, array.elements[index - 1].end)
        text, start, end = text[:comma] + text[comma + 1 :], start - 1, end - 1
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end) + 1
    if line_end and not text[line_start:start].strip() and not text[end:line_end].strip():
        start, end = line_start, line_end
    return text[:start] + text[end:]


def _append(text: str, container: Node, written: str, closing_indent: str) -> str:
    """Write behind the last element, and behind the comments that follow it."""
    close = container.end - 1
    before = text[:close]
    last = container.last
    if last is not None and not container.has_comma:
        before = f"{before[: last.end]},{before[last.end :]}"
    kept = before.rstrip()
    return f"{kept}\n{written}\n{closing_indent}{text[close:]}"


def _indented(entry: dict[str, Any], depth: int) -> str:
    lines = json.dumps(entry, indent=len(_STEP), ensure_ascii=False).split("\n")
    return "\n".join(_STEP * depth + line for line in lines)
