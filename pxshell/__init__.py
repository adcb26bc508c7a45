"""The public face of pxshell: every public name, imported when it is first used.

A rank of somebody's program imports this package for one call, so the import itself costs nothing: it loads no
submodule but the version.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pxshell.version import __version__

if TYPE_CHECKING:
    from pxshell.client import Client, connect
    from pxshell.cluster import Cluster
    from pxshell.engine.join import join
    from pxshell.engine.pause import pause
    from pxshell.errors import (
        AuthenticationError,
        CallAbortedError,
        ClusterNotFoundError,
        CompositeError,
        ConnectionFileError,
        DeadlineError,
        DirectoryError,
        LaunchError,
        LinkLostError,
        NoClusterError,
        PermissionDeniedError,
        PxshellError,
        RankSetError,
        RefusedError,
        RemoteError,
        UsageError,
        VersionMismatchError,
    )
    from pxshell.magics import load_ipython_extension, unload_ipython_extension
    from pxshell.ranks import RankSet

__all__ = [
    "AuthenticationError",
    "CallAbortedError",
    "Client",
    "Cluster",
    "ClusterNotFoundError",
    "CompositeError",
    "ConnectionFileError",
    "DeadlineError",
    "DirectoryError",
    "LaunchError",
    "LinkLostError",
    "NoClusterError",
    "PermissionDeniedError",
    "PxshellError",
    "RankSet",
    "RankSetError",
    "RefusedError",
    "RemoteError",
    "UsageError",
    "VersionMismatchError",
    "__version__",
    "connect",
    "join",
    "load_ipython_extension",
    "pause",
    "unload_ipython_extension",
]

_HOMES = {
    "Client": "pxshell.client",
    "Cluster": "pxshell.cluster",
    "RankSet": "pxshell.ranks",
    "connect": "pxshell.client",
    "join": "pxshell.engine.join",
    "load_ipython_extension": "pxshell.magics",
    "pause": "pxshell.engine.pause",
    "unload_ipython_extension": "pxshell.magics",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home and keep it."""
    if name not in __all__:
        message = f"module 'pxshell' has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(_HOMES.get(name, "pxshell.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List what the package offers, loaded or not."""
    return sorted({*globals(), *__all__})
