"""Cells in a stopped frame: what they see, and what they change."""

from __future__ import annotations

import asyncio
import pickle
import sys
import textwrap
import types

import pytest

from pxshell.engine.namespace import FrameNamespace

CAN_DELETE = sys.version_info < (3, 12)


def cell(namespace, source):
    """Run a cell as the kernel does, and return what was written back."""
    exec(compile(textwrap.dedent(source), "<cell 1>", "exec", dont_inherit=True), namespace.globals, namespace)
    return namespace.write_back()


def in_frame(source):
    """Return a stop function for programs: it runs a cell in its caller's frame."""

    def stop():
        stop.namespace = FrameNamespace(sys._getframe(1))
        stop.result = cell(stop.namespace, source)

    return stop


def program(source, **names):
    """Run a user's module and return its globals."""
    module = types.ModuleType("simulation")
    module.__dict__.update(names)
    exec(compile(textwrap.dedent(source), "sim.py", "exec", dont_inherit=True), module.__dict__)
    return module.__dict__


def test_cells_read_and_change_locals():
    """P5: a changed local is the program's local afterwards."""
    stop = in_frame("assert (a, b) == (1, 2); a = a + 10")

    def f(a):
        b = 2
        stop()
        return a, b

    assert f(1) == (11, 2)
    assert stop.result.changed == ("a",)


def test_a_cell_that_only_looks_writes_nothing():
    """P5: looking changes nothing, by identity."""
    stop = in_frame("a; c = [a, b]; a = a")

    def f(a):
        b = 2
        stop()
        return a, b

    value = [1]
    assert f(value)[0] is value
    assert stop.result.changed == ()


def test_a_local_that_is_not_bound_yet_can_be_assigned():
    """A repair may set what the next line would have set."""
    stop = in_frame("later = 7")

    def f():
        stop()
        if False:
            later = 1
        return later

    assert f() == 7


def test_lambdas_comprehensions_and_functions_of_cells_see_locals_and_globals():
    """The pause's promise in issue 2: closures and comprehensions see the frame's locals."""
    stop = in_frame("""
        r1 = [u + gx + i for i in range(3)]
        r2 = (lambda: u + gx)()
        def g(n):
            total = 0
            for _ in range(n):
                total += u + gx + len("x")
            return total
        r3 = g(2000)
        class A:
            c = gx + u
            d = sum("ab")
            def m(self):
                return u + gx
        r4 = A().m(), A.c, A.d
        r5 = list(x + u for x in [1])
        r6 = eval("u + gx")
        import pickle
        pickle.dumps(iter([1]))
        out.update(r1=r1, r2=r2, r3=r3, r4=r4, r5=r5, r6=r6, module=A.__module__)
    """)
    names = program(
        """
        gx = 10
        def sum(x):
            return "the module's sum of " + x
        def f(u, out):
            stop()
        out = {}
        f(1, out)
        """,
        stop=stop,
    )
    assert names["out"] == {
        "r1": [11, 12, 13],
        "r2": 11,
        "r3": 2000 * 12,
        "r4": (11, 11, "the module's sum of ab"),
        "r5": [2],
        "r6": 11,
        "module": "simulation",
    }


def test_globals_are_live_in_a_cell():
    """A function of the program called by a cell changes the module; the cell sees it at once."""
    stop = in_frame("bump(); seen = gx; out.append(seen)")
    names = program(
        """
        gx = 1
        def bump():
            global gx
            gx += 1
        def f():
            stop()
        f()
        """,
        stop=stop,
        out=(out := []),
    )
    assert out == [2]
    assert names["gx"] == 2
    assert "seen" not in names


def test_a_global_statement_assigns_the_module():
    """`global x; x = 1` in a function's frame means the module's x, as in the function."""
    stop = in_frame("""
        global gx, fresh
        gx = 5
        fresh = 6
        def set_other():
            global other
            other = 7
        set_other()
        x = 8
    """)
    names = program(
        """
        gx = 1
        gone = 1
        def f(x):
            stop()
            return x, gx
        r = f(0)
        """,
        stop=stop,
    )
    assert (names["gx"], names["fresh"], names["other"], names["r"]) == (5, 6, 7, (8, 5))
    assert "x" not in names
    assert "__warningregistry__" not in names


def test_a_global_statement_deletes_from_the_module():
    """`global x; del x` as well."""
    stop = in_frame("global gx; gx = 3; del gx; gx = 4; del gx")
    names = program("gx = 1\ndef f():\n    stop()\nf()", stop=stop)
    assert "gx" in names  # assigned and deleted within one cell: the module never had the cell's value
    stop = in_frame("global gx; gx = 3")

    def twice():
        namespace = FrameNamespace(sys._getframe(1))
        cell(namespace, "global gx\ngx = 3")
        namespace.globals.pop("gx", None)

    names = program("gx = 1\ndef f():\n    stop()\nf()", stop=twice)
    assert names["gx"] == 3


def test_scratch_names_last_for_the_pause_and_stay_out_of_the_program():
    """Names that cells invent are for cells."""

    def stop():
        namespace = FrameNamespace(sys._getframe(1))
        cell(namespace, "tmp = 41")
        cell(namespace, "tmp += a; seen = a; a = 100")
        cell(namespace, "tmp += a")
        stop.tmp = namespace["tmp"]

    def f(a):
        stop()
        return a, "tmp" in locals()

    assert f(1) == (100, False)
    assert stop.tmp == 142


def test_the_shells_own_names_reach_neither_locals_nor_module():
    """P5: `_` is often a loop variable, or gettext."""

    def stop():
        namespace = FrameNamespace(sys._getframe(1))
        namespace.update({"_": "last answer", "In": [], "_3": 3})
        assert namespace["_"] == "last answer"
        cell(namespace, "a = (_, _3)")
        assert namespace["_"] == "last answer"
        stop.a = namespace["a"]

    def f(a):
        _ = 5
        stop()
        return _, a

    assert f(1) == (5, ("last answer", 3))
    names = program("_ = str\na = 1\nstop()\nkept = _", stop=stop)
    assert names["kept"] is str
    assert names["a"] == ("last answer", 3)
    assert "In" not in names


def test_closures_both_ways():
    """P5: cells of closures are written, and read when the program changed them."""

    def stop():
        namespace = FrameNamespace(sys._getframe(1))
        cell(namespace, "bump()")
        cell(namespace, "assert n == 1; n = n + 10")
        cell(namespace, "bump()")

    def outer():
        n = 0

        def bump():
            nonlocal n
            n += 1

        def inner():
            assert bump
            stop()
            return n

        return inner(), n

    assert outer() == (12, 12)


def test_generators_coroutines_and_recursion():
    """P5: every kind of frame is written to, the right activation of it."""
    stop = in_frame("x = x * 2")

    def gen(x):
        for _ in range(2):
            stop()
            yield x

    async def coro(x):
        await asyncio.sleep(0)
        stop()
        await asyncio.sleep(0)
        return x

    def recursive(x, depth):
        if depth == 0:
            stop()
            return [x]
        return [*recursive(x + 1, depth - 1), x]

    assert list(gen(1)) == [2, 4]
    assert asyncio.run(coro(4)) == 8
    assert recursive(1, 2) == [6, 2, 1]


def test_a_caller_frame_is_written_too():
    """The frame need not be on top."""

    def inner():
        namespace = FrameNamespace(sys._getframe(1))
        cell(namespace, "a = 5")

    def outer():
        a = 1
        inner()
        return a

    assert outer() == 5


def test_a_class_body_is_written_as_a_class_body():
    """Assignments in a paused class body make attributes."""
    stop = in_frame("a = a + 1; b = [a for _ in range(1)]; global made; made = 3")
    names = program("class C:\n    a = 1\n    gone = 2\n    stop()\n    c = a\n", stop=stop)
    assert (names["C"].a, names["C"].b, names["C"].c) == (2, [2], 2)
    assert names["made"] == 3
    assert "__annotations__" not in vars(names["C"])


def test_a_module_frame_behaves_as_the_module():
    """There, cells are module code: functions defined in a cell have the module's globals."""
    stop = in_frame("""
        x = x + 1
        y = 2
        def step():
            global x
            x += 10
        del gone
        assert [x + i for i in range(1)] == [2]
    """)
    names = program("x = 1\ngone = 1\nstop()\nstep()\nz = y", stop=stop)
    assert (names["x"], names["z"]) == (12, 2)
    assert "gone" not in names
    assert names["step"].__globals__ is names


def test_del_of_a_local():
    """Deleted where this Python can; where it cannot, it is said and the local stays."""
    stop = in_frame("del a")

    def f(a):
        stop()
        try:
            return a
        except UnboundLocalError:
            return "unbound"

    assert f(1) == ("unbound" if CAN_DELETE else 1)
    assert stop.result.undeletable == (() if CAN_DELETE else ("a",))


def test_del_in_a_class_body():
    """A class body is a mapping: everything can be deleted."""
    names = program("class C:\n    a = 1\n    stop()\n", stop=in_frame("del a"))
    assert not hasattr(names["C"], "a")


def test_a_frame_that_moved_on_is_read_again():
    """After a step, cells see the new values and keep their scratch names."""
    found = []

    def stop(namespace=None):
        if namespace is None:
            namespace = FrameNamespace(sys._getframe(1))
        else:
            namespace.refresh()
        cell(namespace, "tmp = 1" if "tmp" not in namespace else "tmp = tmp + a")
        found.append(namespace["tmp"])
        return namespace

    def f():
        a = 1
        namespace = stop()
        a = 5
        stop(namespace)
        return a

    assert f() == 5
    assert found == [1, 6]


def test_another_frame_of_the_same_pause_keeps_scratch_names_only():
    """`up` takes along what cells made, not the locals of the frame left."""

    def inner(only_here):
        namespace = FrameNamespace(sys._getframe())
        cell(namespace, "tmp = 3")
        namespace.refresh(sys._getframe(1))
        assert "only_here" not in namespace
        cell(namespace, "there = tmp + there")

    def outer():
        there = 1
        inner(0)
        return there

    assert outer() == 4


def test_annotations_and_warnings_of_cells_stay_with_cells():
    """P5: no trace in the module."""
    stop = in_frame("x: int = 1")
    names = program("a: int = 1\ndef f():\n    stop()\nf()", stop=stop)
    assert names["__annotations__"] == {"a": int}


def test_the_namespace_answers_as_a_dict_does():
    """Shells use it as one: get, in, pop, setdefault, clear, with the module behind."""

    def stop():
        namespace = FrameNamespace(sys._getframe(1))
        assert namespace.get("gx") == 1
        assert namespace.get("nothing", 4) == 4
        assert "gx" in namespace
        assert "nothing" not in namespace
        assert namespace.setdefault("tmp", 5) == namespace.setdefault("tmp", 6) == 5
        assert namespace.pop("nothing", 0) == 0
        with pytest.raises(KeyError):
            namespace.pop("nothing")
        assert namespace.pop("tmp") == 5
        namespace["tmp"] = 1
        namespace.clear()
        assert "tmp" not in namespace
        assert namespace["a"] == 2
        namespace.close()
        assert namespace.write_back().changed == ()
        namespace.refresh()

    names = program("gx = 1\ndef f(a):\n    stop()\n    return a\nr = f(2)", stop=stop)
    assert names["r"] == 2


def test_functions_of_cells_outlive_the_pause():
    """A callback that a cell put into the program works after the resume."""

    def stop():
        namespace = FrameNamespace(sys._getframe(1))
        cell(namespace, "callback = lambda: (helper(), a, len('ab'))")
        namespace.close()

    names = program(
        """
        def helper():
            return "helped"
        def f(a):
            callback = None
            stop()
            return callback()
        r = f(2)
        """,
        stop=stop,
    )
    assert names["r"] == ("helped", 2, 2)


def test_values_of_the_namespace_pickle():
    """C code that asks for builtins finds them (pickled iterators ask for iter)."""
    stop = in_frame("import pickle; data = pickle.dumps(iter([1, 2]))")

    def f(data):
        stop()
        return data

    assert list(pickle.loads(f(None))) == [1, 2]
