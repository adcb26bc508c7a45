"""What the main thread runs for others: cells, values, functions, in its own namespace or a paused frame's."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pxshell.engine.asking import Questions
from pxshell.engine.error_text import text_of
from pxshell.engine.frames import comes_from_user_code
from pxshell.engine.interrupts import Interrupts
from pxshell.engine.outbox import Haste, Outbox, Outside
from pxshell.engine.paused_frame import PausedFrame
from pxshell.engine.sources import source_line
from pxshell.engine.undisturbed import StandIn
from pxshell.engine.work import Job
from pxshell.protocol.message import Buffer

if TYPE_CHECKING:
    from pxshell.engine.shell import RankShell
    from pxshell.rendezvous.shared import SharedMemory

__all__ = ["Runner", "error_content"]

_log = logging.getLogger(__name__)

_COMM = frozenset({"comm_open", "comm_msg", "comm_close"})


def error_content(error: BaseException, drawn: Sequence[str] = ()) -> dict[str, Any]:
    """Return the content of a reply that says that this was raised."""
    name, text = type(error).__name__, text_of(error)
    return {"status": "error", "ename": name, "evalue": text, "traceback": list(drawn) or [f"{name}: {text}"]}


@dataclass(slots=True)
class _Turn:
    """A job that runs: what it will answer, and how to leave its cell, once it has begun."""

    job: Job
    answer: tuple[dict[str, Any], list[Buffer]] | None = None
    #: What was raised between the user's code and ours, by a handler of the program; the reply says so then.
    raised: BaseException = field(default_factory=KeyboardInterrupt)
    outside: Outside | None = None


class Runner:
    """Runs jobs; everything in the main thread, or in who stands in for it.

    Args:
        outbox: Where what is said goes.
        interrupts: Which cell may be interrupted.
        answered: Told (job, reply) of everything that has been answered, for requests that are repeated.
        wait_for_room: Returns when the link takes more; called before what a cell displays is said.
        stand_in: For what must not be cut short.
        selected: Told how many frames above the innermost one cells run from now on.
        cluster: The cluster's directory, where shared memory is found.
    """

    def __init__(
        self,
        outbox: Outbox,
        interrupts: Interrupts,
        answered: Callable[[Job, Any], None],
        wait_for_room: Callable[[], None],
        stand_in: StandIn,
        selected: Callable[[int], None],
        cluster: Path,
    ) -> None:
        self._stand_in = stand_in
        self._selected = selected
        self._cluster = cluster
        self._wait_for_room = wait_for_room
        self._outbox = outbox
        self._interrupts = interrupts
        self._answered = answered
        self.questions = Questions(self._ask)
        #: What a cell, a function or the script raised last, with its traceback.
        self.last_error: BaseException | None = None
        #: What a push has taken the place of: giving back its memory takes long, and nobody shall wait for that.
        self._displaced: list[Any] = []
        #: Made with the first cell; control reads it.
        self.shell: RankShell | None = None
        self._run_of: dict[str, Callable[[Job, PausedFrame | None], tuple[dict[str, Any], list[Buffer]]]] = {
            "execute_request": self._execute,
            "px_push_request": self._push,
            "px_pull_request": self._pull,
            "px_apply_request": self._apply,
            "px_survey_request": self._survey,
            "px_select_request": self._select,
            "comm_info_request": self._comm_info,
        }

    def run(
        self, job: Job, paused: PausedFrame | None, began: Callable[[], bool], ended: Callable[[], None] = lambda: None
    ) -> None:
        """Run one job to its reply; what its code raises is part of the reply.

        The reply comes whatever a signal handler of the program raises meanwhile, and once.

        Args:
            job: What to run.
            paused: The pause in whose frame it runs.
            began: Called before it begins; False when it is not to run after all.
            ended: Called after the user's code; what it says goes out in one piece with the reply.
        """
        turn = _Turn(job)
        opening = self._stand_in.once(lambda: self._open(turn, began))
        # In a pause the handler of the next one may come in between, and wait there for what only the io thread reads.
        haste = Haste.SOON if paused is not None else Haste.NOW
        closing = self._stand_in.once(lambda: self._close(turn, ended, haste))
        try:
            try:
                opening.do()
                self._take_turn(turn, paused)
            except BaseException as error:
                turn.raised = error
                raise
            finally:
                closing.do()
        finally:
            closing.do()  # when something was raised in place of the call above
            self._displaced.clear()

    def _open(self, turn: _Turn, began: Callable[[], bool]) -> None:
        if began():
            turn.outside = self._outbox.enter_cell(turn.job.request)

    def _take_turn(self, turn: _Turn, paused: PausedFrame | None) -> None:
        """Run the user's code."""
        job = turn.job
        if turn.outside is None:
            return
        try:
            if job.type in _COMM:
                self._comm(job)
                return
            with self._interrupts.allowed(job.request.id):
                turn.answer = self._run_of[job.type](job, paused)
        except KeyboardInterrupt:
            return  # nothing is wrong with the rank; the reply says so
        except BaseException as error:  # noqa: BLE001 - what fails here must not end the rank
            if not comes_from_user_code(error):
                _log.exception("%s failed", job.type)
            turn.answer = error_content(error), []

    def _close(self, turn: _Turn, ended: Callable[[], None], haste: Haste) -> None:
        """Send the reply, and tell that the turn is over."""
        if turn.outside is None:
            return
        job, (content, buffers) = turn.job, turn.answer or (error_content(turn.raised), [])
        if job.type in _COMM:
            ended()
            self._outbox.leave_cell(turn.outside)
            return
        reply_type = job.type.replace("_request", "_reply")
        with self._outbox.together(haste):
            reply = self._outbox.answer(job.request, reply_type, content, buffers, is_marked=True, outside=turn.outside)
            # Before the reply leaves: a request that comes again finds it.
            self._answered(job, reply)
            ended()

    # -- cells ---------------------------------------------------------------------------------------------------------

    def _execute(self, job: Job, paused: PausedFrame | None) -> tuple[dict[str, Any], list[Buffer]]:
        shell = self.the_shell()
        content = job.content
        shell.cells.next_name = str(content.get("filename") or "")
        if content.get("cell"):
            shell.execution_count = int(content["cell"])
        silent = bool(content.get("silent"))
        with self.questions.allowed(is_allowed=bool(content.get("allow_stdin"))), self._namespace(paused):
            result = shell.run_cell(content["code"], store_history=bool(content.get("store_history")), silent=silent)
            expressions = shell.user_expressions(content.get("user_expressions") or {}) if result.success else {}
        error = result.error_before_exec or result.error_in_exec
        if error is None:
            return {"status": "ok", "user_expressions": expressions}, []
        self.last_error = error
        drawn = list(getattr(shell, "_last_traceback", None) or [])
        return error_content(error, drawn), []

    @contextmanager
    def _namespace(self, paused: PausedFrame | None) -> Iterator[None]:
        """Run cells in the frame of a pause, and write back what they changed; else where they always run."""
        if paused is None:
            yield
            return
        namespace = paused.namespace
        try:
            with self.the_shell().standing_in(namespace):
                yield
        finally:
            namespace.write_back()

    def the_shell(self) -> RankShell:
        """Return the shell, made now if this is the first cell."""
        if self.shell is None:
            from pxshell.engine.warming import shell_for

            self.shell = shell_for(sys.modules["__main__"], self._speak, self.questions.ask)
        return self.shell

    def _speak(self, kind: str, content: Mapping[str, Any], key: str, buffers: list[Any]) -> None:
        self._wait_for_room()
        self._outbox.say(kind, content, key=key, buffers=buffers)

    def _ask(self, prompt: str, is_password: bool) -> None:
        self._outbox.say("input_request", {"prompt": prompt, "password": is_password})

    def _comm(self, job: Job) -> None:
        manager = self.the_shell().kernel.comm_manager
        message = {"content": job.content, "buffers": list(job.buffers), "metadata": job.content.get("metadata", {})}
        try:
            getattr(manager, job.type)(None, None, message)
        except (Exception, KeyboardInterrupt):  # noqa: BLE001 - a handler of the user's; nobody waits for a reply
            traceback.print_exc()

    def _comm_info(self, job: Job, paused: PausedFrame | None) -> tuple[dict[str, Any], list[Buffer]]:
        comms = self.shell.kernel.comm_manager.comms if self.shell is not None else {}
        wanted = job.content.get("target_name")
        names = {name: one.target_name for name, one in comms.items()}
        found = {name: {"target_name": target} for name, target in names.items() if wanted in (None, target)}
        return {"status": "ok", "comms": found}, []

    # -- values --------------------------------------------------------------------------------------------------------

    def _push(self, job: Job, paused: PausedFrame | None) -> tuple[dict[str, Any], list[Buffer]]:
        from pxshell.protocol.pickles import unpack

        def push() -> list[Buffer]:
            values = unpack(self._own_buffers(job))
            namespace = self._globals(paused)
            self._displaced += [namespace[name] for name in values if name in namespace]
            for name, value in values.items():
                namespace[name] = value
            return []

        return self._tried(push, paused)

    def _pull(self, job: Job, paused: PausedFrame | None) -> tuple[dict[str, Any], list[Buffer]]:
        from pxshell.protocol.pickles import pack

        def pull() -> list[Buffer]:
            values = [self._value(text, paused) for text in job.content["expressions"]]
            return pack(values)

        return self._shared(job, *self._tried(pull, paused))

    def _own_buffers(self, job: Job) -> list[Buffer]:
        """Return what came with a request, for the user's arrays to be written into."""
        references = job.content.get("shared") or {}
        # Copied where it was sent: what is shared is our own as soon as we write to it.
        sent: list[Buffer] = [bytearray(buffer) for buffer in job.buffers]
        shared = self._shared_memory() if references else None
        return sent if shared is None else shared.get(sent, references, take=False)

    def _shared(self, job: Job, content: dict[str, Any], buffers: list[Buffer]) -> tuple[dict[str, Any], list[Buffer]]:
        """Return a reply as it is sent: large values in shared memory, if whoever asked is on this machine."""
        shared = self._shared_memory() if job.content.get("shares") else None
        if shared is not None:
            buffers, references = shared.put(buffers)
            content = content | {"shared": references}
        # Copies: the program may go on before they are sent.
        return content, [bytes(buffer) for buffer in buffers]

    def _shared_memory(self) -> SharedMemory | None:
        from pxshell.rendezvous.shared import shared_of

        return shared_of(self._cluster)

    def _survey(self, job: Job, paused: PausedFrame | None) -> tuple[dict[str, Any], list[Buffer]]:
        from pxshell.values.survey import answer

        found: dict[str, Any] = {}

        def survey() -> list[Buffer]:
            content, buffers = answer(job.content, lambda text: self._value(text, paused))
            found.update(content)
            return buffers

        content, buffers = self._tried(survey, paused)
        return content | found, buffers

    def _value(self, expression: str, paused: PausedFrame | None) -> Any:
        if paused is None:
            return eval(expression.strip(), self._globals(None))  # noqa: S307 - the operator's own expression
        return eval(expression.strip(), paused.namespace.globals, paused.namespace)  # noqa: S307 - as above

    def _apply(self, job: Job, paused: PausedFrame | None) -> tuple[dict[str, Any], list[Buffer]]:
        from pxshell.protocol.pickles import pack, unpack

        def apply() -> list[Buffer]:
            function, args, kwargs = unpack(self._own_buffers(job))
            _see_names(function, self._globals(paused))
            return pack(function(*args, **kwargs))

        return self._shared(job, *self._tried(apply, paused))

    # -- frames --------------------------------------------------------------------------------------------------------

    def _select(self, job: Job, paused: PausedFrame | None) -> tuple[dict[str, Any], list[Buffer]]:
        """Select a frame further out, or further in for a negative number."""
        if paused is None:
            return error_content(RuntimeError("it is not paused: there is no frame to select")), []
        count, full = int(job.content["up"]), bool(job.content.get("full"))
        move = paused.stack.up if count > 0 else paused.stack.down
        moved = move(abs(count), full=full)
        if moved:
            self._selected(paused.stack.depth)
        place = paused.stack.selected.place
        told = {"file": place.file, "line": place.line, "function": place.function}
        return {"status": "ok", "moved": moved, "source": source_line(place.file, place.line), **told}, []

    def _globals(self, paused: PausedFrame | None) -> Any:
        return paused.namespace if paused is not None else sys.modules["__main__"].__dict__

    def _tried(
        self, function: Callable[[], list[Buffer]], paused: PausedFrame | None
    ) -> tuple[dict[str, Any], list[Buffer]]:
        """Run a function that belongs to the user; what it raises becomes an error reply."""
        try:
            buffers = function()
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            self.last_error = error
            return error_content(error, traceback.format_exception(type(error), error, error.__traceback__)), []
        finally:
            if paused is not None:
                paused.namespace.write_back()
        return {"status": "ok"}, buffers


def _see_names(function: Any, names: Mapping[str, Any]) -> None:
    """Let a function that came by value see the rank's names beside those that came with it, as in ipyparallel."""
    own = getattr(function, "__globals__", None)
    if own is not None and getattr(function, "__module__", None) == "__main__":
        for name in function.__code__.co_names:
            if name not in own and name in names:
                own[name] = names[name]
