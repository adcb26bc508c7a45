"""Every error is one line, has a slug, keeps its facts and survives pickle."""

from __future__ import annotations

import pickle

import pytest

from pxshell import errors
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
from pxshell.ranks import RankSet

DIVISION = RemoteError("ZeroDivisionError", "division by zero", ["line 1", "line 2"], RankSet.of(2))
LONG = RemoteError("ValueError", "first\nsecond", ranks=[0, 1])
EXAMPLES = {
    PxshellError("it broke; try again"): "it broke; try again",
    UsageError("-n 0: a cluster has ranks; give -n 1 or more"): "-n 0",
    RankSetError("expected a rank", "0-\n", 2): r"expected a rank (in '0-\n', at 3)",
    RankSetError("this selects no rank", "", 0): "this selects no rank",
    RankSetError("too many", "0," * 1000, 0): "0,0,…'",
    ClusterNotFoundError("a", ["b", "c"]): "there is no cluster 'a'; there are: b, c",
    ClusterNotFoundError("a"): "pxshell start a",
    NoClusterError(): "%pxcluster start -n 4 [--mpi] | attach [NAME] | list | stop",
    ConnectionFileError("/x.json", "others can read it: chmod 600 /x.json"): "/x.json: others",
    DirectoryError("/tmp/x", "it is a symbolic link; remove it"): "/tmp/x is refused: it is a",
    AuthenticationError("cluster calm-fox"): "cluster calm-fox: it does not accept our key",
    VersionMismatchError("protocol 1", "protocol 2", "the controller"): "the controller has protocol 2, here is",
    LaunchError("no mpiexec: pip install pxshell[mpi]"): "no mpiexec",
    DeadlineError("pause", 5, "rank 3 (in Allreduce)"): "pause: not done within 5 s; missing: rank 3 (in Allreduce)",
    DeadlineError("pause", 0.5): "pause: not done within 0.5 s",
    RefusedError("not run: 0-3 are running sim.py", RankSet.span(0, 4)): "not run",
    CallAbortedError("Recv"): "Recv was given up by %pxsignal abort",
    LinkLostError("cluster calm-fox"): "the link to cluster calm-fox is lost",
    DIVISION: "[2] ZeroDivisionError: division by zero",
    LONG: "[0,1] ValueError: first …",
    RemoteError("KeyboardInterrupt", ""): "KeyboardInterrupt",
    CompositeError([DIVISION, LONG]): "failed on 3 ranks: [2] ZeroDivisionError: division by zero; [0,1] ValueError",
    PermissionDeniedError("run cells"): "observers may not run cells",
}


def classes(root: type[PxshellError] = PxshellError) -> set[type[PxshellError]]:
    """Return a class and all below it."""
    return {root}.union(*(classes(one) for one in root.__subclasses__()))


@pytest.mark.parametrize(("error", "words"), EXAMPLES.items(), ids=lambda one: type(one).__name__)
def test_messages_are_one_line(error: PxshellError, words: str) -> None:
    """P10: what, why, what to do, in one line."""
    assert words in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda one: type(one).__name__)
def test_errors_survive_pickle_with_their_facts(error: PxshellError) -> None:
    """An error that another process raised says the same here."""
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert vars(copy).keys() == vars(error).keys()


def test_every_class_is_exported_drawn_and_shown_here() -> None:
    """The tree in the docstring, ``__all__`` and these tests know the same classes."""
    tree = classes()
    assert {one.__name__ for one in tree} == set(errors.__all__)
    assert all(name in (errors.__doc__ or "") for name in errors.__all__)
    assert {type(one) for one in EXAMPLES} == tree


def test_every_class_has_a_slug_of_its_own() -> None:
    """A slug names one section of the documentation."""
    assert len({one.slug for one in classes()}) == len(classes())
    assert all("slug" in vars(one) for one in classes())


def test_faults_in_rank_sets_are_pointed_at() -> None:
    """The caret stands under the fault, also behind characters that have no width of their own."""
    error = RankSetError("expected a rank", "0,\tx", 3)
    assert error.pointer() == "0, x\n   ^"
    assert isinstance(error, ValueError)


def test_deadlines_are_timeouts_for_those_who_know_only_python() -> None:
    """``except TimeoutError`` catches a deadline, and ``missing`` says who."""
    error = DeadlineError("pause", 5, "rank 3")
    assert isinstance(error, TimeoutError)
    assert error.missing == "rank 3"


def test_remote_errors_are_drawn_as_the_ranks_drew_them() -> None:
    """IPython asks an exception for its traceback, and gets the ranks'."""
    assert DIVISION._render_traceback_() == ["line 1", "line 2"]
    assert LONG._render_traceback_() == ["[0,1] ValueError: first …"]
    assert CompositeError([DIVISION, LONG])._render_traceback_() == ["line 1", "line 2", "[0,1] ValueError: first …"]


def test_composite_errors_raise_their_parts() -> None:
    """As in ipyparallel, one of the errors can be raised alone."""
    with pytest.raises(RemoteError, match="first"):
        CompositeError([DIVISION, LONG]).raise_exception(1)
