"""The verbs of `%pxdebug` for breakpoints: break, watch, clear, breaks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pxshell.magics.holder import Holder
from pxshell.magics.options import BREAK, DEBUG, leading, trailing
from pxshell.magics.raising import ON_RAISE, break_on_raise

from pxshell.errors import UsageError

__all__ = ["BREAKPOINTS"]

Verb = Callable[[Holder, str], None]

_USAGE = (
    "where? %pxdebug break FILE:LINE, LINE of the file where it stands, or FUNCTION  [-t RANKS] [--once] [--hits N] "
    "[if EXPR]; or --on-raise TYPE"
)
_IF = re.compile(r"(?:^|\s)if(?:\s+|$)")
_LINE = re.compile(r"(?P<file>.+):(?P<line>\d+)$")
_FUNCTION = re.compile(r"[^\W\d][\w.<>]*$")


def _break(holder: Holder, text: str) -> None:
    if text.startswith(ON_RAISE):
        break_on_raise(holder, text)
        return
    before, condition = text, ""
    if match := _IF.search(text):
        before, condition = text[: match.start()], text[match.end() :].strip()
        if not condition:
            raise UsageError("if what? %pxdebug break sim.py:88 if step > 100")
    options, place = _options(before)
    if not place:
        raise UsageError(_USAGE)
    ranks = holder.session.ranks(options["targets"]) if "targets" in options else None
    holder.session.debugger.add_breakpoint(
        **_place(place),
        condition=condition,
        once=bool(options.get("once")),
        hits=options.get("hits", 1),
        ranks=ranks,
    )


def _options(text: str) -> tuple[dict[str, Any], str]:
    """Take the options off, wherever they stand around the place."""
    options, rest = leading(text, BREAK)
    place, _, after = rest.strip().partition(" ")
    more, left = leading(after, BREAK)
    if left.strip():
        raise UsageError(f"%pxdebug break takes no {left.strip()!r}; conditions: if EXPR")
    return options | more, place


def _place(text: str) -> dict[str, Any]:
    if text.isdecimal():
        return {"line": int(text)}
    if match := _LINE.match(text):
        return {"file": match["file"], "line": int(match["line"])}
    if _FUNCTION.match(text) and not text.endswith(".py"):
        return {"function": text}
    raise UsageError(f"{text!r} is neither FILE:LINE nor a function: %pxdebug break sim.py:88")


def _watch(holder: Holder, text: str) -> None:
    options, expression = trailing(text, DEBUG)
    if not expression.strip():
        raise UsageError("watch what? %pxdebug watch np.isnan(u).any()")
    ranks = holder.session.ranks(options["targets"]) if "targets" in options else None
    holder.session.debugger.watch(expression, ranks)


def _clear(holder: Holder, text: str) -> None:
    words = text.replace(",", " ").split()
    if not words or not all(word.isdecimal() or word == "all" for word in words):
        raise UsageError("clear which? %pxdebug clear N …, or: clear all")
    holder.session.debugger.clear(() if "all" in words else map(int, words))


def _breaks(holder: Holder, text: str) -> None:
    if text:
        raise UsageError(f"%pxdebug breaks takes no {text!r}; to set one: %pxdebug break")
    holder.session.debugger.breakpoints()


def _break_once(holder: Holder, text: str) -> None:
    _break(holder, f"--once {text}")


BREAKPOINTS: dict[str, Verb] = {
    "break": _break,
    "tbreak": _break_once,
    "watch": _watch,
    "clear": _clear,
    "breaks": _breaks,
}
"""Verb to what it does."""
