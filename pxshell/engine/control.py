"""The control thread: answers what must be answered while the main thread is busy, and hands it what is for it."""

from __future__ import annotations

import logging
import queue
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from pxshell.engine.aborting import Aborter
from pxshell.engine.activity import ActivityReport
from pxshell.engine.aside import Aside
from pxshell.engine.debugging import Debugging
from pxshell.engine.editor import Debugger
from pxshell.engine.error_text import text_of
from pxshell.engine.interrupts import Interrupts
from pxshell.engine.limits import limits
from pxshell.engine.looking import Looking
from pxshell.engine.outbox import Outbox, Request
from pxshell.engine.pause_answers import PauseAnswers
from pxshell.engine.pause_states import PauseEvent
from pxshell.engine.pausing import Pauser
from pxshell.engine.raising import RaiseWatch
from pxshell.engine.running import Runner, error_content
from pxshell.engine.sight import Sight
from pxshell.engine.stacks import user_place
from pxshell.engine.work import ANYWHERE, PEEK, Job, Refusal, Work, place_for
from pxshell.protocol.message import Buffer, Message, encode_content
from pxshell.protocol.state import Activity

__all__ = ["Control"]

_log = logging.getLogger(__name__)

#: Requests that are remembered, so that one that comes twice is not run twice.
_REMEMBERED = 1000

# The longest reply kept for a request that comes again: the program's memory is not for what others have pulled.
_KEPT_BYTES = 16 << 10
_WORK = frozenset(
    {
        "execute_request",
        "px_push_request",
        "px_pull_request",
        "px_apply_request",
        "px_survey_request",
        "px_select_request",
        "px_post_request",
        "comm_info_request",
    }
)
#: What calls the user's code or reads a file, and so may wait for ever: not in this thread.
_ASIDE = frozenset(
    {
        "px_abort_request",
        "px_probe_request",
        "px_frames_request",
        "px_source_request",
        "px_break_request",
        "complete_request",
        "inspect_request",
    }
)
#: What control does next: a message, what the pauser reports, or a step.
_Item: TypeAlias = "Message | PauseEvent | Callable[[], None]"
_ALL_WAIT = "the expressions that were evaluated at the side before have not ended"


class Control:
    """Handles every message but descriptors; `take` is for the io thread, `put` for any, all else the control thread's.

    Args:
        rank: This rank's number.
        main_ident: Identifier of the main thread.
        outbox: Where answers go.
        activity: The rank's state.
        pauser: Stops the main thread.
        work: What waits for the main thread.
        runner: Asked for its shell and its questions.
        interrupts: Which cell may be interrupted.
        debugger: What editors reach.
        aborter: Frees the main thread from calls of MPI.
        raises: Stops it where it raises.
        attended: Told how many clients there are, how many of them only watch, whether one stays when a script ends,
            and whether one holds what has failed.
        started: Called when user code may start.
        stopped: Called when this process is asked to end.
        came: Told, in the io thread, when work came for the main thread.
    """

    def __init__(
        self,
        *,
        rank: int,
        main_ident: int,
        outbox: Outbox,
        activity: ActivityReport,
        pauser: Pauser,
        work: Work,
        runner: Runner,
        interrupts: Interrupts,
        debugger: Debugger,
        aborter: Aborter,
        raises: RaiseWatch,
        attended: Callable[[int, int, bool, bool], None],
        started: Callable[[], None],
        stopped: Callable[[], None],
        came: Callable[[float], None],
    ) -> None:
        self._rank = rank
        self._main_ident = main_ident
        self._outbox = outbox
        self._activity = activity
        self._pauser = pauser
        self._work = work
        self._runner = runner
        self._interrupts = interrupts
        self._aborter = aborter
        self._raises = raises
        self._attended = attended
        self._started = started
        self._stopped = stopped
        self._came = came
        self._looking = Looking(main_ident)
        self._sight = Sight(main_ident, activity, pauser, aborter)
        self._aside = Aside()
        # SimpleQueue: its put is reentrant; the pauser's events come from wherever it is.
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        #: Request id to its reply; None while it runs. The io thread's, the main thread's and ours: single steps only.
        self._seen: OrderedDict[str, Message | None] = OrderedDict()
        self._pauses = PauseAnswers(rank, outbox, activity, pauser)
        self._debugging = Debugging(rank, pauser, self._notice)
        self._handlers: dict[str, Callable[[Message, Request], dict[str, Any] | None]] = {
            "px_pause_request": self._pauses.pause,
            "px_resume_request": self._pauses.resume,
            "px_step_request": self._pauses.step,
            "px_frames_request": self._debugging.where,
            "px_source_request": self._debugging.source,
            "px_break_request": self._debugging.add,
            "px_clear_request": self._debugging.clear,
            "px_breaks_request": self._debugging.listed,
            "px_breakpoints": self._stand,
            "px_probe_request": self._probe,
            "px_stacks_request": self._stacks,
            "px_where_request": self._where,
            "px_limits_request": self._limits,
            "complete_request": self._complete,
            "inspect_request": self._inspect,
            "interrupt_request": self._interrupt,
            "px_abort_request": self._abort,
            "px_raise_request": self._watch_raises,
            "input_reply": self._input,
            "px_debug_prepare_request": debugger.prepare,
            "px_debug_open_request": debugger.open,
            "px_debug_data": debugger.data,
            "px_debug_close": debugger.close,
            "px_file_request": self._file,
            "px_start_request": self._start,
            "px_attendance": self._attendance,
            "px_stop_request": self._stop,
        }

    # -- any thread ----------------------------------------------------------------------------------------------------

    def put(self, item: _Item) -> None:
        """Queue a message, what the pauser reports, or a step."""
        self._queue.put(item)

    def tell(self) -> None:
        """Let others know what the main thread does, unless they do."""
        if self._activity.is_untold:
            self._queue.put(self._activity.tell)

    def close(self) -> None:
        """End the thread."""
        self._queue.put(None)

    def answered(self, job: Job, reply: Message) -> None:
        """Keep a reply for a request that comes again."""
        if job.request.id in self._seen:
            self._seen[job.request.id] = reply if reply.size <= _KEPT_BYTES else _too_long_to_keep(reply)

    # -- control thread ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `close`."""
        while True:
            try:
                item = self._next()
            except queue.Empty:
                self._pauser.tick()
                continue
            if item is None:
                return
            try:
                self._take(item)
            except Exception:  # noqa: BLE001 - the edge of this thread's loop
                _log.exception("control failed on %s", getattr(item, "type", item))
            if self._pauser.deadline() is not None:
                self._pauser.tick()

    def _next(self) -> _Item | None:
        due = self._pauser.deadline()
        if due is None:
            return self._queue.get()
        return self._queue.get(timeout=max(0.0, due - time.monotonic()) + 0.001)

    def _take(self, item: _Item) -> None:
        if isinstance(item, PauseEvent):
            self._pauses.report(item)
        elif not isinstance(item, Message):
            item()
        elif (handler := self._handlers.get(item.type)) is not None:
            if item.type in _ASIDE:
                self._at_the_side(item, lambda: self._answer(item, handler))
            else:
                self._answer(item, handler)
        else:
            _log.warning("a message of type %s is not known here", item.type)

    def _at_the_side(self, message: Message, task: Callable[[], None]) -> None:
        """Run what calls the user's code in a thread of its own."""
        if not self._aside.run(task):
            content = {"status": "error", "ename": "RefusedError", "evalue": _ALL_WAIT, "why": _ALL_WAIT}
            request = Request(message.id, message.header.origin)
            self._outbox.answer(request, message.type.replace("_request", "_reply"), content)

    def _answer(self, message: Message, handler: Callable[[Message, Request], dict[str, Any] | None]) -> None:
        request = Request(message.id, message.header.origin)
        try:
            content = handler(message, request)
        except Exception as error:  # noqa: BLE001 - whoever asked gets an answer
            _log.exception("%s failed", message.type)
            content = {"status": "error", "ename": type(error).__name__, "evalue": text_of(error)}
            content |= {"outcome": "refused", "why": f"{type(error).__name__}: {text_of(error)}"}
        if content is not None:
            self._outbox.answer(request, message.type.replace("_request", "_reply"), content)

    # -- work ----------------------------------------------------------------------------------------------------------

    def take(self, message: Message) -> None:
        """Queue a message for the main thread, else for control; the io thread.

        It speaks itself of nothing: whoever does may have to wait for what only it receives.
        """
        if message.type in _WORK:
            self._take_work(message)
        elif message.type.startswith("comm_"):
            self._put(Job.from_message(message, message.data(), ANYWHERE))
        else:
            self._queue.put(message)

    def _take_work(self, message: Message) -> None:
        if message.id in self._seen:
            self._queue.put(partial(self._repeat, message.id))
            return
        self._remember(message.id)
        content = message.data()
        place = ANYWHERE if message.type == "comm_info_request" else place_for(self._rank, content)
        job = Job.from_message(message, content, place)
        if job.place == PEEK:
            self._queue.put(lambda: self._at_the_side(message, lambda: self._work_from_the_side(job)))
            return
        refusal = self._put(job)
        if refusal is not None:
            self._queue.put(partial(self.refuse, job, refusal.why))

    def _put(self, job: Job) -> Refusal | None:
        self._came(job.since)
        return self._work.put(job)

    def _repeat(self, request: str) -> None:
        kept = self._seen.get(request)
        if kept is not None:
            self._outbox.again(kept)

    def _remember(self, request: str) -> None:
        self._seen[request] = None
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def refuse(self, job: Job, why: str) -> None:
        """Answer a request that does not run; a job of our own has nobody who waits for it."""
        if not job.request.id:
            return
        activity = self._activity.state.activity
        if activity is Activity.HELD:
            why = "it is held in C, where only a single expression can be evaluated at the side"
        content = {"status": "refused", "why": why, "state": str(activity)}
        self.answered(job, self._outbox.answer(job.request, job.type.replace("_request", "_reply"), content))

    def _work_from_the_side(self, job: Job) -> None:
        """Evaluate what a request asks for while the main thread does what it does."""
        content: dict[str, Any] = {"status": "ok"}
        buffers: list[Buffer] = []
        try:
            if job.type == "execute_request":
                self._show(self._value(job.content["code"]), job.request)
            elif job.type == "px_pull_request":
                buffers = self._pulled(job.content["expressions"])
            elif job.type == "px_survey_request":
                found, buffers = self._surveyed(job.content)
                content |= found
            else:
                self.refuse(job, "the side thread only reads")
                return
        except Exception as error:  # noqa: BLE001 - the expression may raise anything
            content = error_content(error)
            if job.type == "execute_request":
                self._say_error(content, job.request)
        reply_type = job.type.replace("_request", "_reply")
        self.answered(job, self._outbox.answer(job.request, reply_type, content, buffers))

    def _show(self, value: Any, request: Request) -> None:
        if value is not None:
            content = {"data": {"text/plain": _pretty(value)}, "metadata": {}}
            self._outbox.say("execute_result", content, about=request)

    def _say_error(self, content: dict[str, Any], request: Request) -> None:
        drawn = {"full": content["traceback"], "cell": None, "file": "", "line": 0, "source": ""}
        said = {name: value for name, value in content.items() if name != "status"}
        self._outbox.say("error", said | drawn, about=request)

    def _pulled(self, expressions: list[str]) -> list[Buffer]:
        from pxshell.protocol.pickles import pack

        values = [self._value(text) for text in expressions]
        return [bytes(buffer) for buffer in pack(values)]

    def _surveyed(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[Buffer]]:
        from pxshell.values.survey import answer

        return answer(question, self._value)

    def _value(self, expression: str) -> Any:
        return self._looking.value(expression, self._namespace(expression))

    def _namespace(self, expression: str = "") -> Any:
        is_away = self._activity.state.activity is not Activity.IDLE
        return self._looking.namespace(self._pauser.paused, is_away=is_away, expression=expression)

    # -- looking -------------------------------------------------------------------------------------------------------

    def _probe(self, message: Message, request: Request) -> dict[str, Any]:
        found = self._pauser.probe(str(message.data()["expression"]))
        if found.value is None or found.place is None:
            return {"status": "error", "why": found.error or "it has no value", "hopeless": found.is_hopeless}
        others = [[one.place.file, one.place.line, one.place.function, one.value] for one in found.candidates[1:]]
        place = {"file": found.place.file, "line": found.place.line, "function": found.place.function}
        return {"status": "ok", "value": found.value, "others": others} | place

    def _stacks(self, message: Message, request: Request) -> dict[str, Any]:
        return self._sight.answer(message.data())

    def _where(self, message: Message, request: Request) -> dict[str, Any]:
        place = user_place(self._main_ident)
        found = {"file": place.file, "line": place.line, "function": place.function} if place is not None else {}
        return {"status": "ok", "seconds": self._activity.seconds, **found}

    def _limits(self, message: Message, request: Request) -> dict[str, Any]:
        return {"status": "ok", "limits": limits()}

    def _complete(self, message: Message, request: Request) -> dict[str, Any]:
        return self._looking.complete(message.data(), self._namespace(), self._runner.shell)

    def _notice(self, text: str) -> None:
        self._outbox.say("px_notice", {"text": text, "level": "info"})

    def _inspect(self, message: Message, request: Request) -> dict[str, Any]:
        content = message.data()
        return self._looking.inspect(content, self._namespace(str(content["code"]).strip("? ")))

    def _file(self, message: Message, request: Request) -> dict[str, Any]:
        """Return the text of a source file of this rank, cells included, for an editor that has no such file."""
        import linecache

        file = str(message.data()["file"])
        lines = linecache.getlines(file)
        return {"status": "ok", "text": "".join(lines)} if lines else {"status": "error", "why": f"there is no {file}"}

    # -- the rest ------------------------------------------------------------------------------------------------------

    def _interrupt(self, message: Message, request: Request) -> dict[str, Any]:
        """Interrupt a cell: one that runs, one that waits, or one that this has overtaken on its way here."""
        cell = str(message.data().get("cell") or "")
        waiting = self._work.withdraw(cell) if cell else None
        if waiting is not None:
            self.refuse(waiting, "it was interrupted before it began")
            return {"outcome": "interrupted"}
        may_come = bool(cell) and self._seen.get(cell) is None
        return {"outcome": self._interrupts.interrupt(cell, may_come=may_come)}

    def _abort(self, message: Message, request: Request) -> dict[str, Any]:
        return self._aborter.abort()

    def _watch_raises(self, message: Message, request: Request) -> dict[str, Any]:
        why = self._raises.watch([str(name) for name in message.data()["types"]])
        return {"status": "refused", "why": why} if why else {"status": "ok"}

    def _stand(self, message: Message, request: Request) -> None:
        """Stop where others of this cluster were told to before this process was there."""
        self._debugging.stand(message, request)
        # Whoever asked has been told by the ranks that were there if it cannot be done here.
        if names := message.data().get("raises"):
            self._raises.watch([str(name) for name in names])

    def _input(self, message: Message, request: Request) -> None:
        self._runner.questions.answer(str(message.data()["value"]))

    def _start(self, message: Message, request: Request) -> dict[str, Any]:
        self._started()
        return {"status": "ok"}

    def _attendance(self, message: Message, request: Request) -> None:
        content = message.data()
        watching, holds = int(content.get("watching", 0)), bool(content.get("hold"))
        self._attended(int(content["clients"]), watching, bool(content["stay"]), holds)

    def _stop(self, message: Message, request: Request) -> None:
        self._stopped()


def _pretty(value: Any) -> str:
    from IPython.lib.pretty import pretty

    return str(pretty(value))


def _too_long_to_keep(reply: Message) -> Message:
    """Return what a request hears that comes again after a long reply."""
    why = f"it ran, and its answer of {reply.size} bytes was sent and is not kept; ask for the value again"
    content = encode_content({"status": "refused", "why": why, "state": str(Activity.IDLE)})
    return Message(reply.header, reply.ranks, content).with_header(digest=b"")
