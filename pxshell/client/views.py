"""Views: some ranks as ipyparallel's users address them."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pxshell.client.partition import gather, scatter
from pxshell.client.results import AsyncResult, nothing, unpickled
from pxshell.errors import UsageError
from pxshell.protocol.message import Message
from pxshell.protocol.pickles import PickleError, pack
from pxshell.protocol.state import Activity, RankState
from pxshell.ranks import RankSet

if TYPE_CHECKING:
    from pxshell.client.client import Client
    from pxshell.client.request import Request

__all__ = ["View"]


class View:
    """Some ranks of one cluster, with ipyparallel's `DirectView` API.

    `block` says whether `execute`, `apply`, `map`, `push`, `pull`, `scatter` and `gather` wait for the values, or
    return an `AsyncResult`; each takes `block=` for one call. Where a rank is paused, code and data refer to the frame
    where it stands.

    Args:
        client: the connection.
        targets: the ranks.
        block: wait by default; ipyparallel's default is not to.
        is_single: it was asked for by one rank's number: values are that rank's, not lists of one.
    """

    def __init__(self, client: Client, targets: RankSet, *, block: bool = False, is_single: bool = False) -> None:
        self._client = client
        self.targets = targets
        self.block = block
        self._join: Callable[[list[Any]], Any] | None = operator.itemgetter(0) if is_single else None

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        return f"<View of {self._client.name}: ranks {self.targets}>"

    # -- code ----------------------------------------------------------------------------------------------------------

    def execute(self, code: str, *, silent: bool = False, block: bool | None = None) -> Any:
        """Run code on the ranks, as a cell without number."""
        content = {
            "code": code,
            "silent": silent,
            "store_history": False,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
            "cell": 0,
            "filename": "<view>",
            "places": self._places(),
        }
        request = self._client.request("execute_request", content, self.targets)
        return self._finish([request], nothing, block)

    def run(self, filename: str | Path, *, block: bool | None = None) -> Any:
        """Run the code of a file of this machine on the ranks."""
        return self.execute(Path(filename).read_text(encoding="utf-8"), block=block)

    def apply(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function on every rank."""
        return self._apply(function, args, kwargs, None)

    def apply_sync(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function on every rank and return the values in the order of the ranks."""
        return self._apply(function, args, kwargs, block=True)

    def apply_async(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> AsyncResult:
        """Call a function on every rank; the values come later."""
        result: AsyncResult = self._apply(function, args, kwargs, block=False)
        return result

    def _apply(self, function: Callable[..., Any], args: Any, kwargs: Any, block: bool | None) -> Any:
        request = self._request("px_apply_request", self.targets, (function, args, kwargs))
        return self._finish([request], unpickled, block, self._join)

    def map(self, function: Callable[..., Any], *sequences: Sequence[Any], block: bool | None = None) -> Any:
        """Apply a function to the elements of sequences, an equal part of them on each rank.

        Returns:
            The list of values in the order of the elements, or its AsyncResult.
        """
        parts = scatter(list(zip(*sequences, strict=True)), len(self.targets))
        requests = [
            self._request("px_apply_request", RankSet.of(rank), (_map_rows, (function, part), {}))
            for rank, part in zip(self.targets, parts, strict=True)
        ]
        return self._finish(requests, unpickled, block, gather)

    def map_sync(self, function: Callable[..., Any], *sequences: Sequence[Any]) -> list[Any]:
        """Apply a function to the elements of sequences and return the values."""
        values: list[Any] = self.map(function, *sequences, block=True)
        return values

    def map_async(self, function: Callable[..., Any], *sequences: Sequence[Any]) -> AsyncResult:
        """Apply a function to the elements of sequences; the values come later."""
        result: AsyncResult = self.map(function, *sequences, block=False)
        return result

    # -- data ----------------------------------------------------------------------------------------------------------

    def push(self, values: Mapping[str, Any], *, block: bool | None = None) -> Any:
        """Assign values to names on every rank."""
        request = self._request("px_push_request", self.targets, dict(values))
        return self._finish([request], nothing, block)

    def pull(self, names: str | Sequence[str], *, block: bool | None = None) -> Any:
        """Return the values of names (or expressions) on every rank.

        Returns:
            For one name a list with one value a rank, for several a list with one list a rank; or its AsyncResult.
        """
        expressions = [names] if isinstance(names, str) else list(names)
        content = {"expressions": expressions, "places": self._places()}
        request = self._client.request("px_pull_request", content, self.targets)
        values = _first_of if isinstance(names, str) else unpickled
        return self._finish([request], values, block, self._join)

    def scatter(self, name: str, sequence: Sequence[Any], *, block: bool | None = None) -> Any:
        """Assign an equal part of a sequence, or of an array's first axis, to a name on each rank."""
        parts = scatter(sequence, len(self.targets))
        requests = [
            self._request("px_push_request", RankSet.of(rank), {name: part})
            for rank, part in zip(self.targets, parts, strict=True)
        ]
        return self._finish(requests, nothing, block)

    def gather(self, name: str, *, block: bool | None = None) -> Any:
        """Return the parts that ranks hold under a name, joined in the order of the ranks; or its AsyncResult."""
        content = {"expressions": [name], "places": self._places()}
        request = self._client.request("px_pull_request", content, self.targets)
        return self._finish([request], _first_of, block, gather)

    def __getitem__(self, name: str) -> Any:
        return self.pull(name, block=True)

    def __setitem__(self, name: str, value: Any) -> None:
        self.push({name: value}, block=True)

    get = __getitem__

    def update(self, values: Mapping[str, Any]) -> Any:
        """The same as `push`."""
        return self.push(values)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _request(self, kind: str, ranks: RankSet, value: Any) -> Request:
        try:
            buffers = pack(value)
        except PickleError as error:
            raise UsageError(str(error)) from error
        return self._client.request(kind, {"places": self._places()}, ranks, buffers=buffers)

    def _places(self) -> list[list[str]]:
        """Name the place where each rank is now: the frame of its pause, else idle."""
        places = []
        for ranks, state in self._client.states.among(self.targets):
            is_paused = state.activity is Activity.PAUSED
            places.append([f"frame:{state.pause}" if is_paused else "idle", str(ranks)])
        return places

    def _finish(
        self,
        requests: Sequence[Request],
        values: Callable[[Message], dict[int, Any]],
        block: bool | None,
        join: Callable[[list[Any]], Any] | None = None,
    ) -> Any:
        result = AsyncResult(requests, values, self._interrupt, join, self._standing)
        return result.get() if (self.block if block is None else block) else result

    def _interrupt(self, request: Request) -> None:
        self._client.request("interrupt_request", {"cell": request.id}, request.account.pending)

    def _standing(self, ranks: RankSet) -> str:
        """Say which of the ranks stand in a pause, at a `breakpoint()` say, and how they are freed; "" when none do."""
        paused: dict[str, RankSet] = {}
        for some, state in self._client.states.among(ranks):
            if state.activity is Activity.PAUSED:
                place = _place(state)
                paused[place] = paused.get(place, RankSet()) | some
        if not paused:
            return ""
        stand = "; ".join(f"{some} paused at {place}" for place, some in paused.items())
        return f" ({stand}; to look and resume: pxshell attach {self._client.name})"


def _place(state: RankState) -> str:
    inside = f" in {state.function}" if state.function and state.function != "<module>" else ""
    return f"{os.path.basename(state.file)}:{state.line}{inside}"  # noqa: PTH119 - a path of the rank's machine


def _map_rows(function: Callable[..., Any], rows: Sequence[Sequence[Any]]) -> list[Any]:
    return [function(*row) for row in rows]


def _first_of(message: Message) -> dict[int, Any]:
    """Return {rank: value} of a reply with one expression."""
    return {rank: values[0] for rank, values in unpickled(message).items()}
