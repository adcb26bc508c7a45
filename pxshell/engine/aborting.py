"""Freeing the main thread from a call of MPI that nobody completes, without ending the process."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from pxshell.engine.callsite import call_site
from pxshell.engine.frames import is_own_code
from pxshell.engine.patience import Patience
from pxshell.engine.stacks import running_frame
from pxshell.engine.waits import wait_of

__all__ = ["Aborter", "begin_of"]

_NO_WAY = "its MPI frees nobody (pxshell run --interruptible can)"


class Aborter:
    """Frees the main thread; any other thread may ask.

    Args:
        main_ident: Identifier of the main thread.
    """

    def __init__(self, main_ident: int) -> None:
        self._main_ident = main_ident
        #: Set when the program's communicators are ours.
        self.patience: Patience | None = None

    def abort(self) -> dict[str, Any]:
        """Free the main thread; return the content of the reply.

        `outcome` is `aborted` (the call raises there), `revoked` (all calls on that communicator raise, on all ranks),
        `idle` (it waits in no call), or `refused` with `why`.
        """
        if self.patience is not None and (call := self.patience.give_up()):
            return {"outcome": "aborted", "call": call}
        frame = begin_of(running_frame(self._main_ident))
        end = wait_of(frame)
        if frame is None or end.library != "MPI":
            return {"outcome": "idle", "why": "it waits in no call of MPI"}
        return _revoke(frame, end.call)


def begin_of(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame that is not ours: it has called what we do in its place."""
    while frame is not None and is_own_code(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def _revoke(frame: FrameType, call: str) -> dict[str, Any]:
    """Revoke the communicator of a call, as ULFM does (https://fault-tolerance.org): it raises, here and everywhere."""
    mpi: Any = sys.modules["mpi4py.MPI"]
    if not mpi.Get_library_version().startswith("Open MPI"):
        return {"outcome": "refused", "why": _NO_WAY}
    site = call_site(frame)
    receiver = site.value(site.receiver) if site is not None and site.receiver is not None else None
    comm = receiver if isinstance(receiver, mpi.Comm) else mpi.COMM_WORLD
    try:
        comm.Revoke()
    except (mpi.Exception, NotImplementedError):
        return {"outcome": "refused", "why": f"{_NO_WAY}; so can Open MPI with --with-ft ulfm"}
    return {"outcome": "revoked", "call": call, "name": comm.Get_name()}
