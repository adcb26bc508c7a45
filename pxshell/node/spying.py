"""Stacks read from outside a process, by py-spy (https://github.com/benfred/py-spy): its command, and what it tells.

For processes that cannot answer themselves: stopped ones, those whose C code holds the GIL, programs that never loaded
pxshell. py-spy reads the memory of a process of the same user; whether that is allowed is the system's to say.
"""

from __future__ import annotations

import ast
import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
import psutil

from pxshell.protocol.stacks import Frame, StackEnd, collapsed, looks_like_library, shortened
from pxshell.protocol.waitcalls import MPI, MPI_CALLS, TORCH, TORCH_CALLS, Role, argument_of, end_of, hides, written

__all__ = ["SpyError", "Spied", "read_stack"]

#: Seconds that py-spy may take for one process.
_LIMIT_S = 8.0
_OWN = str(Path(__file__).resolve().parent.parent) + os.sep
#: Files of frames that are not Python's: libraries, and sources of C and its like.
_NATIVE = re.compile(r"\.so(?:\.\d+)*$|\.dylib$|\.(?:c|cc|cpp|cxx|h|hpp|rs|s|S|f|f90|cu|pyx)$|^[^<.]*$")
#: The interpreter's own frames between the user's code and the C function that it called.
_INTERPRETER = re.compile(r"[\\/](?:Python|Objects|Modules|Include)[\\/]|[\\/](?:lib)?(?:python|ffi)[^\\/]*$")
_MPI_SYMBOL = re.compile(r"P?MPI_(\w+?)(?:_c)?$")
_HOLDS_GIL = "holds the GIL"
_INTEGER = re.compile(r"-?\d{1,9}")


class SpyError(Exception):
    """A process could not be read; the text says why, and what to do."""


class _Local(msgspec.Struct):
    name: str
    repr: str | None = None


class _SpyFrame(msgspec.Struct):
    name: str
    filename: str
    line: int
    locals: list[_Local] | None = None

    @property
    def is_native(self) -> bool:
        """Whether this is C, or the like."""
        return _NATIVE.search(self.filename) is not None


class _Thread(msgspec.Struct):
    frames: list[_SpyFrame]
    os_thread_id: int | None = None
    thread_name: str | None = None
    owns_gil: bool = False


class Spied(msgspec.Struct, frozen=True):
    """What was read of one process: its main thread, outermost frame first."""

    frames: tuple[Frame, ...]
    end: StackEnd


def read_stack(pid: int, *, full: bool = False) -> Spied:
    """Read the stack of a process's main thread.

    Raises:
        SpyError: it cannot be read.
    """
    if _is_stopped(pid):
        return _read_stopped(pid, full=full)
    try:
        output = _dumped_running(pid)
    except SpyError:
        if not _is_stopped(pid):
            raise
        return _read_stopped(pid, full=full)  # it was stopped just now
    return _spied(_main_thread(pid, output), full=full)


def _read_stopped(pid: int, *, full: bool) -> Spied:
    # A stopped process does not move, and py-spy cannot stop it once more.
    thread = _main_thread(pid, _dumped(pid, "--nonblocking"))
    return _spied(thread, full=full, note="stopped by a signal")


# -- asking ----------------------------------------------------------------------------------------------------------


def _is_stopped(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}
    except psutil.NoSuchProcess:
        raise SpyError(f"there is no process {pid}") from None


def _dumped_running(pid: int) -> bytes:
    try:
        return _dumped(pid, "--native")
    except SpyError:
        return _dumped(pid)


def _dumped(pid: int, *options: str) -> bytes:
    command = [_command(), "dump", "--pid", str(pid), "--json", "--full-filenames", "--locals", *options]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LIMIT_S, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise SpyError(f"py-spy did not answer within {_LIMIT_S:g} s") from None
    except OSError as error:
        raise SpyError(f"py-spy cannot be run: {error.strerror}") from None
    if done.returncode:
        raise SpyError(_refusal(done.stderr.decode("utf-8", "replace")))
    return done.stdout


def _command() -> str:
    beside = Path(sys.prefix, "bin", "py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if found is None:
        raise SpyError("py-spy, which reads from outside, is not installed: pip install py-spy")
    return found


def _refusal(told: str) -> str:
    """Return py-spy's reason in one line."""
    if "ermission" in told or "EPERM" in told or "not permitted" in told:
        how = "needs root on macOS" if sys.platform == "darwin" else "see kernel.yama.ptrace_scope"
        return f"the system does not let py-spy read it: {how}"
    if "find python" in told.lower() or "python version" in told:
        return "no Python that py-spy knows runs in it"
    lines = [line.strip() for line in told.partition("Stack backtrace")[0].splitlines() if line.strip()]
    reasons = [re.sub(r"^(?:Error: |\d+: )", "", line) for line in lines if not line.startswith("Caused")]
    return f"py-spy: {': '.join(reasons[:2])}" if reasons else "py-spy failed without a word"


def _main_thread(pid: int, output: bytes) -> _Thread:
    try:
        threads = msgspec.json.decode(output, type=list[_Thread])
    except msgspec.MsgspecError as error:
        raise SpyError(f"py-spy said what cannot be read: {error}") from None
    # On Linux the main thread has the number of the process.
    for thread in threads:
        if thread.os_thread_id == pid or thread.thread_name == "MainThread":
            return thread
    if not threads:
        raise SpyError("no Python thread is in it")
    return threads[0]


# -- reading ---------------------------------------------------------------------------------------------------------


def _spied(thread: _Thread, *, full: bool, note: str = "") -> Spied:
    natives = []
    for frame in thread.frames:
        if not frame.is_native:
            break
        natives.append(frame)
    python = [frame for frame in thread.frames if not frame.is_native]
    end = _end(natives, python, note or _gil_note(thread, natives))
    frames = [_frame(one) for one in reversed(python)]
    while frames and frames[-1].file.startswith(_OWN):
        frames.pop()
    return Spied(tuple(shortened(frames if full else collapsed(frames))), end)


def _frame(one: _SpyFrame) -> Frame:
    is_library = looks_like_library(one.filename) or one.filename.startswith(_OWN)
    return Frame(one.filename, one.line, one.name, not is_library)


def _gil_note(thread: _Thread, natives: Sequence[_SpyFrame]) -> str:
    if not thread.owns_gil:
        return ""
    called = [one.name for one in natives if not _INTERPRETER.search(one.filename) and not one.name.startswith("0x")]
    return f"{_HOLDS_GIL}, in {called[-1]}" if called else _HOLDS_GIL


def _end(natives: Sequence[_SpyFrame], python: Sequence[_SpyFrame], note: str) -> StackEnd:
    found = _mpi_end(natives, python) or _torch_end(python) or StackEnd()
    if found.call and note.startswith(_HOLDS_GIL):
        note = _HOLDS_GIL
    return dataclasses.replace(found, note=note, is_outside=True)


def _mpi_end(natives: Sequence[_SpyFrame], python: Sequence[_SpyFrame]) -> StackEnd | None:
    """Recognise a call by the function of mpi4py, else by MPI's own: other libraries call MPI too."""
    # Outermost first: it is the one that was called.
    for frame in reversed(natives):
        if "mpi4py" in frame.filename and frame.name in MPI_CALLS:
            return end_of(MPI, frame.name, partial(_peer, _call_in_source(python, frame.name), python))
    for frame in reversed(natives):
        if (match := _MPI_SYMBOL.match(frame.name)) is not None:
            return end_of(MPI, match[1], _unknown)
    return None


def _unknown(_: Role) -> str:
    return ""


def _torch_end(python: Sequence[_SpyFrame]) -> StackEnd | None:
    for frame in reversed(python):
        if f"{os.sep}torch{os.sep}distributed{os.sep}" in frame.filename and frame.name in TORCH_CALLS:
            return end_of(TORCH, frame.name, partial(_named, _integers(frame)))
    return None


def _named(values: Mapping[str, str], role: Role) -> str | None:
    return values.get(role.name)


def _integers(frame: _SpyFrame) -> dict[str, str]:
    return {one.name: one.repr for one in frame.locals or () if one.repr and _INTEGER.fullmatch(one.repr)}


def _call_in_source(python: Sequence[_SpyFrame], name: str) -> ast.Call | None:
    """Return the call of this name at the innermost line; None when there is none, or more than one."""
    calls = _calls_at(python[0].filename, python[0].line) if python else ()
    found = [call for call in calls if getattr(call.func, "attr", "") == name]
    return found[0] if len(found) == 1 else None


def _calls_at(file: str, line: int) -> Iterator[ast.Call]:
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.lineno <= line <= (node.end_lineno or node.lineno):
            yield node


def _peer(call: ast.Call | None, python: Sequence[_SpyFrame], role: Role) -> str | None:
    if call is None:
        return ""
    node = argument_of(call, role)
    if node is None:
        return "" if hides(call, role) else None
    known = _integers(python[0]).get(node.id) if isinstance(node, ast.Name) else None
    return known or written(node)
