"""What a rank waits in is known from the call that its innermost frame is in."""

import ast
import sys
import threading
import types

import pytest

from pxshell.engine import stacks
from pxshell.engine.callsite import UNKNOWN, call_site
from pxshell.engine.waits import wait_of
from pxshell.testing.waiting import wait_until


class Comm:
    """A communicator whose calls tell what would be told of them while they wait."""

    __module__ = "mpi4py.MPI"

    def _tell(self, *args, **options):
        return wait_of(sys._getframe(1)).text

    Recv = recv = Send = Sendrecv = Bcast = Reduce = Allreduce = Barrier = Isend = _tell


@pytest.fixture
def mpi(monkeypatch):
    """mpi4py as far as it is asked here."""
    module = types.ModuleType("mpi4py.MPI")
    module.Comm = Comm
    module.COMM_WORLD = Comm()
    module.ANY_SOURCE, module.PROC_NULL = -2, -1
    module.Finalize = lambda: wait_of(sys._getframe(1)).text
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", module)
    return module


class Grid:
    """A user's object."""

    __slots__ = ("_comm", "neighbours", "row")

    def __init__(self, world):
        self._comm = world
        self.neighbours = {"left": 6}
        self.row = Comm()

    @property
    def comm(self):
        return self._comm

    def calls(self):
        raise AssertionError("looking runs no code of the program")


def test_a_call_is_known_with_whom_it_waits_for(mpi):
    """P6: the call's arguments are read as the frame would read them."""
    comm = mpi.COMM_WORLD
    source, tags = 1, [4, 5]
    assert comm.Recv(None, source, 7) == "in MPI Recv from 1"
    assert comm.Recv(None, source=source + 2) == "in MPI Recv from 3"
    assert comm.Recv(None, (source - 2) % 4) == "in MPI Recv from 3"
    assert comm.Recv(None, -source + 3) == "in MPI Recv from 2"
    assert comm.Recv(None) == "in MPI Recv from any"
    assert comm.Recv(None, mpi.ANY_SOURCE) == "in MPI Recv from any"
    assert comm.Send(None, mpi.PROC_NULL) == "in MPI Send to PROC_NULL"
    assert comm.Send(None, tags[1]) == "in MPI Send to 5"
    assert (
        comm.Sendrecv(
            None,
            dest=source,
            source=3,
        )
        == "in MPI Sendrecv to 1 from 3"
    )
    assert comm.Bcast(None, root=2) == "in MPI Bcast root 2"
    assert comm.Allreduce(None, None) == "in MPI Allreduce"
    assert mpi.Finalize() == "in MPI Finalize"
    assert comm.Isend(None, 1) == ""


def test_what_cannot_be_known_without_running_code_is_shown_as_written(mpi):
    """P5: no property, no function of the program runs."""
    grid, comm = Grid(mpi.COMM_WORLD), mpi.COMM_WORLD
    assert comm.Recv(None, grid.calls) == "in MPI Recv from grid.calls"
    assert comm.Recv(None, len("abc")) == "in MPI Recv from len('abc')"
    assert comm.Recv(None, grid.neighbours["left"]) == "in MPI Recv from 6"
    assert comm.Recv(None, 1 // 0 if comm is None else 0 * 5) == "in MPI Recv from 1 // 0 if comm is None else 0…"
    args = (None, 3)
    assert comm.Recv(*args) == "in MPI Recv"


def test_a_communicator_that_is_not_the_world_is_named(mpi):
    """P4: its ranks have other numbers."""
    grid = Grid(mpi.COMM_WORLD)
    assert grid.row.Recv(None, 1) == "in MPI Recv from 1 on grid.row"
    assert grid._comm.Barrier() == "in MPI Barrier"
    # A property: nobody knows without running it, and no other C function is called so.
    assert grid.comm.Barrier() == "in MPI Barrier"


def test_others_methods_of_the_same_name_are_none_of_mpi(mpi):
    def get(stranger):
        return stranger

    class Stranger:
        recv = Recv = Comm._tell

    stranger = Stranger()
    assert stranger.Recv(None, 1) == ""
    # Nobody knows what the call gives, and queues of others have a recv too.
    assert get(stranger).recv(None) == ""


def test_without_mpi_nothing_is_looked_at(monkeypatch):
    monkeypatch.delitem(sys.modules, "mpi4py.MPI", raising=False)
    assert Comm().Recv(None, 1) == ""
    assert wait_of(None).text == ""


def test_a_thread_that_waits_in_c_is_in_the_call_of_its_caller(mpi):
    """P6: as the side thread sees the main thread."""
    lock = threading.Lock()
    lock.acquire()
    comm = Comm()
    mpi.COMM_WORLD = comm
    # A C function: it takes the lock when it can, for at most 30 s.
    comm.Recv = lock.acquire

    def fetch(source):
        comm.Recv(True, source)
        lock.release()

    thread = threading.Thread(target=fetch, args=(30,))
    thread.start()
    try:
        text = wait_until(lambda: wait_of(stacks.running_frame(thread.ident)).text, 30, "the thread waits")
        assert text == "in MPI Recv from 30"
    finally:
        lock.release()
        thread.join()


# torch.distributed is Python.


def test_a_thread_that_sleeps_is_in_the_call_as_it_is_written():
    """Whatever the function is called there; others of its name are none of the system's."""
    go, seen = threading.Event(), threading.Event()
    nap = types.SimpleNamespace(sleep=go.wait)

    def rest():
        from time import sleep as doze

        nap.sleep(30)
        while not seen.is_set():
            doze(0.05)

    def resting():
        frame = stacks.running_frame(thread.ident)
        while frame is not None and frame.f_code.co_name != "rest":
            frame = frame.f_back
        return frame

    thread = threading.Thread(target=rest)
    thread.start()
    try:
        assert wait_of(wait_until(resting, 30, "the thread rests")).text == ""
        go.set()
        assert wait_until(lambda: wait_of(resting()).text, 30, "the thread sleeps") == "in doze"
    finally:
        go.set()
        seen.set()
        thread.join()


def torch_frames(name, arguments, tmp_path):
    """Call a function of a module that is called as torch's, and return what is told while it waits."""
    module = types.ModuleType("torch.distributed.distributed_c10d")
    module.look = lambda: wait_of(sys._getframe(1))
    code = f"def {name}(tensor, src=None, dst=0, group=None):\n    return inner()\n\ndef inner():\n    return look()\n"
    exec(compile(code, str(tmp_path / "c10d.py"), "exec"), vars(module))
    return getattr(module, name)(None, **arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("all_reduce", {}, "in torch.distributed all_reduce"),
        ("broadcast", {"src": 2}, "in torch.distributed broadcast root 2"),
        ("recv", {"src": 1}, "in torch.distributed recv from 1"),
        ("recv", {}, "in torch.distributed recv from any"),
        ("send", {"dst": 3}, "in torch.distributed send to 3"),
        ("get_rank", {}, ""),
    ],
)
def test_a_call_of_torch_is_the_one_that_the_user_made(name, arguments, text, tmp_path):
    assert torch_frames(name, arguments, tmp_path).text == text


# The call site itself.


def site_of(source, tmp_path, **names):
    """Run source that calls `look()` in the midst of a call, and return the site and the namespace."""
    found = []

    def look(*args, **options):
        found.append(call_site(sys._getframe(1)))

    path = tmp_path / "program.py"
    path.write_text(source)
    exec(compile(source, str(path), "exec"), {"look": look, **names})
    return found[0]


def test_a_call_over_many_lines_and_bytes_is_found(tmp_path):
    site = site_of("ä = 'é'; look(\n  ä,\n  end='→',\n)\n", tmp_path)
    assert site.name == "look"
    assert [site.value(argument) for argument in site.call.args] == ["é"]


def test_a_source_that_was_changed_meanwhile_tells_nothing(tmp_path):
    """P4: rather nothing than something wrong."""
    path = tmp_path / "program.py"
    path.write_text("other(1)\n")
    found = []
    exec(compile("looks(1)\n", str(path), "exec"), {"looks": lambda _: found.append(call_site(sys._getframe(1)))})
    assert found == [None]


@pytest.mark.parametrize("source", ["", "]]]]]]]]]\n", "1 + 2 + 34\n"])
def test_a_source_that_is_not_to_be_had_or_no_call_tells_nothing(tmp_path, source):
    path = tmp_path / "program.py"
    path.write_text(source)
    found = []
    exec(compile("looks(10)\n", str(path), "exec"), {"looks": lambda _: found.append(call_site(sys._getframe(1)))})
    assert found == [None]


def test_a_frame_that_has_not_begun_is_in_no_call():
    def generates():
        yield

    generator = generates()
    assert call_site(generator.gi_frame) is None
    generator.close()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-three", -3),
        ("three * 2 + 1", 7),
        ("three // 2 ^ 1", 0),
        ("three % 0", UNKNOWN),
        ("three ** 2", UNKNOWN),
        ("-name", UNKNOWN),
        ("'a' + 'b'", UNKNOWN),
        ("numbers[1]", 20),
        ("numbers[9]", UNKNOWN),
        ("numbers[None]", UNKNOWN),
        ("absent", UNKNOWN),
        ("absent.attribute", UNKNOWN),
        ("len(numbers)", UNKNOWN),
        ("math.tau.real", UNKNOWN),
        ("math.absent", UNKNOWN),
        ("thing.plain", 5),
        ("thing.slot", 6),
        ("thing.empty", UNKNOWN),
        ("thing.method", UNKNOWN),
        ("int", int),
    ],
)
def test_an_expression_is_evaluated_as_far_as_that_runs_no_code(tmp_path, text, value):
    """P5: constants, names, attributes that are just there, items of plain containers, arithmetic of integers."""
    import math

    class Slots:
        __slots__ = ("empty", "slot")

    class Thing(Slots):
        def __init__(self):
            self.plain, self.slot = 5, 6

        def method(self):
            raise AssertionError

    names = {"three": 3, "name": "x", "numbers": [10, 20], "math": math, "thing": Thing()}
    site = site_of("look()\n", tmp_path, **names)
    found = site.value(ast.parse(text, mode="eval").body)
    assert found is value if value is UNKNOWN else found == value
