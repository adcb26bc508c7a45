"""An editor's debugger on this rank: one session at a time, its stops as pauses, and the rank as before when it ends.

Who runs what. The control thread takes messages and starts a short-lived thread for what may take a while: loading
debugpy, ending a session. The main thread calls `serve` when it has stopped, and is told of pydevd's own stops in
`_stopped`. One lock guards which session there is.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from pxshell.engine.activity import ActivityReport
from pxshell.engine.arming import call_in_main
from pxshell.engine.error_text import text_of
from pxshell.engine.frames import innermost_user_frame
from pxshell.engine.outbox import Outbox, Request
from pxshell.engine.paused_frame import PausedFrame
from pxshell.engine.pausing import Pauser
from pxshell.engine.pydevd_backend import Backend, Stop
from pxshell.engine.threads import start_thread
from pxshell.engine.tunnel_socket import TunnelSocket
from pxshell.engine.undisturbed import StandIn
from pxshell.engine.work import Job, Work
from pxshell.protocol.message import Message
from pxshell.protocol.state import EDITOR_BREAKPOINT
from pxshell.protocol.tunnel import Chunk

__all__ = ["HAND_OVER", "Debugger"]

_log = logging.getLogger("pxshell.engine")

#: The type of a job that makes a paused main thread look whether an editor has come.
HAND_OVER = "px_debug_hand_over"
#: Why a session ends in which debugpy has raised.
_FAILED = "debugpy failed over what the editor said; the rank's log has its traceback. Attach again"


@dataclass(eq=False)
class _Session:
    """One editor, from its coming to its going."""

    tunnel: str
    origin: str
    stream: TunnelSocket
    #: Whether a pause stood when it came, and no editor's: then one stands when it goes.
    was_paused: bool = False
    is_over: bool = False


class Debugger:
    """What an editor reaches of this rank.

    Args:
        rank: This rank's number.
        outbox: Where answers and the debugger's bytes go.
        activity: The rank's state.
        pauser: Makes a pause of each stop of the main thread.
        work: Cells that come while it has stopped.
        stand_in: Who stands in for the main thread: not to be stopped.
        run: Runs a cell in a paused frame, once the function that it is given says that it is still to run.
    """

    def __init__(
        self,
        *,
        rank: int,
        outbox: Outbox,
        activity: ActivityReport,
        pauser: Pauser,
        work: Work,
        stand_in: StandIn,
        run: Callable[[Job, PausedFrame, Callable[[], bool]], None],
    ) -> None:
        self._rank = rank
        self._outbox = outbox
        self._activity = activity
        self._pauser = pauser
        self._work = work
        self._stand_in = stand_in
        self._run = run
        self._lock = threading.Lock()
        #: Held while a session begins or ends: an editor that restarts comes back before it has quite gone.
        self._changing = threading.Lock()
        self._session: _Session | None = None
        self._backend: Backend | None = None
        self._stop: Stop | None = None  # the main thread's own: where pydevd has stopped it
        #: The id of the last pause that is the editor's alone: it ends when the editor goes.
        self._own_pause = ""
        self._numbers = itertools.count(1)

    # -- messages: control thread --------------------------------------------------------------------------------------

    def prepare(self, message: Message, request: Request) -> dict[str, Any]:
        """Tell whether an editor could come, and where this rank's files lie; nothing is loaded."""
        del message, request
        import importlib.util

        main = sys.modules.get("__main__")
        script = getattr(main, "__file__", None) or ""
        root = str(Path(script).absolute().parent) if script else str(Path.cwd())
        content = {"status": "ok", "root": root, "host": socket.gethostname(), "pid": os.getpid()}
        if importlib.util.find_spec("debugpy") is None:
            content |= {
                "status": "refused",
                "why": f"its Python, {sys.executable}, has no debugpy: pip install debugpy",
            }
        return content

    def open(self, message: Message, request: Request) -> dict[str, Any] | None:
        """Begin a session; the answer comes when debugpy serves it."""
        content = message.data()
        stream = TunnelSocket(lambda chunk: self._say(session, chunk))
        session = _Session(message.header.key, request.origin, stream)
        with self._lock:
            held = self._session
            is_free = held is None or held.is_over
            if is_free:
                self._session = session
        if not is_free:
            who = self._activity.debugged_by or "taken by an editor"
            why = f"it is {who}; end that first: %pxdebug detach {self._rank}, or disconnect there"
            return {"status": "refused", "why": why}
        who = str(content.get("who") or "an editor")
        start_thread(lambda: self._begin(session, who, request), "pxshell-debugger")
        return None

    def data(self, message: Message, request: Request) -> None:
        """Hand bytes of the editor on."""
        session = self._session
        if session is None or session.tunnel != message.header.key or session.origin != request.origin:
            return  # of a session that has ended meanwhile
        content = message.data()
        data = bytes(message.buffers[0]) if message.buffers else b""
        fault = session.stream.feed(Chunk(int(content["at"]), int(content["taken"]), data))
        if fault:
            self._end_soon(session, fault)

    def close(self, message: Message, request: Request) -> None:
        """End the session of a tunnel; without a key whatever there is."""
        session = self._session
        if session is not None and message.header.key in ("", session.tunnel):
            self._end_soon(session, str(message.data().get("why") or "it was closed"))

    def close_all(self, why: str) -> None:
        """End the session, if there is one; any thread."""
        session = self._session
        if session is not None:
            self._end_soon(session, why)

    def _say(self, session: _Session, chunk: Chunk) -> None:
        about = Request("", session.origin)
        buffers = [chunk.data] if chunk.data else []
        self._outbox.say("px_debug_data", chunk.to_content(), key=session.tunnel, buffers=buffers, about=about)

    # -- beginning and end: a thread of its own ------------------------------------------------------------------------

    def _begin(self, session: _Session, who: str, request: Request) -> None:
        with self._changing:
            paused = self._pauser.paused
            # One that stood for the editor before this one is on its way out, though the main thread may be slow to.
            session.was_paused = paused is not None and self._is_for_others(paused)
            try:
                if self._backend is None:
                    self._backend = Backend(_own_code(), self._stopped)
                self._stand_in.enters = self._backend.leave_alone
                self._backend.connect(session.stream, lambda: self._end_soon(session, _FAILED))
            except Exception as error:  # noqa: BLE001 - whatever it is, the one who asked is told
                _log.exception("debugpy could not be loaded")
                self._forget(session)
                why = f"debugpy could not be loaded: {type(error).__name__}: {text_of(error)}"
                self._outbox.answer(request, "px_debug_open_reply", {"status": "refused", "why": why})
                return
            self._activity.attach(f"debugged by {who}")
            self._outbox.answer(request, "px_debug_open_reply", {"status": "ok"})
            self._reach_main()

    def _reach_main(self) -> None:
        """Make the main thread take notice, wherever it is."""
        call_in_main(self._settle_main)
        paused = self._pauser.paused
        if paused is not None:
            self._work.put(Job(HAND_OVER, Request(""), {}, f"frame:{paused.pause_id}"))

    def _end_soon(self, session: _Session, why: str) -> None:
        with self._lock:
            if session.is_over:
                return
            session.is_over = True
        start_thread(lambda: self._end(session, why), "pxshell-debugger")

    def _end(self, session: _Session, why: str) -> None:
        with self._changing:
            try:
                if self._backend is not None:
                    self._backend.disconnect()
            except Exception:  # noqa: BLE001 - the rank must go on, and be free for the next editor
                _log.exception("debugpy could not be ended cleanly")
            self._stand_in.enters = _nothing
            session.stream.close()
            self._forget(session)
            paused = self._pauser.paused
            stays = paused is not None and self._stays(session, paused)
            if stays:
                self._own_pause = ""  # it is no editor's any more
            self._activity.detach(goes_on=paused is not None and not stays)
            about = Request("", session.origin)
            self._outbox.say("px_debug_close", {"why": why}, key=session.tunnel, about=about)
            self._reach_main()

    def _forget(self, session: _Session) -> None:
        with self._lock:
            session.is_over = True
            if self._session is session:
                self._session = None

    def abandon_in_child(self) -> None:
        """Be nothing in a forked child: no trace, no session."""
        if self._backend is not None and self._session is not None:
            self._backend.abandon_in_child()
        self._lock, self._changing = threading.Lock(), threading.Lock()
        self._session = None

    # -- the main thread -----------------------------------------------------------------------------------------------

    @property
    def is_attached(self) -> bool:
        """Whether an editor is there and serves."""
        session = self._session
        return session is not None and not session.is_over and self._activity.debugged_by is not None

    def _settle_main(self, frame: FrameType | None) -> None:
        """Trace, or trace no more, between two bytecodes of the main thread."""
        if self._backend is not None and self._backend.needs_main_thread:
            if self.is_attached:
                self._backend.trace_main(frame)
            else:
                self._backend.untrace_main(frame)

    def _stopped(self, stop: Stop) -> None:
        """Stop where pydevd wants to: the main thread in a pause, so that cells and the prompt know it."""
        assert self._backend is not None
        if not self._backend.is_main(stop):
            if self._stand_in.is_here:
                self._backend.release(stop)
            else:
                self._backend.wait(stop)
        elif self._pauser.paused is not None:
            return  # in a cell of a stopped frame; the frame below stands already
        elif self._session is None:
            self._backend.resume_main()
        elif not self._backend.is_of_place(stop) and innermost_user_frame(stop.frame) is None:
            # Between cells: in code that is generated for ours, where a step has come out of its cell.
            self._backend.resume_main()
        else:
            self._stop = stop
            try:
                self._own_pause = f"d{self._rank}-{next(self._numbers)}"
                reason = EDITOR_BREAKPOINT if stop.is_breakpoint else "debugger"
                has_stopped = self._pauser.breakpoint_here(stop.frame, self._own_pause, reason)
            finally:
                self._stop = None
            if not has_stopped:  # there is no frame of the user's
                self._backend.wait(stop)

    def serve(self, paused: PausedFrame) -> bool:
        """Stand still for the editor, if there is one; cells run in the frame meanwhile.

        Returns:
            Whether the pause is over; else there is no editor, or not any more, and the pause goes on without it.
        """
        session, backend = self._session, self._backend
        stop, self._stop = self._stop, None
        if backend is None or session is None or (stop is None and not self.is_attached):
            if stop is not None and paused.pause_id == self._own_pause:
                return self._pauser.finish(paused, unless_asked_for=True)
            if backend is not None:
                self._activity.tell()  # that it stays, if the editor's going was told as if it went on
            return False
        running = paused.frame if paused.error is None else sys._getframe()  # noqa: SLF001 - what has failed runs no more
        if stop is None and paused.error is not None:
            stop = backend.hand_over_failure(paused.error, running)
        self._stand(session, backend, paused, stop or backend.hand_over(running))
        if not session.is_over:
            return self._pauser.finish(paused)
        if not self.is_attached:
            backend.untrace_main(running)
        return not self._stays(session, paused) and self._pauser.finish(paused, unless_asked_for=True)

    def _stays(self, session: _Session, paused: PausedFrame) -> bool:
        """Tell whether a pause outlasts the editor: one stood when it came, or this one is not its own alone."""
        return session.was_paused or self._is_for_others(paused)

    def _is_for_others(self, paused: PausedFrame) -> bool:
        return paused.is_asked_for or paused.pause_id != self._own_pause

    def _stand(self, session: _Session, backend: Backend, paused: PausedFrame, stop: Stop) -> None:
        before = self._work.wake
        self._work.wake = lambda: backend.post(lambda: self._run_jobs(paused))
        self._work.wake()
        try:
            if session.is_over:  # its end may have come before the stop
                backend.resume_main()
            backend.wait(stop)
        except BaseException:
            backend.resume_main()
            raise
        finally:
            self._work.wake = before

    def _run_jobs(self, paused: PausedFrame) -> None:
        assert self._backend is not None
        while not self._work.must_leave and (job := self._work.first()) is not None:
            if job.type == HAND_OVER:
                self._work.begin(job)
                continue
            with self._backend.untraced():
                self._run(job, paused, partial(self._work.begin, job))
        if self._work.must_leave:
            self._backend.resume_main()


def _nothing() -> None:
    """Do nothing."""


def _own_code() -> tuple[str, ...]:
    """Return the folder of pxshell, as its modules' file names begin."""
    return (str(Path(__file__).absolute().parent.parent) + os.sep,)
