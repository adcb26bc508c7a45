"""The verbs of `%pxdebug` that step ranks and look at their stacks: where, up, step, next and so on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pxshell.magics.holder import Holder
from pxshell.magics.options import DEBUG, leading, trailing

from pxshell.errors import UsageError
from pxshell.ranks import RankSet

__all__ = ["STEPPING"]

Verb = Callable[[Holder, str], None]


def _read(holder: Holder, text: str) -> tuple[dict[str, Any], RankSet | None, str]:
    """Take the options off both ends; returns them, the ranks if any are named, and the rest."""
    options, rest = trailing(text, DEBUG)
    more, rest = leading(rest, DEBUG)
    options = more | options
    ranks = holder.session.ranks(options["targets"]) if "targets" in options else None
    return options, ranks, rest.strip()


def _count(text: str, verb: str, default: int) -> int:
    if not text:
        return default
    if not text.isdecimal() or not int(text):
        raise UsageError(f"{text!r} is no number: %pxdebug {verb} [N]")
    return int(text)


def _nothing(text: str, verb: str) -> None:
    if text:
        raise UsageError(f"%pxdebug {verb} takes no {text!r}; ranks: -t RANKS")


def _where(holder: Holder, text: str) -> None:
    options, ranks, rest = _read(holder, text)
    _nothing(rest, "where")
    holder.session.debugger.where(ranks, full=bool(options.get("full")))


def _moves(sign: int, verb: str) -> Verb:
    def move(holder: Holder, text: str) -> None:
        options, ranks, rest = _read(holder, text)
        count = _count(rest, verb, 1)
        holder.session.debugger.up(sign * count, ranks, full=bool(options.get("full")))

    return move


def _steps(kind: str) -> Verb:
    def step(holder: Holder, text: str) -> None:
        options, ranks, rest = _read(holder, text)
        if kind != "until":
            _nothing(rest, kind)
        line = _count(rest, "until", 0)
        holder.session.debugger.step(kind, ranks, line=line, deadline=options.get("timeout"))

    return step


def _continue(holder: Holder, text: str) -> None:
    _, ranks, rest = _read(holder, text)
    _nothing(rest, "continue")
    holder.session.debugger.go_on(ranks)


def _list(holder: Holder, text: str) -> None:
    _, ranks, rest = _read(holder, text)
    holder.session.debugger.source(_count(rest, "list", 0) or None, ranks)


def _print(holder: Holder, text: str) -> None:
    options, code = leading(text, DEBUG)
    if not code.strip():
        raise UsageError("print what? %pxdebug p EXPR")
    ranks = holder.session.ranks(options["targets"]) if "targets" in options else None
    outcome = holder.session.run_cell(code, ranks)
    holder.has_failed = outcome.exit_status != 0


STEPPING: dict[str, Verb] = {
    "where": _where,
    "up": _moves(1, "up"),
    "down": _moves(-1, "down"),
    "step": _steps("step"),
    "next": _steps("next"),
    "finish": _steps("finish"),
    "until": _steps("until"),
    "continue": _continue,
    "list": _list,
    "p": _print,
}
"""Verb to what it does."""
