"""mpi4py's communicators with calls that can be interrupted: what blocks becomes a request, and its end is waited for.

Opt-in (`pxshell run --interruptible`). `MPI.COMM_WORLD`, what is made from it, and `MPI.Request` are replaced when the
program imports mpi4py, before it can see the others; files, windows and intercommunicators stay as they are.

Collectives of Python objects, which MPI cannot begin without waiting, wait at a barrier that can be interrupted first:
once all have come, the call itself takes no longer than it has to. MPI allows any collective to synchronise.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from pxshell.engine.patience import Patience

__all__ = ["make_interruptible"]

_PACKAGE = "mpi4py"
_MPI = "mpi4py.MPI"
_SENDS = ("Send", "Ssend", "Rsend")
_OBJECT_SENDS = ("send", "ssend")
_COLLECTIVES = (
    *("Barrier", "Bcast", "Gather", "Gatherv", "Scatter", "Scatterv", "Allgather", "Allgatherv"),
    *("Alltoall", "Alltoallv", "Alltoallw", "Reduce", "Allreduce"),
    *("Reduce_scatter_block", "Reduce_scatter", "Scan", "Exscan"),
)
_OBJECT_COLLECTIVES = "bcast gather scatter allgather alltoall reduce allreduce scan exscan".split()  # noqa: SIM905
_BEGINNINGS = (
    *("Isend", "Issend", "Irsend", "Ibsend", "Irecv", "isend", "issend", "ibsend", "irecv"),
    *(f"I{name.lower()}" for name in _COLLECTIVES),
)
_MAKERS = (
    *("Dup", "Dup_with_info", "Clone", "Split", "Split_type", "Create", "Create_group", "Sub"),
    *("Create_cart", "Create_graph", "Create_dist_graph", "Create_dist_graph_adjacent"),
)

Method = Callable[..., Any]


def make_interruptible(patience: Patience) -> None:
    """Replace mpi4py's communicators, now or when the program imports it."""
    if _MPI in sys.modules:
        _replace(sys.modules[_MPI], patience)
    else:
        sys.meta_path.insert(0, _Finder(patience))


class _Finder(MetaPathFinder):
    """Stands in front until mpi4py.MPI is imported.

    The package puts a finder of its own in front (mpi4py 4.1, for its ABI), so ours goes there once more after it.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find mpi4py, or its MPI, as it would be found without us."""
        del path, target
        if fullname not in {_PACKAGE, _MPI}:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._again if fullname == _PACKAGE else self._loaded)
        return spec

    def _again(self, _: ModuleType) -> None:
        sys.meta_path.insert(0, self)

    def _loaded(self, module: ModuleType) -> None:
        _replace(module, self._patience)


class _Loader(Loader):
    """Loads a module, and then does something with it."""

    def __init__(self, loader: Loader, then: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._then = then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Make the module as its own loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Initialise it; of mpi4py.MPI this initialises MPI."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._then(module)


def _replace(module: ModuleType, patience: Patience) -> None:
    mpi: Any = module
    request = _request_class(mpi, patience)
    classes = {kind: _comm_class(kind, request, patience) for kind in (mpi.Intracomm, mpi.Cartcomm, mpi.Graphcomm,
               mpi.Distgraphcomm)}  # fmt: skip
    for made in classes.values():
        for name in _MAKERS:
            _keep_interruptible(made, name, classes)
    mpi.COMM_WORLD = classes[mpi.Intracomm](mpi.COMM_WORLD)
    mpi.COMM_SELF = classes[mpi.Intracomm](mpi.COMM_SELF)
    mpi.Request = request


# -- requests --------------------------------------------------------------------------------------------------------


def _request_class(mpi: Any, patience: Patience) -> Any:
    plain = mpi.Request

    class Kind(type):
        """Requests that MPI made elsewhere are requests too."""

        def __instancecheck__(cls, instance: object) -> bool:
            """Tell whether this is a request of mpi4py."""
            return isinstance(instance, plain)

    class Request(plain, metaclass=Kind):  # type: ignore[misc, valid-type]  # known at run time only
        """A request whose end is waited for in Python."""

        def Wait(self, status: Any = None) -> Any:  # noqa: N802 - MPI's name, as those below
            """Wait until it is done."""
            patience.until(lambda: plain.Test(self, status), "Wait")
            return True

        def wait(self, status: Any = None) -> Any:
            """Wait until it is done, and return the object received."""
            found: list[Any] = []
            patience.until(lambda: _tested(plain.test(self, status), found), "wait")
            return found[0]

        @classmethod
        def Waitall(cls, requests: Any, statuses: Any = None) -> Any:  # noqa: N802 - as above
            """Wait until all are done."""
            patience.until(lambda: plain.Testall(requests, statuses), "Waitall")
            return True

        @classmethod
        def waitall(cls, requests: Any, statuses: Any = None) -> Any:
            """Wait until all are done, and return the objects received."""
            found: list[Any] = []
            patience.until(lambda: _tested(plain.testall(requests, statuses), found), "waitall")
            return found[0]

        @classmethod
        def Waitany(cls, requests: Any, status: Any = None) -> Any:  # noqa: N802 - as above
            """Wait until one is done, and return which."""
            found: list[Any] = []

            def is_done() -> bool:
                index, flag = plain.Testany(requests, status)
                found[:] = [index]
                return bool(flag)

            patience.until(is_done, "Waitany")
            return found[0]

    return Request


def _tested(answer: Any, found: list[Any]) -> bool:
    """Keep the value of a `test`, which returns whether it is there, and it."""
    is_done, value = answer
    found[:] = [value]
    return bool(is_done)


# -- communicators ---------------------------------------------------------------------------------------------------


def _comm_class(plain: Any, request: Any, patience: Patience) -> Any:
    """Return a communicator's class whose blocking calls are begun, and waited for here."""

    def wait(begun: Any, call: str, status: Any = None) -> None:
        test = begun.Test
        try:
            patience.until(lambda: test(status), call)
        except BaseException:
            _abandon(begun)
            raise

    names: dict[str, Any] = {}
    for name in _BEGINNINGS:
        if hasattr(plain, name):
            names[name] = _wrapped(plain, name, request)
    for name in _SENDS:
        names[name] = _begun(plain, name, f"I{name.lower()}", wait)
    for name in _OBJECT_SENDS:
        names[name] = _begun(plain, name, f"i{name}", wait)
    for name in _COLLECTIVES:
        names[name] = _begun(plain, name, f"I{name.lower()}", wait)
    for name in _OBJECT_COLLECTIVES:
        names[name] = _after_barrier(plain, name, wait)
    names["barrier"] = names["Barrier"]
    names |= _receiving(plain, patience, wait)
    return type(plain.__name__, (plain,), {"__doc__": plain.__doc__, "__module__": plain.__module__, **names})


def _wrapped(plain: Any, name: str, request: Any) -> Method:
    begin = getattr(plain, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return request(begin(self, *args, **kwargs))

    return _named(method, begin, name)


def _begun(plain: Any, name: str, beginning: str, wait: Method) -> Method:
    begin = getattr(plain, beginning)

    def method(self: Any, *args: Any, **kwargs: Any) -> None:
        wait(begin(self, *args, **kwargs), name)

    return _named(method, getattr(plain, name), name)


def _after_barrier(plain: Any, name: str, wait: Method) -> Method:
    call, barrier = getattr(plain, name), plain.Ibarrier

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        wait(barrier(self), name)
        return call(self, *args, **kwargs)

    return _named(method, call, name)


def _receiving(plain: Any, patience: Patience, wait: Method) -> dict[str, Method]:  # noqa: C901 - a table of methods
    """Return the calls that wait for a message, and those that send and wait."""
    module: Any = sys.modules[_MPI]
    any_source: int = module.ANY_SOURCE
    any_tag: int = module.ANY_TAG

    def Recv(self: Any, buf: Any, source: int = any_source, tag: int = any_tag, status: Any = None) -> None:  # noqa: N802 - MPI's name, as those below
        wait(plain.Irecv(self, buf, source, tag), "Recv", status)

    def Sendrecv(  # noqa: N802
        self: Any,
        sendbuf: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int = any_source,
        recvtag: int = any_tag,
        status: Any = None,
    ) -> None:
        receiving = plain.Irecv(self, recvbuf, source, recvtag)
        sending = plain.Isend(self, sendbuf, dest, sendtag)
        try:
            wait(receiving, "Sendrecv", status)
        except BaseException:
            _abandon(sending)
            raise
        wait(sending, "Sendrecv")

    def Probe(self: Any, source: int = any_source, tag: int = any_tag, status: Any = None) -> bool:  # noqa: N802
        patience.until(lambda: plain.Iprobe(self, source, tag, status), "Probe")
        return True

    def probe(self: Any, source: int = any_source, tag: int = any_tag, status: Any = None) -> bool:
        patience.until(lambda: plain.iprobe(self, source, tag, status), "probe")
        return True

    def matched(self: Any, name: str, source: int, tag: int, status: Any, call: str) -> Any:
        found: list[Any] = []
        ask = getattr(plain, name)

        def is_there() -> bool:
            found[:] = [ask(self, source, tag, status)]
            return found[0] is not None

        patience.until(is_there, call)
        return found[0]

    def Mprobe(self: Any, source: int = any_source, tag: int = any_tag, status: Any = None) -> Any:  # noqa: N802
        return matched(self, "Improbe", source, tag, status, "Mprobe")

    def mprobe(self: Any, source: int = any_source, tag: int = any_tag, status: Any = None) -> Any:
        return matched(self, "improbe", source, tag, status, "mprobe")

    def recv(self: Any, buf: Any = None, source: int = any_source, tag: int = any_tag, status: Any = None) -> Any:
        del buf  # mpi4py itself has given it up
        return matched(self, "improbe", source, tag, status, "recv").recv(status)

    def sendrecv(
        self: Any,
        sendobj: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int = any_source,
        recvtag: int = any_tag,
        status: Any = None,
    ) -> Any:
        sending = plain.isend(self, sendobj, dest, sendtag)
        try:
            received = recv(self, recvbuf, source, recvtag, status)
        except BaseException:
            _abandon(sending)
            raise
        wait(sending, "sendrecv")
        return received

    methods: tuple[Method, ...] = (Recv, Sendrecv, Probe, probe, Mprobe, mprobe, recv, sendrecv)
    return {one.__name__: _named(one, getattr(plain, one.__name__), one.__name__) for one in methods}


def _keep_interruptible(made: Any, name: str, classes: dict[Any, Any]) -> None:
    """Let a communicator that is made from one of ours be of ours too; mpi4py gives it a class of its own."""
    make = getattr(made, name, None)
    if make is None:
        return

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        comm = make(self, *args, **kwargs)
        ours = classes.get(type(comm))
        return ours(comm) if ours is not None else comm

    setattr(made, name, _named(method, make, name))


def _named(method: Method, plain: Any, name: str) -> Method:
    method.__name__ = name
    method.__doc__ = plain.__doc__
    return method


#: Requests that nobody waits for any more, and their buffers, which MPI may still write into.
_abandoned: list[Any] = []


def _abandon(begun: Any) -> None:
    """Give a request up. What MPI cannot take back, a collective, stays, with its buffers."""
    _abandoned.append(begun)
    # Refused for a collective, by some MPIs with an exception.
    with suppress(Exception):
        begun.Cancel()
