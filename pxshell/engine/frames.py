"""User code: which frames of a stack are the user's own, and where they stand.

No threads, and no state but caches: any thread may ask. Nothing here changes a frame or keeps one alive.
"""

from __future__ import annotations

import functools
import os
import re
import site
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType

__all__ = [
    "Place",
    "comes_from_user_code",
    "include_user_code",
    "innermost_user_frame",
    "is_own_code",
    "is_user_code",
    "is_users",
    "place_of",
    "user_frames",
]

# Code that libraries generate; other names in angle brackets are somebody's cell, `exec` or standard input.
_GENERATED = ("<frozen ", "<attrs generated ", "<decorator-gen", "<__array_function__", "<lambdifygenerated")
# What Cython adds to a traceback: frames without variables, whose files are those of the build.
_COMPILED = (".pyx", ".pxi", ".pxd")
_INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/]")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of Python: file, line and the qualified name of the function (``<module>`` outside functions)."""

    file: str
    line: int
    function: str


def _prefixes(paths: list[str]) -> tuple[str, ...]:
    both = {form for path in paths if path for form in (os.path.normpath(path), os.path.realpath(path))}
    return tuple(sorted(path + os.sep for path in both))


@functools.cache
def _library_prefixes() -> tuple[str, ...]:
    known = sysconfig.get_paths()
    libraries = [known[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    return _own_prefixes() + _prefixes([*libraries, str(Path(os.__file__).parent), *site.getsitepackages()])


@functools.cache
def _own_prefixes() -> tuple[str, ...]:
    return _prefixes([str(Path(__file__).absolute().parent.parent)])


@functools.lru_cache(maxsize=1024)
def is_own_code(filename: str) -> bool:
    """Tell whether code of this file is pxshell's."""
    return os.path.normpath(filename).startswith(_own_prefixes())


_included: list[str] = []


def include_user_code(path: str) -> None:
    """Count a file, or all below a folder, as user code wherever it lies: ``-m package`` of an installed package."""
    _included.extend(prefix.rstrip(os.sep) for prefix in _prefixes([str(Path(path).absolute())]))
    is_user_code.cache_clear()


def _is_included(path: str) -> bool:
    return any(path == root or path.startswith(root + os.sep) for root in _included)


@functools.lru_cache(maxsize=4096)
def is_user_code(filename: str) -> bool:
    """Tell whether code of this file is the user's: not the standard library, an installed package or pxshell."""
    if filename == "<string>":  # the program of `python -c`, or methods that dataclasses and namedtuples generate
        return sys.argv[:1] == ["-c"]
    if filename.startswith("<"):
        return not filename.startswith(_GENERATED)
    if filename.endswith(_COMPILED):
        return False
    path = os.path.normpath(filename)
    if _is_included(path):
        return True
    return not (_INSTALLED.search(path) or path.startswith(_library_prefixes()))


def is_users(code: CodeType) -> bool:
    """Tell whether a code is the user's; what dataclasses and named tuples generate, pxshell's too, never is."""
    return is_user_code(code.co_filename) and not (code.co_filename == "<string>" and _is_generated(code))


def _is_generated(code: CodeType) -> bool:
    return code.co_qualname.startswith("__create_fn__.") or code.co_varnames[:1] == ("_cls",)


def user_frames(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the user frames of a stack, innermost first."""
    while frame is not None:
        if is_users(frame.f_code):
            yield frame
        frame = frame.f_back


def innermost_user_frame(frame: FrameType | None) -> FrameType | None:
    """Return the user frame nearest to the top of a stack, or None."""
    return next(user_frames(frame), None)


def comes_from_user_code(error: BaseException) -> bool:
    """Tell whether the user's code raised an exception, or something that it called."""
    entry = error.__traceback__
    while entry is not None:
        if is_user_code(entry.tb_frame.f_code.co_filename):
            return True
        entry = entry.tb_next
    return False


def place_of(frame: FrameType) -> Place:
    """Return where a frame stands."""
    code = frame.f_code
    return Place(code.co_filename, frame.f_lineno or code.co_firstlineno, code.co_qualname)
