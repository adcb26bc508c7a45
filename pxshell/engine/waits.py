"""What a thread waits in: calls of mpi4py and torch.distributed, or of the system, known from its innermost frames.

mpi4py is C, as is `time.sleep`: the call is known from its caller (`callsite`). torch.distributed is Python around C:
the call is a frame.
"""

from __future__ import annotations

import ast
import sys
from types import BuiltinFunctionType, FrameType, ModuleType
from typing import Any

from pxshell.engine.callsite import UNKNOWN, CallSite, call_site
from pxshell.protocol.stacks import NO_END, StackEnd
from pxshell.protocol.waitcalls import (
    MPI,
    MPI_CALLS,
    SYSTEM_CALLS,
    TORCH,
    TORCH_CALLS,
    Role,
    argument_of,
    end_of,
    hides,
    written,
)

__all__ = ["wait_of"]

_MPI_MODULE = "mpi4py.MPI"
#: mpi4py's numbers for a rank that is none, and how they are called here.
_WORDS = {"ANY_SOURCE": "any", "PROC_NULL": "PROC_NULL"}


def wait_of(frame: FrameType | None) -> StackEnd:
    """Return the call that the innermost frame of a thread waits in; `NO_END` when it is none that is known here."""
    if frame is None:
        return NO_END
    if _module(frame).startswith("torch"):
        return _torch(frame) or NO_END
    site = call_site(frame)
    if site is None:
        return NO_END
    found = _mpi(site) if site.name in MPI_CALLS and _MPI_MODULE in sys.modules else None
    return found or _system(site) or NO_END


def _system(site: CallSite) -> StackEnd | None:
    called = site.value(site.call.func)
    if not isinstance(called, BuiltinFunctionType) or (called.__module__, called.__name__) not in SYSTEM_CALLS:
        return None
    return StackEnd(note=f"in {written(site.call.func)}")


def _module(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""


# -- mpi4py ----------------------------------------------------------------------------------------------------------


def _mpi(site: CallSite) -> StackEnd | None:
    if site.receiver is None:
        return None
    receiver = site.value(site.receiver)
    if not _is_mpi(receiver, site.name):
        return None
    return end_of(MPI, site.name, lambda role: _peer(site, role), _communicator(site.receiver, receiver))


def _is_mpi(receiver: Any, name: str) -> bool:
    """Tell whether this is an object, a class or the module of mpi4py.

    Where the receiver cannot be known, a C function with a capital letter is taken for MPI's: nobody else has such.
    """
    if receiver is UNKNOWN:
        return name[0].isupper()
    if isinstance(receiver, ModuleType):
        return receiver.__name__ == _MPI_MODULE
    kind = receiver if isinstance(receiver, type) else type(receiver)
    return any(base.__module__ == _MPI_MODULE for base in kind.__mro__)


def _peer(site: CallSite, role: Role) -> str | None:
    node = argument_of(site.call, role)
    if node is None:
        return "" if hides(site.call, role) else None
    value = site.value(node)
    mpi = sys.modules[_MPI_MODULE]
    for name, word in _WORDS.items():
        if type(value) is int and value == getattr(mpi, name, None):
            return word
    return str(value) if type(value) is int else written(node)


def _communicator(node: ast.expr, receiver: Any) -> str:
    """Return how a communicator is written that is not the world, for ranks have other numbers in it."""
    mpi = sys.modules[_MPI_MODULE]
    kind = getattr(mpi, "Comm", None)
    is_comm = receiver is not UNKNOWN and isinstance(kind, type) and isinstance(receiver, kind)
    return written(node) if is_comm and receiver is not getattr(mpi, "COMM_WORLD", None) else ""


# -- torch.distributed -----------------------------------------------------------------------------------------------


def _torch(frame: FrameType) -> StackEnd | None:
    """Return the outermost call of torch.distributed, the one that the user's code called."""
    found: FrameType | None = None
    step: FrameType | None = frame
    while step is not None and _module(step).startswith("torch"):
        if _module(step).startswith("torch.distributed") and step.f_code.co_name in TORCH_CALLS:
            found = step
        step = step.f_back
    if found is None:
        return None
    values = found.f_locals
    return end_of(TORCH, found.f_code.co_name, lambda role: _rank_in(values.get(role.name)))


def _rank_in(value: object) -> str | None:
    return str(value) if type(value) is int else None
