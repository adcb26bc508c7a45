"""Loading the magics into an IPython, and taking them out."""

from __future__ import annotations

from IPython.core.interactiveshell import InteractiveShell
from pxshell.magics.cells import CellMagics
from pxshell.magics.comparing import CompareMagics
from pxshell.magics.control import ControlMagics
from pxshell.magics.data import DataMagics
from pxshell.magics.debugging import DebugMagics
from pxshell.magics.holder import Holder

from pxshell.render import Display
from pxshell.session import Session

__all__ = ["load", "load_ipython_extension", "unload_ipython_extension"]

_loaded: dict[InteractiveShell, tuple[Holder, CellMagics]] = {}


def load(shell: InteractiveShell, session: Session | None = None, display: Display | None = None) -> Holder:
    """Register the magics in a shell; a face passes its session and its display.

    Loading again replaces what was loaded.
    """
    unload_ipython_extension(shell)
    holder = Holder(session, display)
    cells = CellMagics(shell, holder)
    others = (kind(shell, holder) for kind in (ControlMagics, DataMagics, DebugMagics, CompareMagics))
    for magics in (cells, *others):
        shell.register_magics(magics)
    shell.events.register("post_run_cell", holder.answer_asks)
    _loaded[shell] = (holder, cells)
    return holder


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Do what `%load_ext pxshell` asks for."""
    if shell not in _loaded:
        load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Do what `%unload_ext pxshell` asks for: leave the cluster, which runs on."""
    if shell not in _loaded:
        return
    holder, cells = _loaded.pop(shell)
    shell.events.unregister("post_run_cell", holder.answer_asks)
    cells.close()
    holder.close()
    for magics in (CellMagics, ControlMagics, DataMagics, DebugMagics, CompareMagics):
        for kind, names in magics.magics.items():
            for name in names:
                shell.magics_manager.magics[kind].pop(name, None)
