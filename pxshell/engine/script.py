"""The user's script, run as `python SCRIPT` or `python -m MODULE` would run it.

`exec` in a module of ours would break multiprocessing's `spawn` and pickling of what `__main__` defines;
`runpy.run_path` leaves `sys.path[0]` wrong. So `__main__` is set up as the interpreter does it
(https://docs.python.org/3/using/cmdline.html#interface-options). All of this belongs to the main thread.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pkgutil import get_importer
from types import CodeType, ModuleType, TracebackType
from typing import NoReturn

from pxshell.engine.frames import include_user_code
from pxshell.engine.output import flush_python

__all__ = ["Ending", "Script", "ScriptNotFoundError", "end_as", "fresh_main", "leave_child", "run"]


class ScriptNotFoundError(Exception):
    """There is nothing to run; the text is the line that Python prints, `status` Python's exit status."""

    def __init__(self, line: str, status: int) -> None:
        super().__init__(line)
        self.status = status


@dataclass(frozen=True, slots=True)
class Script:
    """What to run: a file (or a directory or archive with a `__main__`), or a module's name."""

    name: str
    is_module: bool = False
    arguments: Sequence[str] = ()

    @property
    def title(self) -> str:
        """For people."""
        return f"-m {self.name}" if self.is_module else os.path.basename(self.name)


@dataclass(frozen=True, slots=True)
class Ending:
    """How user code ended: its exit status, negative for a signal, and the exception, SystemExit included."""

    status: int
    error: BaseException | None = None

    @property
    def is_failure(self) -> bool:
        """Whether an exception other than SystemExit ended it."""
        return self.error is not None and not isinstance(self.error, SystemExit)


def fresh_main() -> ModuleType:
    """Put an empty `__main__` in place, as a new interpreter has it."""
    module = ModuleType("__main__")
    module.__dict__.update(__builtins__=sys.modules["builtins"], __spec__=None, __annotations__={})
    sys.modules["__main__"] = module
    return module


def prepare(script: Script) -> tuple[CodeType, ModuleType]:
    """Set up `__main__`, `sys.argv` and `sys.path`, and compile.

    Raises:
        ScriptNotFoundError: there is no such script or module.
        SyntaxError: as compiling raises it; `__main__` is set up all the same.
    """
    module = fresh_main()
    sys.argv = [script.name, *script.arguments]
    code = _module_code(script.name, module) if script.is_module else _file_code(script.name, module)
    return code, module


def _file_code(name: str, module: ModuleType) -> CodeType:
    if get_importer(name) is not None:
        return _archive_code(name, module)
    # Not normalised, nor is it by the interpreter.
    path = os.path.join(os.getcwd(), name)
    module.__dict__.update(__file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path))
    _set_first_path(os.path.dirname(os.path.realpath(path)))
    include_user_code(path)
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        line = f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}"
        raise ScriptNotFoundError(line, 2) from None
    return compile(source, path, "exec", dont_inherit=True)


def _archive_code(name: str, module: ModuleType) -> CodeType:
    """Run the `__main__` inside a directory or archive."""
    _set_first_path(os.path.join(os.getcwd(), name))
    finder = get_importer(name)
    spec = finder.find_spec("__main__", None) if finder is not None else None
    if spec is None:
        raise ScriptNotFoundError(f"{sys.executable}: can't find '__main__' module in {os.path.abspath(name)!r}", 1)
    include_user_code(os.path.abspath(name))
    return _spec_code(spec, module, package="")


def _set_first_path(path: str) -> None:
    """Replace what `python -m pxshell.engine` put in front; with -P or PYTHONSAFEPATH there is nothing in front."""
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0:1] = [path]


def _module_code(name: str, module: ModuleType) -> CodeType:
    spec = _find_module(name)
    if spec.origin:
        sys.argv[0] = spec.origin
        include_user_code(os.path.dirname(spec.origin) if spec.parent else spec.origin)
    return _spec_code(spec, module, package=spec.parent or "")


def _find_module(name: str) -> ModuleSpec:
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            main = importlib.util.find_spec(f"{name}.__main__")
            if main is None:
                line = f"No module named {name}.__main__; {name!r} is a package and cannot be directly executed"
                raise ScriptNotFoundError(f"{sys.executable}: {line}", 1)
            return main
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        why = f"Error while finding module specification for {name!r} ({type(error).__name__}: {error})"
        raise ScriptNotFoundError(f"{sys.executable}: {why}", 1) from error
    if spec is None:
        raise ScriptNotFoundError(f"{sys.executable}: No module named {name}", 1)
    return spec


def _spec_code(spec: ModuleSpec, module: ModuleType, package: str) -> CodeType:
    get_code = getattr(spec.loader, "get_code", None)
    code = get_code(spec.name) if get_code is not None else None
    if not isinstance(code, CodeType):
        raise ScriptNotFoundError(f"{sys.executable}: No code object available for {spec.name}", 1)
    module.__dict__.update(
        __file__=spec.origin, __cached__=spec.cached, __loader__=spec.loader, __spec__=spec, __package__=package
    )
    return code


def run(script: Script, failed: Callable[[BaseException], None] = lambda _: None) -> Ending:
    """Run a script to its end, printing an uncaught exception as Python does.

    Args:
        script: What to run.
        failed: Called with an uncaught exception while its frames are there: after Python has printed it, but before a
            `sys.excepthook` of the program's, which may end the process (`MPI_Abort`).
    """
    try:
        code, module = prepare(script)
        exec(code, module.__dict__)  # noqa: S102 - running the user's script is what this is for
    except SystemExit as error:
        return Ending(_exit_status(error), error)
    except ScriptNotFoundError as error:
        print(error, file=sys.stderr)  # noqa: T201 - Python's own message at Python's own place
        return Ending(error.status, SystemExit(error.status))
    except BaseException as error:  # noqa: BLE001 - whatever ends the script is reported, as the interpreter does
        raised = error
    else:
        return Ending(0)
    # Out here, where no exception is being handled: what cells raise meanwhile does not have this one as its context.
    report_exception(raised, failed)
    return Ending(-signal.SIGINT if isinstance(raised, KeyboardInterrupt) else 1, raised)


def end_as(status: int) -> None:
    """End this process by a signal if that is how it ends, as plain Python does after a KeyboardInterrupt."""
    if status < 0:
        flush_python()
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)


def leave_child(error: BaseException | None) -> NoReturn:
    """End a child that a cell has forked, at the cell's end, where it would wait for cells that never come.

    Args:
        error: What has ended the cell in it. It was printed, if it is none that ends a program.
    """
    status = 0 if error is None else _exit_status(error) if isinstance(error, SystemExit) else 1
    flush_python()
    # As multiprocessing ends its children: what is registered for the program's end, MPI's above all, is the rank's.
    os._exit(status)


def _exit_status(error: SystemExit) -> int:
    """Return the status of a SystemExit and print its text, if it has one."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)  # noqa: T201 - what the interpreter does
    return 1


def report_exception(error: BaseException, failed: Callable[[BaseException], None]) -> None:
    """Print an uncaught exception, and tell of it; see `run` for which comes first."""
    error.__traceback__ = _without_ours(error.__traceback__)
    if sys.excepthook is sys.__excepthook__:
        print_exception(error)
        failed(error)
    else:
        failed(error)
        print_exception(error)


def print_exception(error: BaseException) -> None:
    """Hand an uncaught exception to `sys.excepthook`, as the interpreter does."""
    traceback = error.__traceback__
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, traceback
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    sys.excepthook(type(error), error, traceback)


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of this module, which are on top, and those of the import system that compiled for it."""
    while traceback is not None and _is_ours(traceback.tb_frame.f_code.co_filename):
        traceback = traceback.tb_next
    return traceback


def _is_ours(filename: str) -> bool:
    return filename == __file__ or filename.startswith("<frozen importlib")
