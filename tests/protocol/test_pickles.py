"""Values as buffers, and functions by value."""

from __future__ import annotations

import pytest

from pxshell.protocol.pickles import PickleError, pack, unpack

PROGRAM = """
def outer(x, name="<dynamic-code>"):
    def inner(y):
        return x + y, name
    return inner
"""


def by_value():
    """Make a function that no module has, and which is therefore sent by value."""
    namespace = {"__name__": "__main__"}
    exec(compile(PROGRAM, "/home/me/sim.py", "exec"), namespace)
    return namespace["outer"]


def test_a_function_that_is_sent_by_value_keeps_the_name_of_its_file():
    """Else no breakpoint finds its lines, and a pause in it says <dynamic-code>:3; its constants are its own."""
    outer = unpack(pack(by_value()))
    inner = outer(1)
    assert [one.__code__.co_filename for one in (outer, inner)] == ["/home/me/sim.py"] * 2
    assert [one.__code__.co_firstlineno for one in (outer, inner)] == [2, 3]
    assert inner(2) == (3, "<dynamic-code>")


def test_large_parts_travel_beside_the_pickle():
    """P7: one copy, where it is sent."""
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(100_000.0)
    main, part = pack({"u": array, "f": by_value()})
    assert (len(main) < 2000, memoryview(part).nbytes) == (True, array.nbytes)
    assert numpy.shares_memory(numpy.frombuffer(part), array)
    assert (unpack([main, part])["u"] == array).all()


@pytest.mark.parametrize("buffers", [[], [b""], [b"\x80\x05."], [b"cnowhere\nnothing\n."]])
def test_what_cannot_be_read_is_one_line(buffers):
    """P10."""
    with pytest.raises(PickleError) as raised:
        unpack(buffers)
    assert "\n" not in str(raised.value)


def test_what_cannot_be_sent_is_one_line():
    """P10."""
    with pytest.raises(PickleError, match="a generator cannot be sent: TypeError") as raised:
        pack(one for one in ())
    assert "\n" not in str(raised.value)
