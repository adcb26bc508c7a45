"""The IPython extension: magics that parse and display, and decide nothing; installed as pxshell.magics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pxshell.magics.extension import load, load_ipython_extension, unload_ipython_extension
    from pxshell.magics.holder import Holder

__all__ = ["Holder", "load", "load_ipython_extension", "unload_ipython_extension"]


def __getattr__(name: str) -> object:
    """Import IPython, which takes its time, only with the first use."""
    if name == "Holder":
        from pxshell.magics.holder import Holder

        return Holder
    if name in __all__:
        from pxshell.magics import extension

        return getattr(extension, name)
    message = f"module 'pxshell.magics' has no attribute {name!r}"
    raise AttributeError(message)
