"""One rank's engine: its threads, wired; how it begins, what it does while nobody asks, and how it ends."""

from __future__ import annotations

import itertools
import logging
import os
import re
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from pxshell.engine.aborting import Aborter
from pxshell.engine.activity import ActivityReport
from pxshell.engine.arming import call_in_main
from pxshell.engine.brevity import BRIEF_S
from pxshell.engine.control import Control
from pxshell.engine.editor import HAND_OVER, Debugger
from pxshell.engine.error_text import text_of
from pxshell.engine.frames import comes_from_user_code
from pxshell.engine.interrupts import Interrupts
from pxshell.engine.links import IoThread
from pxshell.engine.outbox import Haste, Outbox, Request
from pxshell.engine.output import Pipes
from pxshell.engine.pause_states import Paused, PauseEvent
from pxshell.engine.paused_frame import PausedFrame
from pxshell.engine.pausing import HandlerRaisedError, Pauser
from pxshell.engine.postmortem import Failure, failure_of
from pxshell.engine.raising import RaiseWatch
from pxshell.engine.running import Runner
from pxshell.engine.script import Ending, Script, end_as, leave_child, print_exception, report_exception
from pxshell.engine.script import run as run_script
from pxshell.engine.threads import start_thread
from pxshell.engine.undisturbed import StandIn
from pxshell.engine.work import Job, Work
from pxshell.protocol.marks import Scope
from pxshell.protocol.message import Message
from pxshell.protocol.state import Activity, ActivityEvent, RankState
from pxshell.protocol.types import RUN, Role
from pxshell.rendezvous.discovery import Placement
from pxshell.transport.base import make_hello
from pxshell.transport.unix import Bound

__all__ = ["Engine"]

_log = logging.getLogger(__name__)

#: Seconds that the last messages may take to leave.
_LAST_WORDS = 2.0


def _quiet_forks() -> None:
    """Keep `os.fork` of a program without threads from warning about ours, from Python 3.12 on."""
    warnings.filterwarnings("ignore", r"This process \(pid=\d+\) is multi-threaded", DeprecationWarning)


def _ignore_interrupts() -> None:
    """Let Ctrl-C from elsewhere not end a rank that waits; before anybody hears that it does, and may send one.

    While a cell runs there is another handler; one of the program's own stays.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda _number, _frame: None)


#: The file name of a cell, as sessions give it; views give others.
_CELL = re.compile(r"<px cell (\d+)>")


def _pass_by(frame: FrameType, why: str) -> None:
    """Say in the rank's own output, for the user asked for it there, why it does not stop at a breakpoint."""
    file, number = frame.f_code.co_filename, frame.f_lineno
    cell = _CELL.fullmatch(file)
    place = f"cell {cell[1]}, line {number}" if cell else f"{file}:{number}"
    line = f"breakpoint at {place}: {why}"
    print(f"pxshell: {line}", file=sys.stderr)  # noqa: T201 - as above


class Engine:
    """The engine of this process; made in the main thread.

    Args:
        placement: Which rank of which world this is.
        epoch: How many processes this rank had before.
        path: The node's socket, or with `bound` where this rank waits for a node.
        script: What runs here, for people.
        bound: The socket at that path of a rank that nobody started for pxshell.
    """

    def __init__(
        self,
        placement: Placement,
        *,
        epoch: int,
        path: Path,
        script: str,
        bound: Bound | None = None,
    ) -> None:
        self.placement = placement
        self._listens = bound is not None
        main_ident = threading.main_thread().ident or 0
        self._pipes = Pipes()
        self.outbox = Outbox(placement.rank, f"e{placement.rank}-{os.getpid()}-", epoch, self._pipes, self._post)
        self.activity = ActivityReport(self._state_changed, self.outbox.together)
        self._interrupts = Interrupts(main_ident)
        self._pauses = itertools.count(1)
        self._epoch = epoch
        self._aborter = Aborter(main_ident)
        self.work = Work()
        self._stand_in = StandIn()
        self.runner = Runner(
            self.outbox,
            self._interrupts,
            self._answered,
            self._wait_for_room,
            self._stand_in,
            self._selected,
            path.parent,
        )
        self.pauser = Pauser(
            on_event=self._pause_event, service=self._serve, main_ident=main_ident, new_id=self._new_pause_id
        )
        self.debugger = Debugger(
            rank=placement.rank,
            outbox=self.outbox,
            activity=self.activity,
            pauser=self.pauser,
            work=self.work,
            stand_in=self._stand_in,
            run=self.runner.run,
        )
        self._control = Control(
            rank=placement.rank,
            main_ident=main_ident,
            outbox=self.outbox,
            activity=self.activity,
            pauser=self.pauser,
            work=self.work,
            runner=self.runner,
            interrupts=self._interrupts,
            aborter=self._aborter,
            raises=RaiseWatch(self._stop_at_raise, main_ident),
            debugger=self.debugger,
            attended=self._attended,
            started=self._started,
            stopped=self._stopped,
            came=self._work_came,
        )
        hello = make_hello(
            Role.ENGINE,
            rank=placement.rank,
            size=placement.size,
            local_rank=placement.local_rank,
            world=placement.world,
            epoch=epoch,
            script=script,
        )
        self._io = IoThread(
            hello,
            path,
            bound=bound,
            received=self._received,
            left=self._left,
            brief_over=self._control.tell,
        )
        self.outbox.tee.request_flush = lambda: self._io.flush_later(self.outbox.tee.flush)
        self._failures = itertools.count(1)
        #: The pause that has come about and is not told yet.
        self._untold_stop: Paused | None = None
        #: What signal handlers have raised while this rank was idle, to be printed.
        self._raised: deque[BaseException] = deque()
        #: Set once the node has said where output goes, or is known not to be there.
        self._is_ready = threading.Event()
        self._may_start = threading.Event()
        self._clients = 0
        #: Whether one of them could resume what has paused.
        self._has_operator = False
        self._stays = False
        #: Whether one of them wants a failed program to keep its frames.
        self._holds = False
        self._has_hooks = False
        self._is_alone = False
        self._is_child = False
        #: Whether the script of this rank runs, or has ended; both False in a rank without one.
        self._runs_script = False
        self._has_ended = False
        #: The program had begun before it joined: its end is the interpreter's, not ours.
        self._is_guest = False
        #: Exit status of this process; None while unknown, negative for a signal.
        self.status: int | None = None

    # The wires of what is made before control.

    def _answered(self, job: Job, reply: Message) -> None:
        self._control.answered(job, reply)

    def _wait_for_room(self) -> None:
        self._io.wait_for_room()

    def _new_pause_id(self) -> str:
        # Without the rank: ranks that do the same stand in the same pause, and fold.
        return f"b{self._epoch}-{next(self._pauses)}"

    def _selected(self, depth: int) -> None:
        """Cells run in another frame of the stack."""
        self.activity.change(ActivityEvent.SELECT, depth=depth)

    def _pause_event(self, event: PauseEvent) -> None:
        if isinstance(event, Paused):
            self._untold_stop = event  # told once cells can run there: by _enter_pause
        else:
            self._control.put(event)

    # -- beginning: main thread ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads and connect; a rank that nobody started for pxshell begins to listen.

        Raises:
            PxshellError: the path cannot be bound.
        """
        _quiet_forks()
        self._io.start()
        start_thread(self._control.run, "pxshell-control")
        os.register_at_fork(after_in_child=self._forked)
        if not self._listens:
            self._is_ready.wait()

    def _post(self, messages: list[Message], haste: Haste) -> None:
        if not self._is_alone:
            self._io.post(messages, haste)

    def _forked(self) -> None:
        """A child of the user's program is no rank: it holds none of our sockets and says nothing."""
        self._is_alone = self._is_child = True
        self._clients = 0
        self._has_operator = False
        self._io.abandon()
        self.debugger.abandon_in_child()
        self.outbox.close_in_child()

    def make_interruptible(self) -> None:
        """Let calls of MPI that wait be paused and given up; before the program imports mpi4py."""
        from pxshell.engine.interruptible import make_interruptible
        from pxshell.engine.patience import Patience

        self._aborter.patience = Patience(self.pauser, threading.main_thread().ident or 0)
        make_interruptible(self._aborter.patience)

    def wait_for_start(self) -> None:
        """Wait until a front end lets user code start."""
        self.activity.repeat()
        self._may_start.wait()

    # -- running: main thread ------------------------------------------------------------------------------------------

    def begin_user_code(self) -> None:
        """The main thread runs the user's program from here on."""
        self._install_hooks()
        self._begin_user_code()

    def begin_user_code_elsewhere(self) -> None:
        """The program runs already, and has called `join`: nothing of it is touched."""
        self._is_guest = True
        self._begin_user_code()

    def _begin_user_code(self) -> None:
        self._runs_script = True
        self.work.away(True)
        self.outbox.begin(Request(RUN))
        self.activity.change(ActivityEvent.BEGIN, cell=RUN)
        self.pauser.begin_user_code()

    def run_script(self, script: Script) -> Ending:
        """Run the user's script to its end and report it."""
        self.pauser.install_signal()
        self.begin_user_code()
        ending = run_script(script, self._failed)
        if self.stays:
            _ignore_interrupts()
        self._stand_in.do(lambda: self._script_ended(ending))
        return ending

    def _script_ended(self, ending: Ending) -> None:
        self.status = ending.status
        self.pauser.end_user_code()
        self.work.away(False)
        self.runner.last_error = ending.error if ending.is_failure else None
        # In this order: who hears of it meanwhile ends the idle loop that follows.
        self._has_ended, self._runs_script = True, False
        content: dict[str, Any] = {"status": "error" if ending.is_failure else "ok", "exit": ending.status}
        if ending.error is not None and ending.is_failure:
            content |= {"ename": type(ending.error).__name__, "evalue": text_of(ending.error), "traceback": []}
        if not self._is_child:
            self.outbox.answer(Request(RUN), "execute_reply", content, is_marked=True)

    @property
    def stays(self) -> bool:
        """Whether somebody wants this rank to wait after its script."""
        return self._stays and not self._is_alone

    def idle(self) -> None:
        """Run what comes, until this process is to end."""
        self._install_hooks()
        _ignore_interrupts()
        event = ActivityEvent.READY if self.activity.state.activity is Activity.STARTING else ActivityEvent.END
        self._stand_in.do(lambda: self.activity.change(event, cell=""))
        while not self.work.is_over:
            try:
                self._run_what_comes()
            except KeyboardInterrupt:
                self._interrupts.nothing_runs()
            except Exception as error:  # noqa: BLE001 - as inside: the next one may come while the last is caught
                self._raised.append(error)

    def _run_what_comes(self) -> None:
        is_over = False
        while not is_over:
            try:
                is_over = not self._does_next()
            except KeyboardInterrupt:  # of a handler that a cell has left, or as one began or ended: nobody is to end
                self._interrupts.nothing_runs()
            except Exception as error:  # noqa: BLE001 - of a signal handler that a cell has left: an alarm, say
                self._raised.append(error)

    def _does_next(self) -> bool:
        """Run the next job; returns whether there was one."""
        if self._raised:
            self._stand_in.do(self._print_raised)
        job = self._wait_for_job()
        if job is not None and job.type == "px_post_request":
            self._post_mortem(job)
        elif job is not None:
            self._run(job)
        return job is not None

    def _run(self, job: Job) -> None:
        before = self.runner.last_error
        try:
            self.runner.run(job, None, partial(self._cell_began, job), self._cell_ended)
            if self._is_child:
                leave_child(None if self.runner.last_error is before else self.runner.last_error)
        finally:
            # The traceback of what failed keeps this frame, and the frame would keep what failed before: all there was.
            del before

    def _print_raised(self) -> None:
        while self._raised:
            traceback.print_exception(self._raised.popleft())

    def _cell_began(self, job: Job) -> bool:
        if not self.work.begin(job):
            return False
        # One that has waited is not brief for who waits, and whether it is told is looked at BRIEF_S after it came.
        is_brief = time.monotonic() - job.since < 0.8 * BRIEF_S
        # Before anybody hears that it is busy, and may ask it to stop.
        self.pauser.begin_user_code()
        self.activity.change(ActivityEvent.BEGIN, is_brief=is_brief, cell=job.request.id)
        return True

    def _cell_ended(self) -> None:
        self.pauser.end_user_code()
        self.activity.change(ActivityEvent.END, cell="")

    def _wait_for_job(self) -> Job | None:
        if "asyncio" not in sys.modules:
            return self.work.wait()
        from pxshell.engine.loops import wait_for_work

        return wait_for_work(self.work)

    def _serve(self, paused: PausedFrame) -> None:
        """Serve in a pause; called by the pauser, again when Ctrl-C was raised out of it."""
        raised: BaseException | None = None
        try:
            self._stand_in.do(lambda: self._enter_pause(paused))
            self._serve_jobs(paused)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit of a SIGTERM handler, TimeoutError of an alarm
            raised = error
        try:
            self._stand_in.do(self._leave_pause)
        except BaseException as error:  # noqa: BLE001 - as above
            raised = error
        if raised is not None and comes_from_user_code(raised):
            raise HandlerRaisedError(raised)
        if raised is not None:
            raise raised

    def _serve_jobs(self, paused: PausedFrame) -> None:
        """Run what comes; while an editor is there it lets the pause end, too."""
        while not self.debugger.serve(paused):
            job = self.work.wait()
            if job is None:
                return
            if job.type == HAND_OVER:
                self.work.begin(job)
            else:
                self.runner.run(job, paused, partial(self.work.begin, job))

    def _enter_pause(self, paused: PausedFrame) -> None:
        self.work.begin_pause(paused.pause_id)
        paused.add_release_callback(lambda: self.work.end_pause(paused.pause_id))
        before = self.activity.state
        # A rank on its way to the end of a step has the id of the pause already, but does not stand.
        stands = before.activity in (Activity.PAUSED, Activity.FAILED)
        if not stands or before.pause != paused.pause_id:
            place: dict[str, Any] = {
                "file": paused.place.file,
                "line": paused.place.line,
                "function": paused.place.function,
            }
            reason = "sync" if paused.sync_value is not None else paused.reason.replace("pause", "request")
            facts: dict[str, Any] = {
                "cell": before.cell,
                "pause": paused.pause_id,
                "value": paused.sync_value,
                "reason": reason,
            }
            event = ActivityEvent.FAIL if paused.failure else ActivityEvent.PAUSE
            self.activity.change(event, why=paused.failure, **facts, **place)
        stopped, self._untold_stop = self._untold_stop, None
        if stopped is not None:
            self._control.put(stopped)

    def _leave_pause(self) -> None:
        for job in self.work.leave_pause():
            self._control.refuse(job, "stale: it is not paused any more")
        # A step that follows is known by its id: who resumes all takes it back too.
        self.activity.change(ActivityEvent.RESUME, cell=self.activity.state.cell, pause=self.pauser.following)

    # -- failures and breakpoints: main thread -------------------------------------------------------------------------

    def _failed(self, error: BaseException) -> None:
        """The program has raised and is about to end: keep its frames while somebody wants to look at them."""
        # Of a KeyboardInterrupt nobody needs to be told: somebody has asked for it.
        failure = None if isinstance(error, KeyboardInterrupt) else failure_of(error)
        if failure is not None and self._holds and not self._is_child:
            self._look_at(failure)

    def _look_at(self, failure: Failure) -> None:
        # The id is the same on all ranks that have failed as often: they are one group.
        self.pauser.stop_after(failure, f"failure-{next(self._failures)}")

    def _post_mortem(self, job: Job) -> None:
        """Stop in the frames of what a cell, or the script, has raised last."""
        if not self._cell_began(job):
            return
        error = self.runner.last_error
        failure = failure_of(error) if error is not None else None
        content = {"status": "ok"} if failure is not None else {"status": "refused", "why": "no cell has raised here"}
        self._control.answered(job, self.outbox.answer(job.request, "px_post_reply", content, is_marked=True))
        if failure is not None:
            self._look_at(failure)
        self._cell_ended()

    def breakpoint_here(self, frame: FrameType) -> None:
        """Pause in this frame if somebody is attached; else say so in one line and go on, or wait if asked to."""
        if not self._has_operator and os.environ.get("PXSHELL_HOLD") != "1":
            _pass_by(frame, "nobody is attached, going on (PXSHELL_HOLD=1 waits)")
        elif not self.pauser.breakpoint_here(frame, self._new_pause_id(), "breakpoint"):
            _pass_by(frame, f"{self._what_does_not_stop()} does not stop, going on")

    def _what_does_not_stop(self) -> str:
        if threading.current_thread() is not threading.main_thread():
            return "another thread than the main one"
        return "a cell in a paused frame" if self.pauser.paused is not None else "what runs after the program"

    def _stop_at_raise(self, frame: FrameType, reason: str) -> None:
        """Pause where an exception is raised that somebody wants to see; nobody else is told of it."""
        if self._has_operator:
            self.pauser.breakpoint_here(frame, self._new_pause_id(), reason)

    def _install_hooks(self) -> None:
        """Take `breakpoint()`, unless the program has taken it."""
        if self._has_hooks:
            return
        self._has_hooks = True
        if self._is_guest:
            self._follow_excepthook()
        if sys.breakpointhook is sys.__breakpointhook__ and not os.environ.get("PYTHONBREAKPOINT"):
            sys.breakpointhook = lambda *_, **__: self.breakpoint_here(sys._getframe(1))  # noqa: SLF001

    def _follow_excepthook(self) -> None:
        """Hear of the uncaught exception that ends a program which the interpreter runs."""
        before = sys.excepthook

        def hook(_type: type[BaseException], error: BaseException, _tb: TracebackType | None) -> None:
            sys.excepthook = before
            if hasattr(sys, "ps1"):  # an interactive interpreter, which goes on
                print_exception(error)
                sys.excepthook = hook
            else:
                report_exception(error, self._failed)

        sys.excepthook = hook

    # -- messages: io thread -------------------------------------------------------------------------------------------

    def _received(self, message: Message, fds: tuple[int, ...]) -> None:
        if message.type != "px_output":
            self._control.take(message)
            return
        if fds:
            self._pipes.take(str(message.data()["token"]), fds[0], fds[1], Scope())
        self._is_ready.set()

    def _work_came(self, since: float) -> None:
        if not self._clients:
            # Who asks is there: that he is may be told on the other lane a moment later.
            self._has_operator = True
        self._io.brevity.begin(since)

    def _left(self, why: str) -> None:
        """There is no node: a rank without a script ends, a script goes on alone with its own output."""
        self._clients = 0
        self._stays = self._holds = self._has_operator = False
        self._is_ready.set()
        self._may_start.set()
        self.debugger.close_all(why)
        self.pauser.resume(None)
        if self._listens:
            self.outbox.tee.stop()
            return
        self._is_alone = True
        # A cell has nobody left who waits for it; one that does not end at that ends with this process.
        self._interrupts.interrupt("")
        if not self._runs_script:
            self._io.call_later(_LAST_WORDS, os._exit, 1)
        for source, target in self._pipes.give_back():
            self._io.copy(source, target)
        self.work.finish()
        _log.info("going on without a node: %s", why)

    # -- control thread ------------------------------------------------------------------------------------------------

    def _attended(self, clients: int, watching: int, stays: bool, holds: bool) -> None:
        is_first = clients and not self._clients
        self._clients, self._has_operator, self._stays, self._holds = clients, clients > watching, stays, holds
        if self._has_ended and not stays:
            self._stopped()
        if not self._has_operator:
            self.debugger.close_all("nobody is there who may debug")
        if not self._listens:
            return
        if is_first:
            call_in_main(lambda _: self._install_hooks())
            self.outbox.tee.start()
            self.activity.repeat()
        elif not clients:
            self.outbox.tee.stop()

    def _started(self) -> None:
        self._may_start.set()

    def _stopped(self) -> None:
        self._stays = self._holds = False
        self._may_start.set()
        self.pauser.resume(None)
        for job in self.work.finish():
            self._control.refuse(job, "this process is ending")

    def _state_changed(self, state: RankState) -> None:
        self.outbox.state(state, is_marked=self._stand_in.is_here)

    # -- the end: main thread ------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Say the last words; the process ends with `status`."""
        if not self._is_alone:
            if self._runs_script:
                # A program that has joined: how it ends is not ours to know.
                content = {"status": "error" if getattr(sys, "last_value", None) else "ok", "exit": None}
                self.outbox.answer(Request(RUN), "execute_reply", content, is_marked=True)
            self.activity.change(ActivityEvent.EXIT, exit=self.status)
            self._io.close(_LAST_WORDS)
            self._control.close()
        if self.status is not None:
            end_as(self.status)
