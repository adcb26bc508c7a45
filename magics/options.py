"""Options are exact words before the code; the first word that is none starts the code, verbatim."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pxshell.errors import UsageError

__all__ = [
    "ATTACH",
    "BREAK",
    "CONFIG",
    "DEBUG",
    "DIFF",
    "PLOT",
    "PULL",
    "PUSH",
    "PX",
    "RESULT",
    "SIGNAL",
    "STACKS",
    "VERB",
    "Option",
    "around",
    "leading",
    "seconds",
    "trailing",
]

_WORD = re.compile(r"\s*(\S+)")
_QUOTED = re.compile(r"\s*(?:'([^']*)'|\"([^\"]*)\"|(\S+))")
_LAST_WORD = re.compile(r"\s(--[a-z][a-z-]*)\s*$")
_LAST_PAIR = re.compile(r"(?:^|(?<=\s))(-{1,2}[a-z][a-z-]*)\s+('[^']*'|\"[^\"]*\"|\S+)\s*$")


def seconds(text: str) -> float:
    """Read a number of seconds."""
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{text!r} is no number of seconds") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{text!r} is no tolerance; one is a number, as 1e-6") from None


def _name(text: str) -> str:
    if not text.isidentifier():
        raise UsageError(f"{text!r} is no name; -o NAME keeps the answers here under it")
    return text


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name for name in text.split(",") if name)
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise UsageError(f"{name!r} is no name; --locals step,u.shape shows what these are in the running frames")
    return names


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--count takes a number of looks from 1 on, not {text!r}")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise UsageError(f"{text!r} is no number of hits; the first is 1")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise UsageError(f"{text!r} is no port; there are 1 to 65535")
    return int(text)


def _grouping(text: str) -> str:
    if text not in {"type", "engine", "order"}:
        raise UsageError(f"--group-outputs is type, engine or order, not {text!r}")
    return text


def _interrupt(text: str) -> str:
    if text not in {"SIGINT", "INT", "2"}:
        raise UsageError(f"Ctrl-C sends INT, not {text!r}; other signals: %pxsignal")
    return text


def _on_or_off(text: str) -> bool:
    if text not in {"on", "off"}:
        raise UsageError(f"{text!r} is neither on nor off")
    return text == "on"


@dataclass(frozen=True, slots=True)
class Option:
    """What a word stands for: a value of `key`, or the next word read by `read`."""

    key: str
    value: object = True
    read: Callable[[str], object] | None = None


Table = Mapping[str, Option]

_TARGETS = {word: Option("targets", read=str) for word in ("-t", "--targets")}
_OUT = {word: Option("out", read=_name) for word in ("-o", "--out")}
_GROUPING = {
    "--group-outputs": Option("group", read=_grouping),
    "-e": Option("group", "engine"),
    "-r": Option("group", "order"),
}
_RUNNING = {
    **_TARGETS,
    "-b": Option("block"),
    "--block": Option("block"),
    "-a": Option("block", value=False),
    "--noblock": Option("block", value=False),
    "--verbose": Option("verbose"),
    "--no-verbose": Option("verbose", value=False),
    "--stream": Option("live"),
    "--no-stream": Option("live", value=False),
    "--timeout": Option("timeout", read=seconds),
    "--progress-after": Option("progress_after", read=seconds),
    "--signal-on-interrupt": Option("signal", read=_interrupt),
}

PX: Table = {
    **_RUNNING,
    **_OUT,
    **_GROUPING,
    "--peek": Option("peek"),
    "--queue": Option("queue"),
    "--local": Option("local"),
}
RESULT: Table = {**_OUT, **_GROUPING, "--all": Option("all"), "--list": Option("list")}
CONFIG: Table = {
    **_RUNNING,
    "--mute": Option("mute"),
    "--no-mute": Option("mute", value=False),
    "--watchdog": Option("watchdog", read=seconds),
    "--hold": Option("hold", read=_on_or_off),
    "--mesh": Option("mesh", read=str),
    "--no-mesh": Option("mesh", ""),
}
STACKS: Table = {
    **_TARGETS,
    "--full": Option("full"),
    "--locals": Option("names", read=_names),
    "--every": Option("every", read=seconds),
    "--count": Option("count", read=_count),
    "--timeout": Option("timeout", read=seconds),
}
SIGNAL: Table = {**_TARGETS, "--yes": Option("yes"), "--timeout": Option("timeout", read=seconds)}
DEBUG: Table = {**_TARGETS, "--full": Option("full"), "--timeout": Option("timeout", read=seconds)}
BREAK: Table = {**_TARGETS, "--once": Option("once"), "--hits": Option("hits", read=_positive)}
ATTACH: Table = {
    "--port": Option("port", read=_port),
    "--write": Option("write"),
    "--stdio": Option("stdio"),
    "--together": Option("together"),
    "--lockstep": Option("lockstep"),
    "--sessions": Option("sessions"),
    "--timeout": Option("idle_s", read=seconds),
}
PUSH: Table = _TARGETS
VERB: Table = _TARGETS
PULL: Table = {**_TARGETS, **_OUT, "--peek": Option("peek")}
_LOOKING = {**_TARGETS, "--peek": Option("peek")}
DIFF: Table = {
    **_LOOKING,
    "--rtol": Option("rtol", read=_number),
    "--atol": Option("atol", read=_number),
    "--against": Option("against", read=str),
    "--all": Option("all"),
}
PLOT: Table = {
    **_LOOKING,
    "--grid": Option("grid", read=str),
    "--at": Option("at", read=str),
    "--save": Option("save", read=str),
    "--text": Option("text"),
}


def leading(text: str, table: Table) -> tuple[dict[str, Any], str]:
    """Take the options off the front: their values, and the rest exactly as written.

    Raises:
        UsageError: an option has no value, or a bad one.
    """
    values: dict[str, Any] = {}
    position = len(text) - len(text.lstrip())
    while (match := _WORD.match(text, position)) is not None:
        word, end = match[1], match.end()
        if word == "--":
            return values, text[end:].removeprefix(" ")
        name, equals, given = word.partition("=")
        option = table.get(name if name.startswith("--") else word)
        if option is None or (equals and option.read is None):
            break
        if option.read is None:
            values[option.key] = option.value
        elif equals:
            values[option.key] = option.read(given)
        else:
            given, end = _value(text, end, word)
            values[option.key] = option.read(given)
        position = _past_blanks(text, end)
    return values, text[position:]


def trailing(text: str, table: Table) -> tuple[dict[str, Any], str]:
    """Take options with values off both ends: `u -t all -o parts`. No Python has a word after such a word."""
    values, rest = leading(text, table)
    while (match := _LAST_PAIR.search(rest)) is not None:
        option = table.get(match[1])
        if option is None or option.read is None:
            break
        values.setdefault(option.key, option.read(match[2].strip("'\"")))
        rest = rest[: match.start()].rstrip()
    return values, rest


def around(text: str, table: Table) -> tuple[dict[str, Any], str]:
    """Take all options off both ends, words without a value too: `u -t all --peek`.

    The last are Python as well, `u - (-peek)`; a magic that takes them there says so.
    """
    values, rest = trailing(text, table)
    before = None
    while rest != before:
        before = rest
        more, rest = trailing(f"-- {rest}", table)
        values = {**more, **values}
        word = _LAST_WORD.search(rest)
        option = table.get(word[1]) if word is not None else None
        if word is not None and option is not None and option.read is None:
            values.setdefault(option.key, option.value)
            rest = rest[: word.start()].rstrip()
    return values, rest


def _value(text: str, position: int, word: str) -> tuple[str, int]:
    match = _QUOTED.match(text, position)
    if match is None:
        raise UsageError(f"{word} needs a value; -- before code that begins so: %px -- {word}")
    return next(group for group in match.groups() if group is not None), match.end()


def _past_blanks(text: str, position: int) -> int:
    match = re.compile(r"\s*").match(text, position)
    return match.end() if match else position
