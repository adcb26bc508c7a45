"""Values that travel: push, pull and apply."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cloudpickle

from pxshell.errors import UsageError
from pxshell.protocol.message import Buffer, Message
from pxshell.ranks import EMPTY, RankSet
from pxshell.render.events import Missing, Refusal
from pxshell.render.layout import bytes_text
from pxshell.session.answers import clean, failure_of
from pxshell.session.aside import aside_limit, wait_aside
from pxshell.session.desk import Desk
from pxshell.session.places import Placement, Words, place_cell
from pxshell.session.ports import RequestPort
from pxshell.session.syntax import is_single_expression
from pxshell.session.waiting import wait_for

__all__ = ["Data", "describe"]

# Push and apply change the rank: they run where a statement would.
_STATEMENT = "value = received"


class Data:
    """Sends and fetches Python values, with their arrays out of band."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def push(self, values: Mapping[str, Any], ranks: RankSet) -> RankSet:
        """Assign values on ranks; see `Session.push`."""
        wrong = next((name for name in values if not name.isidentifier()), None)
        if wrong is not None:
            raise UsageError(f"{wrong!r} is no name that can be assigned to")
        buffers = _pickled(dict(values), ", ".join(values))
        request = self._ask("px_push_request", {}, _STATEMENT, ranks, buffers)
        if request is None:
            return EMPTY
        done = EMPTY
        for answered, content in request.replies():
            if self._is_ok(answered, content):
                done |= answered
        return done

    def pull(self, expression: str, ranks: RankSet, *, peek: bool = False) -> dict[int, Any]:
        """Fetch the value of an expression; see `Session.pull`."""
        if not is_single_expression(expression):
            raise UsageError(f"{expression.strip()!r} is no expression: %pxpull u[0] -o NAME")
        content = {"expressions": [expression.strip()]}
        request = self._ask("px_pull_request", content, expression, ranks, (), peek=peek)
        found = self._values(request, "px_pull_reply") if request else {}
        return {rank: values[0] for rank, values in found.items()}

    def apply(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], ranks: RankSet
    ) -> dict[int, Any]:
        """Call a function on ranks; see `Session.apply`."""
        buffers = _pickled((function, args, kwargs), getattr(function, "__name__", "the function"))
        request = self._ask("px_apply_request", {}, _STATEMENT, ranks, buffers)
        return self._values(request, "px_apply_reply") if request else {}

    def _ask(
        self,
        type_: str,
        content: Mapping[str, Any],
        code: str,
        ranks: RankSet,
        buffers: Sequence[Buffer],
        *,
        peek: bool = False,
    ) -> RequestPort | None:
        """Send a request to where each rank is, and wait for all; None when it would be refused, which is shown."""
        placement = self._placed(code, ranks, peek=peek)
        if placement.why:
            self._desk.show(Refusal(placement.ranks, placement.why))
            return None
        placed = {**content, "places": placement.to_content()}
        request = self._desk.client.request(type_, placed, ranks, buffers=buffers)
        silent: tuple[Missing, ...] = ()
        if placement.is_aside:
            silent = wait_aside(self._desk, request, aside_limit(self._desk.config, placement))
        else:
            wait_for(self._desk, request)
        for missing in (*(Missing(lost, why) for lost, why in request.account.missing), *silent):
            self._desk.show(missing)
        return request

    def _placed(self, code: str, ranks: RankSet, *, peek: bool) -> Placement:
        words = Words(self._desk.script, self._desk.sync_expression)
        return place_cell(code, ranks, self._desk.client.states, words, peek=peek)

    def _values(self, request: RequestPort, type_: str) -> dict[int, Any]:
        values: dict[int, Any] = {}
        for message in request.messages:
            if message.type == type_ and self._is_ok(message.ranks, message.data()):
                self._read(message, values)
        return dict(sorted(values.items()))

    def _read(self, message: Message, values: dict[int, Any]) -> None:
        for rank in message.ranks:
            try:
                # From a rank of our own cluster, over an authenticated link; each rank gets a value of its own.
                values[rank] = pickle.loads(message.buffers[0], buffers=message.buffers[1:])
            except Exception as error:  # noqa: BLE001 - whatever the user's classes raise when they are made here
                why = f"its value cannot be made here: {type(error).__name__}: {error}"
                self._desk.show(Missing(RankSet.of(rank), why))

    def _is_ok(self, ranks: RankSet, content: Mapping[str, Any]) -> bool:
        status = content.get("status")
        if status == "ok":
            return True
        if status == "error":
            self._desk.show(failure_of(ranks, content))
        else:
            self._desk.show(Refusal(ranks, f"{ranks}: {clean(str(content.get('why', status)))}"))
        return False


def _pickled(value: object, what: str) -> list[Buffer]:
    """Pickle a value with its big buffers beside it.

    Raises:
        UsageError: it cannot be pickled.
    """
    beside: list[pickle.PickleBuffer] = []
    try:
        body = cloudpickle.dumps(value, protocol=5, buffer_callback=beside.append)
        return [body, *(buffer.raw() for buffer in beside)]
    except Exception as error:
        why = str(error).split("\n", maxsplit=1)[0]
        raise UsageError(f"{what} cannot be pickled ({why}); make it on the ranks instead: %px CODE") from error


def describe(values: Mapping[int, Any]) -> str:
    """Say in one line what was fetched: `4 arrays here, float64 (64, 64), 131 kB`."""
    kinds = {_kind(value) for value in values.values()}
    is_arrays = all(hasattr(value, "nbytes") for value in values.values())
    what = ("array" if is_arrays else "value") + ("" if len(values) == 1 else "s")
    alike = f", {next(iter(kinds))}" if len(kinds) == 1 else ", of several kinds"
    size = f", {bytes_text(sum(int(value.nbytes) for value in values.values()))}" if is_arrays else ""
    return f"{len(values)} {what} here{alike if values else ''}{size if values else ''}"


def _kind(value: Any) -> str:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype} {value.shape}"
    return type(value).__name__
