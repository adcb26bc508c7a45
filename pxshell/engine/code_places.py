"""Which line of which code a breakpoint means: names of files and functions against code objects.

Values and caches only; any thread.
"""

from __future__ import annotations

import dis
import inspect
import linecache
import os
import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from pxshell.engine.frames import Place, is_user_code

__all__ = [
    "all_codes",
    "first_line",
    "is_at_begin",
    "is_file",
    "is_function",
    "lines_of",
    "loaded_file",
    "loaded_function",
    "place_in_file",
    "running_codes",
]


def is_file(filename: str, wanted: str) -> bool:
    """Tell whether a code's file is the one that is meant: the same, or ending in the same parts of a path."""
    if filename == wanted:
        return True
    if filename.startswith("<"):
        return False
    path = os.path.normpath(filename)
    want = os.path.normpath(os.path.expanduser(wanted))  # noqa: PTH111 - as below, no file is touched
    if os.path.isabs(want):  # noqa: PTH117 - names of files that may not be there
        return path == want or os.path.realpath(path) == os.path.realpath(want)
    return path == want or path.endswith(os.sep + want)


def is_function(code: CodeType, module: str, wanted: str) -> bool:
    """Tell whether a code is the function that is meant: `step`, `Solver.step`, `pkg.mod.step`, `outer.<locals>.inner`.

    Args:
        code: The code of a function.
        module: The name of its module.
        wanted: A name, as far as it needs be told.
    """
    if code.co_name != wanted.rpartition(".")[2]:
        return False
    full = f"{module}.{code.co_qualname}"
    short = full.replace(".<locals>", "")
    return any(f".{name}".endswith(f".{wanted}") for name in (full, short))


def lines_of(code: CodeType) -> frozenset[int]:
    """Return the lines of this code itself for which there are line events: not those of what is before the body."""
    body = _body(code)
    return frozenset(line for start, _, line in code.co_lines() if line and start >= body)


def first_line(code: CodeType) -> int:
    """Return the first line of a function's body."""
    return _begin(code)[1]


def is_at_begin(frame: FrameType) -> bool:
    """Tell whether a frame is at the beginning of its body: a statement of several lines comes to its first again."""
    return frame.f_lasti == _begin(frame.f_code)[0]


def _begin(code: CodeType) -> tuple[int, int]:
    body = _body(code)
    starts = ((start, line) for start, _, line in code.co_lines() if line and start >= body)
    return next(starts, (0, code.co_firstlineno))


def _body(code: CodeType) -> int:
    """Return the offset behind the first RESUME: a call stops there, and lines begin after it."""
    for instruction in dis.get_instructions(code):
        if instruction.opname == "RESUME":
            return instruction.offset + 2
    return 0


def all_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code and all codes that are defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from all_codes(constant)


def running_codes() -> list[CodeType]:
    """Return the codes of all frames on all stacks: they have begun, and say so no more."""
    codes = {}
    for innermost in sys._current_frames().values():  # noqa: SLF001 - the documented way to the frames of threads
        frame: FrameType | None = innermost
        while frame is not None:
            codes[id(frame.f_code)] = frame.f_code
            frame = frame.f_back
    return list(codes.values())


def loaded_file(wanted: str) -> str:
    """Return the file of the loaded module, or of code that runs, that is meant; "" while there is none."""
    loaded: list[Any] = list(sys.modules.values())  # anything may be there
    modules = [str(vars(one).get("__file__")) for one in loaded if isinstance(one, ModuleType)]
    running = [code.co_filename for code in running_codes()]
    cells = [file for file in list(linecache.cache) if file.startswith("<")]
    return next((file for file in (*running, *modules, *cells) if is_file(file, wanted)), "")


def loaded_function(wanted: str) -> CodeType | None:
    """Return the code of the function that is meant, of a loaded module or on a stack; the program's own first."""
    loaded: list[tuple[str, Any]] = list(sys.modules.items())
    modules = [(name, dict(vars(one))) for name, one in loaded if isinstance(one, ModuleType)]
    modules.sort(key=lambda one: not is_user_code(str(one[1].get("__file__") or "<unknown>")))
    for name, names in modules:
        code = _in_namespace(names, name, wanted)
        if code is not None:
            return code
    return next((code for code in running_codes() if is_function(code, "", wanted)), None)


def _in_namespace(names: Mapping[str, Any], module: str, wanted: str) -> CodeType | None:
    """Look a function up without running anything: no attribute is asked for that could be computed."""
    path = wanted.removeprefix(f"{module}.").split(".")
    for part in path[:-1]:
        held = names.get(part)
        names = vars(held) if isinstance(held, type) else {}
    function = inspect.unwrap(names[path[-1]]) if isinstance(names.get(path[-1]), FunctionType) else None
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) and is_function(code, module, wanted) else None


def place_in_file(file: str, line: int) -> Place | None:
    """Return where a breakpoint at a line of a file stops: the first line at or after it that runs.

    Returns:
        None when no line at or after it runs, or the file cannot be read or compiled.
    """
    source = "".join(linecache.getlines(file))
    try:
        module = compile(source, file, "exec", dont_inherit=True) if source else None
    except (SyntaxError, ValueError):
        return None
    codes = [(code, lines_of(code)) for code in all_codes(module)] if module is not None else []
    at = min((one for _, lines in codes for one in lines if one >= line), default=0)
    # Of those that have the line the outermost: the others are comprehensions and lambdas in it.
    code = min((code for code, lines in codes if at in lines), key=lambda code: code.co_firstlineno, default=None)
    return None if code is None else Place(file, at, code.co_qualname)
