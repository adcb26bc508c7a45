"""Results as ipyparallel's users know them: AsyncResult."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pxshell.client.request import Request
from pxshell.errors import CompositeError, DeadlineError, RemoteError
from pxshell.protocol.canonical import canonical
from pxshell.protocol.message import Message
from pxshell.protocol.pickles import unpack
from pxshell.protocol.types import Fold, type_of
from pxshell.ranks import RankSet, union

__all__ = ["AsyncResult", "nothing", "unpickled"]


class AsyncResult:
    """The answers of some ranks, now or later.

    Args:
        requests: one request, or several with different ranks.
        values: makes {rank: value} of one reply.
        interrupt: interrupts a request where it has not ended.
        join: makes the value of `get()` of the values in the order of the ranks; a list of them when None.
        standing: says why ranks do not answer, where that is known: ` (1 paused at f.py:3)`; else "".
    """

    def __init__(
        self,
        requests: Sequence[Request],
        values: Callable[[Message], dict[int, Any]],
        interrupt: Callable[[Request], object],
        join: Callable[[list[Any]], Any] | None = None,
        standing: Callable[[RankSet], str] = lambda ranks: "",  # noqa: ARG005 - nothing is known
    ) -> None:
        self._requests = tuple(requests)
        self._values = values
        self._interrupt = interrupt
        self._join = join
        self._standing = standing

    @property
    def targets(self) -> RankSet:
        """The ranks that were asked."""
        return union(request.targets for request in self._requests)

    @property
    def pending(self) -> RankSet:
        """The ranks that are not accounted for yet."""
        return union(request.account.pending for request in self._requests)

    def ready(self) -> bool:
        """Whether every rank is accounted for."""
        return all(request.done for request in self._requests)

    done = ready

    @property
    def progress(self) -> int:
        """How many ranks are accounted for."""
        return len(self) - len(self.pending)

    @property
    def elapsed(self) -> float:
        """Seconds until every rank was accounted for; until now, while that is not so."""
        return max((request.elapsed for request in self._requests), default=0.0)

    def abort(self) -> None:
        """Interrupt it on the ranks where it has not ended; ipyparallel's lets what has begun run on.

        They answer KeyboardInterrupt, or refuse it where it has not begun; `get` raises either.
        """
        for request in self._requests:
            if not request.done:
                self._interrupt(request)

    def successful(self) -> bool:
        """Whether every rank has answered without an error.

        Raises:
            DeadlineError: not every rank is accounted for yet.
        """
        self._require_ready(0.0)
        return not self._errors()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every rank is accounted for; False after `timeout` seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        return all(
            request.wait(None if until is None else max(0.0, until - time.monotonic())) for request in self._requests
        )

    def get(self, timeout: float | None = None) -> Any:
        """Return the values in the order of the ranks, or what they join to.

        Raises:
            DeadlineError: some rank is not accounted for within `timeout` seconds; the message says which.
            RemoteError: one error, the same on every rank that failed.
            CompositeError: several.
        """
        values = self.get_dict(timeout)
        ordered = [values[rank] for rank in sorted(values)]
        return self._join(ordered) if self._join is not None else ordered

    def get_dict(self, timeout: float | None = None) -> dict[int, Any]:
        """Return {rank: value}; raises as `get`."""
        self.wait(timeout)
        self._require_ready(timeout or 0.0)
        errors = self._errors()
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise CompositeError(errors)
        return self.result_dict()

    @property
    def r(self) -> Any:
        """The same as `get()`."""
        return self.get()

    result = get

    def result_dict(self) -> dict[int, Any]:
        """Return {rank: value} of the ranks that have answered without an error."""
        out: dict[int, Any] = {}
        for message in self._replies("ok"):
            out.update(self._values(message))
        return out

    @property
    def stdout(self) -> str:
        """What the ranks have printed for it, folded."""
        return self._text("stdout")

    @property
    def stderr(self) -> str:
        """What the ranks have written to stderr for it, folded."""
        return self._text("stderr")

    def display_outputs(self) -> list[Message]:
        """Return everything that the ranks said for it but replies, folded as one cell."""
        return canonical(message for message in self._messages() if _is_output(message))

    def __len__(self) -> int:
        return len(self.targets)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.get())

    def __repr__(self) -> str:
        pending = self.pending
        state = f"waiting for {pending}{self._standing(pending)}" if pending else "finished"
        return f"<AsyncResult: ranks {self.targets}, {state}>"

    def _require_ready(self, timeout: float) -> None:
        if pending := self.pending:
            raise DeadlineError("the answers of all ranks", timeout, f"{pending}{self._standing(pending)}")

    def _messages(self) -> list[Message]:
        return [message for request in self._requests for message in list(request.messages)]

    def _replies(self, status: str) -> Iterator[Message]:
        for message in self._messages():
            if message.type.endswith("_reply") and message.data().get("status") == status:
                yield message

    def _errors(self) -> list[RemoteError]:
        replies = [reply for request in self._requests for reply in request.replies()]
        missing = [lost for request in self._requests for lost in request.account.missing]
        errors = [_error(ranks, reply) for ranks, reply in replies if reply.get("status") != "ok"]
        return errors + [RemoteError("NoAnswer", why, (), ranks) for ranks, why in missing]

    def _text(self, name: str) -> str:
        streams = [message.data() for message in self.display_outputs() if message.type == "stream"]
        return "".join(content["text"] for content in streams if content["name"] == name)


def unpickled(message: Message) -> dict[int, Any]:
    """Return {rank: value} of a reply that carries a pickle."""
    return {rank: unpack(message.buffers) for rank in message.ranks}


def nothing(message: Message) -> dict[int, Any]:
    """Return {rank: None}: the reply says only that it was done."""
    return dict.fromkeys(message.ranks)


def _is_output(message: Message) -> bool:
    row = type_of(message.type)
    return row is not None and row.fold is not Fold.NEVER and not message.type.endswith("_reply")


def _error(ranks: RankSet, reply: dict[str, Any]) -> RemoteError:
    if reply.get("status") == "refused":
        return RemoteError("Refused", str(reply.get("why", "")), (), ranks)
    return RemoteError(reply.get("ename", "Aborted"), reply.get("evalue", ""), reply.get("traceback", ()), ranks)
