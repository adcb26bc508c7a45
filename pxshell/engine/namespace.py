"""The namespace of a stopped frame: one dict in which cells run as if they stood in that frame.

Reading is for any thread (the frame may even be running); `FrameNamespace.write_back` belongs to the thread that owns
the frame, while that thread is stopped.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

__all__ = ["FrameNamespace", "WriteBack"]

# What IPython puts beside the names of the user. It must reach neither a local `_` nor the module's gettext `_`.
_SHELL_NAME = re.compile(r"_{1,3}|_i{1,3}|_i?\d+|_[iod]h|In|Out|get_ipython|exit|quit")
_DUNDER = re.compile(r"__\w+__")
_CO_OPTIMIZED = 1
_MISSING: Any = object()

# -- writing into a frame ---------------------------------------------------------------------------------------------

if sys.version_info >= (3, 13):

    def _write_fast(frame: FrameType, changed: Mapping[str, Any], deleted: list[str]) -> list[str]:
        """Write locals through PEP 667's proxy; returns what could not be done: the proxy deletes nothing."""
        fast = frame.f_locals
        for name, value in changed.items():
            fast[name] = value
        return deleted

else:
    import ctypes

    _locals_to_fast = ctypes.pythonapi.PyFrame_LocalsToFast
    _locals_to_fast.argtypes = [ctypes.py_object, ctypes.c_int]
    _locals_to_fast.restype = None

    def _write_fast(frame: FrameType, changed: Mapping[str, Any], deleted: list[str]) -> list[str]:
        """Write locals through the frame's dict; returns the names that could not be deleted."""
        fast = frame.f_locals  # reading it makes it equal to the frame, so that only our changes are carried over
        fast.update(changed)
        if sys.version_info >= (3, 12):  # its compiler relies on bound locals: CPython would put None in their place
            _locals_to_fast(frame, 0)
            return deleted
        for name in deleted:
            fast.pop(name, None)
        _locals_to_fast(frame, 1 if deleted else 0)
        return []


def _write_mapping(frame: FrameType, changed: Mapping[str, Any], deleted: list[str]) -> list[str]:
    """Write the names of a class body, whose namespace is an ordinary mapping."""
    names = frame.f_locals
    for name, value in changed.items():
        names[name] = value
    for name in deleted:
        del names[name]
    return []


# -- the namespace of cells -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WriteBack:
    """What a cell changed in its frame, and the locals it deleted that this Python cannot delete from outside."""

    changed: tuple[str, ...] = ()
    undeletable: tuple[str, ...] = ()


class _Builtins(dict[str, Any]):
    """The builtins of cells, which know the module's globals too.

    Up to Python 3.12 a class body looks into its globals without `__missing__`, then into its builtins with it. C code
    asks for single builtins (`iter` when it pickles) without it, so they are all here but those the module shadows.
    """

    def __init__(self, module: dict[str, Any], builtins: dict[str, Any]) -> None:
        super().__init__({k: v for k, v in builtins.items() if k not in module or _DUNDER.fullmatch(k)})
        self._module = module
        self._builtins = builtins

    def __missing__(self, name: str) -> Any:
        return self._module[name] if name in self._module else self._builtins[name]


class FrameNamespace(dict[str, Any]):
    """The names of a stopped frame as one dict for cells: ``exec(code, namespace.globals, namespace)``.

    In a function or class body it is a snapshot of the locals; what is not there is looked up in the frame's live
    globals, so functions, lambdas and comprehensions of cells see both. In a module's frame the cell's globals are the
    module's own dict, and this one only keeps the shell's names (``_``, ``In``, …) apart.

    `write_back` belongs after each cell. Changes are found by identity: a local assigned the object that it already
    holds is unchanged. Names that the function does not have stay here, for later cells.
    """

    def __init__(self, frame: FrameType) -> None:
        super().__init__()
        self._locals: dict[str, Any] = {}  # the frame's, as last read
        self._seen: dict[str, Any] = {}  # what this dict holds but for STORE_GLOBAL, which passes __setitem__ by
        self.refresh(frame)

    @property
    def globals(self) -> dict[str, Any]:
        """The dict to run cells in as globals: the module's own for its frame, else this one."""
        return self._module if self._live else self

    def refresh(self, frame: FrameType | None = None) -> None:
        """Read the frame again, or another frame of the same pause; what cells keep apart stays."""
        if frame is not None:
            self._enter(frame)
        if self._live or self._frame is None:
            return
        kept = {k: v for k, v in self._seen.items() if self._is_apart(k)}
        self._locals = {k: v for k, v in dict(self._frame.f_locals).items() if k.isidentifier()}
        self._seen = {**self._given, **kept, **self._locals}
        self._seen.update((k, v) for k, v in kept.items() if _SHELL_NAME.fullmatch(k))
        dict.clear(self)
        dict.update(self, self._seen)

    def _enter(self, frame: FrameType) -> None:
        code = frame.f_code
        kept = {k: v for k, v in self._seen.items() if self._is_apart(k)}
        self._frame: FrameType | None = frame
        self._module: dict[str, Any] = frame.f_globals
        self._live = frame.f_locals is frame.f_globals
        self._is_function = bool(code.co_flags & _CO_OPTIMIZED)
        self._variables = frozenset(code.co_varnames + code.co_cellvars + code.co_freevars)
        self._given = self._given_names(frame)
        self._locals = {}
        self._seen = kept
        dict.clear(self)
        dict.update(self, kept)

    def _given_names(self, frame: FrameType) -> dict[str, Any]:
        """Names which C code reads past `__missing__`: builtins, and ``__name__``, ``__package__`` … for imports."""
        if self._live:
            return {}
        given = {k: v for k, v in frame.f_globals.items() if _DUNDER.fullmatch(k)}
        # An empty `__annotations__`, or `x: int = 1` in a cell would write into the module's.
        return {**given, "__annotations__": {}, "__builtins__": _Builtins(frame.f_globals, frame.f_builtins)}

    def _is_apart(self, name: str) -> bool:
        """Tell whether a name of cells is neither the frame's nor given, and so kept in this dict alone."""
        if _SHELL_NAME.fullmatch(name):
            return name not in self._locals or self._seen[name] is not self._locals[name]
        return self._is_function and name not in self._variables and name not in self._given

    # Reading: what is not here is looked up in the live module. C code uses __missing__ only.

    def __missing__(self, name: str) -> Any:
        return self._module[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._module

    def get(self, name: str, default: Any = None) -> Any:
        """Return a name as cells see it."""
        try:
            return self[name]
        except KeyError:
            return default

    # Writing: all but STORE_GLOBAL comes through these.

    def __setitem__(self, name: str, value: Any) -> None:
        if self._live and not _SHELL_NAME.fullmatch(name):
            self._module[name] = value
            return
        super().__setitem__(name, value)
        self._seen[name] = value

    def __delitem__(self, name: str) -> None:
        if self._live and not super().__contains__(name):
            del self._module[name]
            return
        super().__delitem__(name)
        self._seen.pop(name, None)

    def update(self, *others: Any, **names: Any) -> None:
        """Assign many names, each as a cell would."""
        for name, value in dict(*others, **names).items():
            self[name] = value

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return a name as cells see it, assigned first when there is none."""
        if name not in self:
            self[name] = default
        return self[name]

    def pop(self, name: str, *default: Any) -> Any:
        """Delete a name, as ``del`` in a cell would, and return its value."""
        if not super().__contains__(name) and (default or not self._live):
            return default[0] if default else self[name]
        value = self[name]
        del self[name]
        return value

    def clear(self) -> None:
        """Forget the names that cells kept apart; the frame's own stay."""
        for name in [k for k in self._seen if self._is_apart(k)]:
            del self[name]

    # After the cell.

    def write_back(self) -> WriteBack:
        """Carry what the last cell changed into frame and module, then read the frame again."""
        if self._live or self._frame is None:
            return WriteBack()
        self._move_globals()
        changed = {k: v for k, v in self._seen.items() if self._is_changed(k, v)}
        deleted = [k for k in self._locals if k not in self._seen]
        undeletable: list[str] = []
        if changed or deleted:
            write = _write_fast if self._is_function else _write_mapping
            undeletable = write(self._frame, changed, deleted)
        self.refresh()
        return WriteBack(tuple(changed), tuple(undeletable))

    def _is_changed(self, name: str, value: Any) -> bool:
        if _SHELL_NAME.fullmatch(name) or self._given.get(name, _MISSING) is value:
            return False
        mine = name in self._variables or not self._is_function
        return mine and self._locals.get(name, _MISSING) is not value

    def _move_globals(self) -> None:
        """Hand what ``global`` statements of cells wrote into this dict on to the module."""
        held = dict(dict.items(self))
        for name, value in held.items():
            if self._seen.get(name, _MISSING) is not value and name != "__warningregistry__":
                self._module[name] = value
        for name in self._seen.keys() - held.keys():
            self._module.pop(name, None)

    def close(self) -> None:
        """Let the frame go; functions that cells defined keep working on this dict."""
        self._frame = None
