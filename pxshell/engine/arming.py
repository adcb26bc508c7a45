"""Ways into a running main thread: a call at its next bytecode, a trace of its user frames, a signal.

`call_in_main` and `StopSignal.send` are for any thread; all else runs in the main thread. None of them costs
anything before it is used or after it is removed.
"""

from __future__ import annotations

import _thread
import ctypes
import logging
import opcode
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

__all__ = ["Arming", "StopSignal", "call_in_main", "interrupt_again"]

_log = logging.getLogger("pxshell.engine")

# -- a call at the next bytecode --------------------------------------------------------------------------------------

_MainCall = Callable[[FrameType | None], None]
_calls: deque[_MainCall] = deque()  # filled by any thread, emptied by the main thread
# Whoever takes the token asks the interpreter for a call; the call puts it back. So no second one is asked for while
# the first runs: Python 3.11 would then loop for ever in a function that is entered there while the thread is traced.
_token: deque[bool] = deque([True])


def _run_calls(_: int | None) -> int:
    try:
        while _calls:
            _run_call(sys._getframe(1))  # noqa: SLF001 - the frame that was interrupted
    except KeyboardInterrupt:
        interrupt_again()
    finally:
        _token.append(True)
    if _calls:  # came between the last look and the token's return, or is left over
        _ask_for_call()
    return 0


def _run_call(frame: FrameType) -> None:
    function = _calls.popleft()
    try:
        function(frame)
    except KeyboardInterrupt:  # meant for the user's code; ctypes would swallow it
        _calls.appendleft(function)
        raise
    except Exception:  # noqa: BLE001 - ctypes above would print it to stderr
        _log.exception("a call in the main thread failed")


_pending_call = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(_run_calls)  # alive as long as one may be pending


def _ask_for_call() -> bool:
    try:
        _token.pop()
    except IndexError:
        return True
    if ctypes.pythonapi.Py_AddPendingCall(_pending_call, None) == 0:
        return True
    _token.append(True)
    return False


def call_in_main(function: _MainCall) -> bool:
    """Call a function in the main thread at its next bytecode, with the frame that runs there.

    No signal is sent: what waits in C is not woken. Returns whether the interpreter has accepted the call; if not, its
    queue is full of other people's calls, and the function runs with the next call that is accepted.
    """
    _calls.append(function)
    return _ask_for_call()


def interrupt_again() -> None:
    """Deliver Ctrl-C once more, soon: it came while our code ran in the main thread and would be lost."""
    # Not threading.Thread: its start() waits, in the main thread, where the next Ctrl-C may come.
    _thread.start_new_thread(_interrupt_main, ())


def _interrupt_main() -> None:  # a thread of a few milliseconds, which a debugger never sees
    for _ in range(1000):
        time.sleep(0.005)
        if _token:  # the main thread has left our call
            break
    _thread.interrupt_main()


# -- a trace ----------------------------------------------------------------------------------------------------------


_REMEMBERED = 4096
_CO_SUSPENDS = 0x20 | 0x80 | 0x200  # generators, coroutines, asynchronous generators
# Where a suspended frame stands: since Python 3.13 behind its yield.
_SUSPENDING = frozenset(opcode.opmap[name] for name in ("YIELD_VALUE", "RESUME"))


class Arming:
    """Traces lines of chosen code in the main thread until it is removed, then puts back what was there.

    Another tracer (coverage, a debugger) rests meanwhile: frames that begin and end in between are not seen by it.

    Args:
        watches: Whether lines of this code are of interest.
        visit: Called before each such line, with its frame, in the trace function.
        broken: Called when something was raised in the trace function, such as Ctrl-C: the interpreter has then put an
            end to tracing.
        left: Called when such a frame returns or is left by an exception, for good: not when it yields or awaits.
            Returns a frame that is to be traced from now on, if any.
        is_steady: What is of interest stays the same, so it is asked once for each code.
    """

    def __init__(
        self,
        watches: Callable[[CodeType], bool],
        visit: Callable[[FrameType], None],
        broken: Callable[[], None],
        left: Callable[[FrameType], FrameType | None] = lambda _: None,
        *,
        is_steady: bool = False,
    ) -> None:
        self._watches = watches
        self._visit = visit
        self._broken = broken
        self._left = left
        self._frames: dict[int, tuple[FrameType, Any]] = {}  # only frames that run: each leaves when it returns
        self._previous: Any = None
        # Codes that are not of interest; only while the answer cannot change, and with the code, for its id may return.
        self._passed: dict[int, CodeType] | None = {} if is_steady else None
        self._raised: tuple[int, int] | None = None  # frame and instruction at which something was raised last
        self._on_call = self._call  # one object each, to be recognised again
        self._on_event = self._event
        self.is_live = False

    def install(self, frame: FrameType | None) -> None:
        """Trace the frames under `frame`, and those that are called from now on; the caller's last action."""
        self._previous = sys.gettrace()
        self.is_live = True
        while frame is not None:
            if self._watches(frame.f_code):
                self._trace(frame)
            frame = frame.f_back
        sys.settrace(self._on_call)

    def remove(self) -> None:
        """Put back what was there. A tracer or debugger that took over meanwhile is left alone."""
        self.is_live = False
        self._passed = None
        if sys.gettrace() is self._on_call:
            sys.settrace(self._previous)
        while self._frames:
            _, (frame, before) = self._frames.popitem()
            self._untrace(frame, before)

    def _trace(self, frame: FrameType) -> None:
        if frame.f_trace is not self._on_event:
            self._frames[id(frame)] = (frame, frame.f_trace)
            frame.f_trace = self._on_event

    def _untrace(self, frame: FrameType, before: Any) -> None:
        if frame.f_trace is self._on_event:
            frame.f_trace = before

    def _call(self, frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        if self._passed is not None and self._passed.get(id(code)) is code:
            return
        try:
            if not self.is_live:
                self.remove()
            elif event == "call" and self._watches(code):
                self._trace(frame)
            elif self._passed is not None:
                if len(self._passed) >= _REMEMBERED:
                    self._passed.clear()
                self._passed[id(code)] = code
        except BaseException:
            self._fail()
            raise
        # None leaves f_trace as it is

    def _event(self, frame: FrameType, event: str, _: Any) -> Any:
        try:
            if event == "line" and self.is_live:
                self._visit(frame)
            elif event == "exception":
                self._raised = (id(frame), frame.f_lasti)
            elif event == "return":
                self._untrace(*self._frames.pop(id(frame), (frame, None)))
                if self.is_live and not self._is_suspended(frame) and (caller := self._left(frame)) is not None:
                    self._trace(caller)
            if sys.version_info < (3, 13):
                # Before PEP 667 the interpreter writes the frame's dict into its variables when a trace function
                # returns: read it last, or a closure's variable that somebody else has set since would be set back.
                frame.f_locals  # noqa: B018
        except BaseException:
            self._fail()
            raise

    def _is_suspended(self, frame: FrameType) -> bool:
        """Tell whether a frame that gives control back goes on later: it yields or awaits, and nothing was raised."""
        code = frame.f_code
        if not code.co_flags & _CO_SUSPENDS or self._raised == (id(frame), frame.f_lasti):
            return False
        return frame.f_lasti >= 0 and code.co_code[frame.f_lasti] in _SUSPENDING

    def _fail(self) -> None:
        if self.is_live:
            self.remove()
            self._broken()


# -- a signal ---------------------------------------------------------------------------------------------------------


class StopSignal:
    """The signal that reaches a main thread which waits in an interruptible call. Never SIGUSR1 or SIGUSR2.

    Those two belong to mpiexec and to users. Without SA_RESTART a waiting call ends with EINTR, which Python's own
    calls retry and some C libraries do not: hence the last resort.
    """

    def __init__(self, handler: Callable[[int, FrameType | None], None]) -> None:
        self._handler = handler  # one object, to be recognised again
        self.number: int | None = signal.SIGRTMIN + 6 if hasattr(signal, "SIGRTMIN") else None

    def install(self) -> None:
        """Handle the signal, unless the user's program has taken it. Main thread."""
        if self.number is not None and self._is_free:
            signal.signal(self.number, self._handler)

    def restore(self) -> None:
        """Give the signal back. Main thread; nothing may be under way."""
        if self.number is not None and self.is_ready:
            signal.signal(self.number, signal.SIG_DFL)

    @property
    def is_ready(self) -> bool:
        """Whether the signal would reach our handler."""
        return self.number is not None and signal.getsignal(self.number) is self._handler

    @property
    def _is_free(self) -> bool:
        return self.number is not None and signal.getsignal(self.number) is signal.SIG_DFL

    def send(self, thread_ident: int) -> str:
        """Send the signal; returns why not, or nothing. Any thread."""
        if self.number is None:
            return "this system has no signal to spare: calls that wait are not interrupted"
        if not self.is_ready:
            owner = "was not installed in time" if self._is_free else "is used by the program"
            return f"signal {self.number} {owner}: calls that wait are not interrupted"
        signal.pthread_kill(thread_ident, self.number)
        return ""
