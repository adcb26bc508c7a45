"""Calls in which a rank waits for other ranks, and which of their arguments say for whom.

Names and parameters are those of mpi4py 4 (https://mpi4py.readthedocs.io/en/stable/reference/mpi4py.MPI.html) and of
torch.distributed (https://docs.pytorch.org/docs/stable/distributed.html). Calls that return at once are in no table.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pxshell.protocol.stacks import StackEnd

__all__ = [
    "MPI",
    "MPI_CALLS",
    "SYSTEM_CALLS",
    "TORCH",
    "TORCH_CALLS",
    "Role",
    "WaitCall",
    "argument_of",
    "end_of",
    "hides",
    "written",
]

MPI = "MPI"
TORCH = "torch.distributed"


@dataclass(frozen=True, slots=True)
class Role:
    """An argument that names a rank: the word before it, its place and name, and what holds without it."""

    word: str
    place: int
    name: str
    default: str = ""


@dataclass(frozen=True, slots=True)
class WaitCall:
    """A call: whether all ranks have to come to it, and the arguments that name ranks."""

    is_collective: bool = False
    roles: tuple[Role, ...] = ()


def _collective(*roles: Role) -> WaitCall:
    return WaitCall(is_collective=True, roles=roles)


_TO = Role("to", 1, "dest")
_ANY = "any"
_SEND = WaitCall(roles=(_TO,))
_RECV = WaitCall(roles=(Role("from", 1, "source", _ANY),))
_PROBE = WaitCall(roles=(Role("from", 0, "source", _ANY),))
_ALL = _collective()
_ROOT_1 = _collective(Role("root", 1, "root", "0"))
_ROOT_2 = _collective(Role("root", 2, "root", "0"))
_ROOT_3 = _collective(Role("root", 3, "root", "0"))

_ALL_CALLS = (
    "Allreduce allreduce Allgather allgather Allgatherv Alltoall alltoall Alltoallv Alltoallw Barrier barrier "
    "Scan scan Exscan exscan Reduce_scatter Reduce_scatter_block Split Split_type Dup Clone Create Create_cart "
    "Create_graph Create_dist_graph_adjacent Create_intercomm Merge Shrink Agree Disconnect Free Spawn Spawn_multiple "
    "Neighbor_allgather neighbor_allgather Neighbor_allgatherv Neighbor_alltoall neighbor_alltoall Neighbor_alltoallv "
    "Neighbor_alltoallw Fence Allocate Open Close Read_all Read_at_all Read_ordered Write_all Write_at_all "
    "Write_ordered Set_size Preallocate Set_view Finalize"
)

_REQUEST_CALLS = "Wait wait Waitall waitall Waitany waitany Waitsome waitsome"
_RMA_CALLS = "Lock Lock_all Unlock Unlock_all Flush Flush_all Post Start Complete"

#: By the name of the method; mpi4py's capital and small forms are two names.
MPI_CALLS: Mapping[str, WaitCall] = {
    **dict.fromkeys(_ALL_CALLS.split(), _ALL),
    **dict.fromkeys(("Send", "Ssend", "Rsend", "Bsend", "send", "ssend", "bsend"), _SEND),
    **dict.fromkeys(("Recv", "recv"), _RECV),
    **dict.fromkeys(("Probe", "probe", "Mprobe", "mprobe"), _PROBE),
    "Sendrecv": WaitCall(roles=(_TO, Role("from", 4, "source", _ANY))),
    "sendrecv": WaitCall(roles=(_TO, Role("from", 4, "source", _ANY))),
    "Sendrecv_replace": WaitCall(roles=(_TO, Role("from", 3, "source", _ANY))),
    **dict.fromkeys(("Bcast", "bcast", "gather"), _ROOT_1),
    "scatter": _ROOT_1,
    **dict.fromkeys(("Gather", "Gatherv", "Scatter", "Scatterv", "reduce"), _ROOT_2),
    "Reduce": _ROOT_3,
    **dict.fromkeys(_REQUEST_CALLS.split(), WaitCall()),
    **dict.fromkeys(_RMA_CALLS.split(), WaitCall()),
}

#: Functions of the standard library in C that wait for the system, by module and name: these wait for no rank.
SYSTEM_CALLS = frozenset(
    {
        ("time", "sleep"),
        ("select", "select"),
        ("posix", "read"),
        ("posix", "wait"),
        ("posix", "waitpid"),
        ("posix", "system"),
        ("_signal", "pause"),
        ("_signal", "sigwait"),
    }
)

_FROM = Role("from", 1, "src", _ANY)
_SRC_0 = _collective(Role("root", 1, "src", "0"))
_DST_1 = _collective(Role("root", 1, "dst", "0"))

_TORCH_ALL = (
    "all_reduce all_gather all_gather_into_tensor all_gather_object reduce_scatter reduce_scatter_tensor all_to_all "
    "all_to_all_single barrier monitored_barrier init_process_group new_group destroy_process_group"
)

#: By the name of the function; the arguments are locals of its frame.
TORCH_CALLS: Mapping[str, WaitCall] = {
    **dict.fromkeys(_TORCH_ALL.split(), _ALL),
    **dict.fromkeys(("broadcast", "broadcast_object_list", "scatter", "scatter_object_list"), _SRC_0),
    **dict.fromkeys(("reduce", "gather", "gather_object"), _DST_1),
    "send": WaitCall(roles=(Role("to", 1, "dst"),)),
    "recv": WaitCall(roles=(_FROM,)),
}


def end_of(
    library: str, name: str, argument: Callable[[Role], str | None] = lambda _: None, where: str = ""
) -> StackEnd | None:
    """Return what a stack ends in that waits in this call; None when it is in no table.

    Args:
        library: `MPI` or `TORCH`.
        name: The call.
        argument: For a role what the caller wrote there; None when it wrote nothing, "" when that is not known.
        where: The communicator, when it is not the world's.
    """
    call = (MPI_CALLS if library == MPI else TORCH_CALLS).get(name)
    if call is None:
        return None
    words = []
    for role in call.roles:
        value = argument(role)
        if shown := role.default if value is None else value:
            words.append(f"{role.word} {shown}")
    if where:
        words.append(f"on {where}")
    return StackEnd(library, name, " ".join(words), call.is_collective)


#: Characters of an argument that are shown as they are written.
_LONGEST = 30


def argument_of(call: ast.Call, role: Role) -> ast.expr | None:
    """Return an argument as written; None when it is not given, or hidden behind a starred one."""
    for keyword in call.keywords:
        if keyword.arg == role.name:
            return keyword.value
    before = call.args[: role.place + 1]
    is_starred = any(isinstance(one, ast.Starred) for one in before)
    return before[role.place] if len(before) > role.place and not is_starred else None


def hides(call: ast.Call, role: Role) -> bool:
    """Tell whether a call may give this argument in a way that cannot be read: `*args`, `**options`."""
    is_starred = any(isinstance(one, ast.Starred) for one in call.args[: role.place + 1])
    return is_starred or any(keyword.arg is None for keyword in call.keywords)


def written(node: ast.expr) -> str:
    """Return an expression as it is written, cut when it is long."""
    text = ast.unparse(node)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
