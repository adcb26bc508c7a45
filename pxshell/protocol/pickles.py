"""Python values as buffers: pickle protocol 5, large parts out of band and not copied.

Only peers that have proved who they are send these; whoever may run code on a rank may send it a pickle (P9).
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

from pxshell.protocol.message import Buffer

__all__ = ["PickleError", "pack", "unpack"]


class PickleError(Exception):
    """A value that cannot be sent, or bytes that cannot be read; the text is one line."""


def pack(value: Any) -> list[Buffer]:
    """Return the pickle and, after it, the buffers that it refers to.

    Functions and classes of `__main__` are sent by value (cloudpickle).

    Raises:
        PickleError: the value has something in it that cannot be pickled.
    """
    # Slow to import, and only those that send values need it.
    from pxshell.protocol.by_value import Pickler

    main, parts = io.BytesIO(), list[pickle.PickleBuffer]()
    try:
        Pickler(main, protocol=5, buffer_callback=parts.append).dump(value)
        return [main.getvalue(), *(part.raw() for part in parts)]
    except Exception as error:  # pickling runs the value's own code, which may raise anything
        raise PickleError(f"a {type(value).__name__} cannot be sent: {_line(error)}") from error


def unpack(buffers: Sequence[Buffer]) -> Any:
    """Return the value that `pack` packed; arrays may be views of the buffers.

    Raises:
        PickleError: something that the pickle needs is not here, such as a module.
    """
    if not buffers:
        raise PickleError("nothing was sent")
    try:
        return pickle.loads(buffers[0], buffers=buffers[1:])
    except Exception as error:  # unpickling imports modules and runs their code
        raise PickleError(f"the value cannot be read here: {_line(error)}") from error


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": ")
