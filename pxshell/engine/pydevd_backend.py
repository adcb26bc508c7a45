"""debugpy's engine, pydevd, in this process: loaded when an editor comes, silent when it has gone.

The one module that knows pydevd's names, private ones among them; hence the limits on debugpy's version, and the tests
that go with them. It never listens: what `debugpy.listen` would open are TCP ports through which every user of the
machine could run code here.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from pxshell.engine.instrumented import Instrumented

__all__ = ["Backend", "ByteStream", "Stop"]

#: Read by pydevd when it is loaded: it would print that frozen modules of the standard library cannot be stepped into.
_NO_REMARK = "PYDEVD_DISABLE_FILE_VALIDATION"


class ByteStream(Protocol):
    """What pydevd uses of a socket."""

    def recv(self, size: int) -> bytes:
        """Return bytes, or nothing at the end."""

    def sendall(self, data: bytes) -> None:
        """Send bytes."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where pydevd stops a thread: the arguments of its `do_wait_suspend`."""

    thread: threading.Thread
    frame: FrameType
    event: str
    arg: Any
    exception_type: Any = None
    is_breakpoint: bool = False


class Backend:
    """pydevd, once it is loaded.

    Args:
        own_code: Folders whose frames the editor never sees nor steps into.
        stopped: Called in a thread that pydevd has decided to stop; calls `wait` to stop there.
    """

    def __init__(self, own_code: tuple[str, ...], stopped: Callable[[Stop], None]) -> None:
        self._stopped = stopped
        self._main = threading.main_thread()
        self._owner = os.getpid()
        #: What was there before the main thread was traced.
        self._previous: Any = None
        self._is_traced = False
        self._instrumented = Instrumented()
        before = os.environ.get(_NO_REMARK)
        os.environ[_NO_REMARK] = "1"
        try:
            self._load(own_code)
        finally:
            if before is None:
                del os.environ[_NO_REMARK]

    def _load(self, own_code: tuple[str, ...]) -> None:
        import debugpy.server.api  # noqa: F401 - puts pydevd on the path, with debugpy's settings
        import pydevd
        import pydevd_tracing
        from _pydevd_bundle import pydevd_constants, pydevd_thread_lifecycle
        from _pydevd_bundle.pydevd_api import PyDevdAPI
        from _pydevd_bundle.pydevd_comm import CMD_ADD_EXCEPTION_BREAK, CMD_SET_BREAK
        from _pydevd_bundle.pydevd_comm_constants import CMD_SET_FUNCTION_BREAK

        self._breakpoint_reasons = (CMD_SET_BREAK, CMD_SET_FUNCTION_BREAK)
        self._cmd_set_break = CMD_SET_BREAK
        self._cmd_exception = CMD_ADD_EXCEPTION_BREAK
        self._places = (*self._breakpoint_reasons, CMD_ADD_EXCEPTION_BREAK)
        self._unhandled = pydevd_constants.EXCEPTION_TYPE_UNHANDLED
        self._is_monitoring: bool = pydevd_constants.PYDEVD_USE_SYS_MONITORING
        self._lifecycle = pydevd_thread_lifecycle
        # A thread that accepts connections, and one that polls for the end of the program: neither is wanted here.
        pydevd.PyDB.create_wait_for_connection_thread = lambda _: None
        pydevd.PyDB._create_check_output_thread = lambda _: None  # noqa: SLF001 - see the module's text
        # It would switch the program's matplotlib to an interactive back end.
        pydevd.PyDB.init_gui_support = lambda _: None
        pydevd.PyDB._activate_gui_if_needed = lambda _: None  # noqa: SLF001 - see the module's text
        pydevd.settrace(
            host="127.0.0.1",
            port=0,
            suspend=False,
            trace_only_current_thread=True,
            block_until_connected=False,
            wait_for_ready_to_run=False,
            dont_trace_start_patterns=own_code,
            notify_stdin=False,
            protocol="dap",
            patch_multiprocessing=False,
        )
        # It replaces sys.settrace by a function that complains, or refuses; pauses and coverage use the real one.
        pydevd_tracing.restore_sys_set_trace_func()
        if not self._is_monitoring:
            sys.settrace(None)  # of this thread, which is none of the user's
        self._api = PyDevdAPI()
        self._db = pydevd.get_global_debugger()
        self._wait = self._db.do_wait_suspend
        self._db.do_wait_suspend = self._asked_to_stop
        self._enable = self._db.enable_tracing
        self._db.enable_tracing = self._begin_to_trace
        self._set_info = pydevd.set_additional_thread_info
        self._thread_id = pydevd.get_current_thread_id(self._main)
        self._end_command_thread()

    # -- a session: any thread but main --------------------------------------------------------------------------------

    def connect(self, stream: ByteStream, lost: Callable[[], None]) -> None:
        """Serve an editor.

        Args:
            stream: Its bytes.
            lost: Called when pydevd reads no more of them: at their end, and when it has failed over a request, of
                which it tells nobody.
        """
        self._db._create_pydb_command_thread()  # noqa: SLF001 - ended at each disconnect, for it polls
        self._db.initialize_network(stream, terminate_on_socket_close=False)
        self._db.reader._terminate_on_socket_close = lost  # noqa: SLF001 - what it calls whenever it ends by itself
        if self._is_monitoring:
            self._instrumented.begin()
            self._monitor().start_monitoring(all_threads=True)
            self.trace_main(sys._current_frames().get(self._main.ident or 0))  # noqa: SLF001 - to look, also while it waits in C
        else:
            self._previous_of_new_threads = threading.gettrace()
            threading.settrace(self._db.trace_dispatch)

    def disconnect(self) -> None:
        """Forget breakpoints and steps, let every stopped thread go, and trace no more (but see `untrace_main`)."""
        with self._db._main_lock:  # noqa: SLF001 - as when the editor asks for it
            self._db.enable_output_redirection(redirect_stdout=False, redirect_stderr=False)
            self._api.request_disconnect(self._db, resume_threads=True)
        self._end_command_thread()
        self._db.reader.do_kill_pydev_thread()
        self._db.writer.do_kill_pydev_thread()
        if self._is_monitoring:
            self._instrumented.end()
            self._monitor().stop_monitoring(all_threads=True)
        else:
            threading.settrace(self._previous_of_new_threads)

    def _end_command_thread(self) -> None:
        thread = self._db.py_db_command_thread
        if thread is not None:
            thread.do_kill_pydev_thread()
            self._db.py_db_command_thread = None

    @staticmethod
    def _monitor() -> Any:
        from _pydevd_sys_monitoring import pydevd_sys_monitoring

        return pydevd_sys_monitoring

    # -- the main thread -----------------------------------------------------------------------------------------------

    @property
    def needs_main_thread(self) -> bool:
        """Whether tracing begins and ends in the traced thread only: before Python 3.12."""
        return not self._is_monitoring

    def trace_main(self, frame: FrameType | None) -> None:
        """Trace the main thread, with the frames that run already; there, if it is needed."""
        if not self._is_monitoring and not self._is_traced:
            self._is_traced = True
            self._previous = sys.gettrace()
            self._db.enable_tracing()
        self._db.set_trace_for_frame_and_parents(self._main.ident, frame)

    def untrace_main(self, frame: FrameType | None) -> None:
        """Give the main thread its speed back; there, if it is needed."""
        if self._is_monitoring or not self._is_traced:
            return
        self._is_traced = False
        self._db.disable_tracing()
        sys.settrace(self._previous)
        while frame is not None:
            if frame.f_trace is not None:
                frame.f_trace = None
            frame = frame.f_back

    def _begin_to_trace(self, *tracer: Any, **where: Any) -> None:
        """Trace this thread, in place of pydevd's function, which its trace function calls too, in its own time.

        The main thread may be in that trace function when it is told to trace no more: what is on its way there would
        trace it again, for good.
        """
        is_main = threading.get_ident() == self._main.ident and not self._is_monitoring
        if is_main and not self._is_traced:
            return
        self._enable(*tracer, **where)
        if is_main and not self._is_traced:  # it was told meanwhile
            sys.settrace(self._previous)

    def abandon_in_child(self) -> None:
        """Trace nothing in a forked child, which has this one thread."""
        self._previous = None
        if self._is_monitoring:
            self._monitor().stop_monitoring(all_threads=True)
        else:
            sys.settrace(None)
            threading.settrace(None)

    @contextmanager
    def untraced(self) -> Iterator[None]:
        """Trace nothing in the main thread meanwhile: what runs while it stands would be looked at, and never stop."""
        if self._is_monitoring:
            was_traced = self._monitor().suspend_current_thread_tracing()
            try:
                yield
            finally:
                if was_traced:
                    self._monitor().resume_current_thread_tracing()
            return
        self._db.disable_tracing()
        try:
            yield
        finally:
            self._db.enable_tracing()

    def hand_over(self, frame: FrameType) -> Stop:
        """Make the editor see the main thread stopped in this frame, once `wait` is called."""
        self.trace_main(frame)
        self._db.set_suspend(self._main, self._cmd_set_break, suspend_requested=True)
        return Stop(self._main, frame, "line", None)

    def hand_over_failure(self, error: BaseException, frame: FrameType) -> Stop:
        """Make the editor see what an exception has left, its innermost frame on top, once `wait` is called.

        Args:
            error: It has ended the frames of its traceback.
            frame: Where the main thread is now, which goes on when the editor says so.
        """
        self.trace_main(frame)
        self._set_info(self._main).pydev_message = type(error).__name__
        self._db.set_suspend(self._main, self._cmd_exception)
        entry = error.__traceback__
        while entry is not None and entry.tb_next is not None:
            entry = entry.tb_next
        top = frame if entry is None else entry.tb_frame
        return Stop(self._main, top, "exception", (type(error), error, error.__traceback__), self._unhandled)

    def wait(self, stop: Stop) -> None:
        """Stand still, serving the editor, until it or `resume_main` lets this thread go."""
        self._wait(stop.thread, stop.frame, stop.event, stop.arg, exception_type=stop.exception_type)

    def _asked_to_stop(
        self, thread: threading.Thread, frame: FrameType, event: str, arg: Any, exception_type: Any = None
    ) -> None:
        if os.getpid() != self._owner:
            return  # a forked child, in which nobody would ever let it go
        at_breakpoint = getattr(thread, "stop_reason", None) in self._breakpoint_reasons
        self._stopped(Stop(thread, frame, event, arg, exception_type, is_breakpoint=at_breakpoint))

    def leave_alone(self) -> None:
        """Neither stop nor trace nor show the thread that calls this: it is ours, and not made by `threading`."""
        if not self._is_monitoring:
            return  # only threads that `threading` makes are traced
        thread: Any = threading.current_thread()
        thread.pydev_do_not_trace = thread.is_pydev_daemon_thread = True
        self._monitor().stop_monitoring(all_threads=False)

    def release(self, stop: Stop) -> None:
        """Let a thread go on that is not to stop."""
        self._lifecycle.internal_run_thread(stop.thread, self._set_info)

    def is_main(self, stop: Stop) -> bool:
        """Tell whether it is the main thread that stops."""
        return stop.thread is self._main

    def is_of_place(self, stop: Stop) -> bool:
        """Tell whether it is for a breakpoint or an exception there; else for a pause or the end of a step."""
        return getattr(stop.thread, "stop_reason", None) in self._places

    # -- any thread ----------------------------------------------------------------------------------------------------

    def resume_main(self) -> None:
        """Let the main thread go on; the editor is told."""
        self._lifecycle.internal_run_thread(self._main, self._set_info)
        self.post(lambda: None)

    def post(self, function: Callable[[], None]) -> None:
        """Run a function in the main thread while it waits."""
        self._db.post_method_as_internal_command(self._thread_id, lambda _db: function())
