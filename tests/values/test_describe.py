"""Descriptions: equal values have equal ones, in a few hundred bytes."""

import argparse
import dataclasses
import datetime as dt
import enum
import threading
from collections import OrderedDict, namedtuple
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.values.describe import LEAVES, describe
from pxshell.values.leaves import DEEPEST, part_at, walk
from pxshell.values.picture import picture_of

LEAF = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.binary(max_size=5)
)
VALUES = st.recursive(
    LEAF,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=3), part, max_size=4),
    max_leaves=12,
)


class Level(enum.Enum):
    LOW = 1


@dataclasses.dataclass
class Config:
    lr: float = 0.1
    layers: list = dataclasses.field(default_factory=lambda: [64, 32])


def facts(value):
    return {leaf["path"]: (leaf["kind"], leaf.get("value", leaf.get("text"))) for leaf in describe(value)}


def plain(value):
    """Return a value so that Python compares it as we do: 1, 1.0 and True are not equal."""
    if isinstance(value, dict):
        return ("dict", {key: plain(part) for key, part in value.items()})
    if isinstance(value, list):
        return ("list", [plain(part) for part in value])
    return (type(value).__name__, value)


@given(VALUES, VALUES)
def test_values_have_one_description_only_if_they_are_equal(a, b):
    """P4."""
    one, other = (msgspec.msgpack.encode(describe(value)) for value in (a, b))
    if one == other:
        assert plain(a) == plain(b)
    assert msgspec.msgpack.encode(describe(a)) == one


@given(st.dictionaries(st.text(max_size=3), LEAF, max_size=5))
def test_the_order_of_a_dictionary_does_not_matter(value):
    turned = dict(reversed(value.items()))
    assert describe(value) == describe(turned)


def test_parts_have_paths_as_one_writes_them():
    Point = namedtuple("Point", "x y")  # noqa: PYI024 - what users have
    value = {"config": Config(), "at": Point(1, 2.5), "args": argparse.Namespace(n=4), "more": SimpleNamespace(z="q")}
    assert facts(value) == {
        "": ("dict", None),
        "['args']": ("Namespace", None),
        "['args'].n": ("int", "4"),
        "['at']": ("Point", None),
        "['at'].x": ("int", "1"),
        "['at'].y": ("float", 2.5),
        "['config']": ("Config", None),
        "['config'].lr": ("float", 0.1),
        "['config'].layers": ("list", None),
        "['config'].layers[0]": ("int", "64"),
        "['config'].layers[1]": ("int", "32"),
        "['more']": ("SimpleNamespace", None),
        "['more'].z": ("str", "'q'"),
    }


def test_every_path_leads_back_to_its_part():
    value = {"a": [1, {"ab": 2, "a": 3}], "config": Config(), ("odd", 1): None}
    for part in walk(value):
        assert part_at(value, part.path) is part.value
    with pytest.raises(LookupError):
        part_at(value, "['gone']")


def test_numbers_of_numpy_are_numbers():
    assert describe(np.float64(1.5)) == describe(1.5)
    assert describe(np.int32(7)) == describe(7)
    assert describe(np.array(2.5)) == describe(2.5)
    assert describe(np.bool_(True)) == describe(True)
    assert describe(1 + 2j) == [{"path": "", "kind": "complex", "value": [1.0, 2.0]}]


def test_where_an_object_lies_in_memory_is_no_difference():
    class Thing:
        pass

    assert describe(Thing()) == describe(Thing())
    assert describe(lambda: 1)[0]["text"].endswith("at 0x…>")
    assert describe({3, 1, 2}) == describe({2, 3, 1})


def test_a_value_within_itself_is_described_once():
    ring = [1]
    ring.append(ring)
    assert [leaf["path"] for leaf in describe(ring)] == ["", "[0]", "[1]"]
    deep = value = {}
    for _ in range(100):
        value["in"] = value = {}
    assert len(describe(deep)) < 30


def test_what_is_beyond_the_limit_still_counts():
    """P7, P4: the description is bounded, and a difference in the last of many parts is seen."""
    many = {f"{number:05}": number for number in range(3 * LEAVES)}
    one = describe(many)
    assert len(one) == LEAVES + 1
    assert one[-1]["kind"] == "more"
    many[f"{3 * LEAVES - 1:05}"] = -1
    other = describe(many)
    assert other[:-1] == one[:-1]
    assert other[-1] != one[-1]


def test_a_large_array_is_described_in_a_few_hundred_bytes():
    state = OrderedDict(w=np.zeros((1000, 1000)), b=np.ones(1000))
    assert len(msgspec.msgpack.encode(describe(state))) < 600
    text = describe("x" * 10_000)
    assert len(text[0]["text"]) == 120
    assert text != describe("x" * 9_999 + "y")


def test_arrays_of_objects_are_walked_into():
    assert facts(np.array([1, "a"], dtype=object)) == {
        "": ("ndarray", None),
        "[0]": ("int", "1"),
        "[1]": ("str", "'a'"),
    }


def in_lists(value, depth):
    for _ in range(depth):
        value = [value]
    return value


@given(st.integers(0, 60), VALUES)
def test_all_is_seen_of_what_lies_no_deeper_than_the_limit_and_what_lies_deeper_is_marked(depth, value):
    """P4: a description without a mark is one of this value alone."""
    leaves = describe(in_lists(value, depth))
    is_seen = not any("unseen" in leaf for leaf in leaves)
    deepest = max(len(part.path.split("[")) for part in walk(value)) + depth
    assert is_seen or deepest > DEEPEST
    assert (describe(in_lists([value], depth)) != leaves) or not is_seen


class Plain:
    def __init__(self, x):
        self.x = x


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self, x):
        self.x = x


class Both(Slotted):
    pass


class Mute(Plain):
    def __repr__(self):
        return "Mute"


@pytest.mark.parametrize("kind", [Plain, Slotted, Both])
def test_instances_without_a_repr_are_compared_by_their_attributes(kind):
    """P4."""
    assert facts(kind(1)) == {"": (kind.__name__, None), ".x": ("int", "1")}
    assert describe([kind(1)]) == describe([kind(1)]) != describe([kind(2)])
    assert not any("unseen" in leaf for leaf in describe([kind(1)]))


@pytest.mark.parametrize(
    "value",
    [Mute(1), iter([1]), len, threading.Lock(), np.void(b"ab"), frozenset({Plain(1)}), {Mute(1): 1}, {(1, Mute(1)): 1}],
)
def test_what_is_known_by_its_repr_only_is_marked(value):
    """P4."""
    leaves = describe({"a": value})
    assert [leaf["unseen"] for leaf in leaves if "unseen" in leaf] == [{"repr": 1}]


KNOWN = (
    None,
    "text",
    b"raw",
    2.5,
    (1, 2),
    {1, "a"},
    range(3),
    slice(1, None),
    int,
    ...,
    dt.date(2026, 1, 2),
    Path("a"),
)
KNOWN_OF_LIBRARIES = (Decimal("1.5"), np.dtype("f4"), np.datetime64("2026-01-02"), np.str_("a"), memoryview(b"a"))


@pytest.mark.parametrize("value", [*KNOWN, *KNOWN_OF_LIBRARIES, Level.LOW])
def test_what_its_repr_tells_apart_is_not_marked(value):
    assert not any("unseen" in leaf for leaf in describe([value]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at 0x12345678", "at 0x87654321"),
        ({"k" * 99 + "a": 1}, {"k" * 99 + "b": 1}),
        (memoryview(b"a"), memoryview(b"b")),
        (np.array([(1, 2)] * 2000, "i4,i4"), np.array([(1, 2)] * 1000 + [(1, 3)] + [(1, 2)] * 999, "i4,i4")),
        (np.ma.masked_array([1, 2], [0, 1]), np.ma.masked_array([1, 3], [0, 1])),
        (np.ma.masked_array([1, 2], [0, 1]), np.ma.masked_array([1, 2], [1, 1])),
        (np.ma.masked, 0.0),
    ],
)
def test_what_looks_alike_is_told_apart(one, other):
    """P4."""
    assert describe(one) != describe(other)


def test_keys_that_are_written_alike_are_parts_of_their_own():
    """P4."""
    leaves = describe({Mute(1): 1, Mute(2): 2})
    assert [leaf["path"] for leaf in leaves] == ["", "[Mute]", "[Mute]#2"]


def test_a_ring_is_told_from_a_longer_one():
    """P4."""
    one, other = [1], [1, None]
    one.append(one)
    other[1] = [1, other]
    assert describe(one) != describe(other)
    assert not any("unseen" in leaf for leaf in describe(one))


def test_objects_that_all_know_each_other_are_described_in_a_bounded_time():
    """P7: between 30 that do there are more ways than could ever be gone."""
    all_of_them = [Plain(number) for number in range(30)]
    for one in all_of_them:
        one.others = list(all_of_them)
    leaves = describe(Plain(tuple(all_of_them)))
    assert leaves[-1]["unseen"]["cut"] > 0


def test_an_array_too_large_to_be_read_is_refused_in_one_line():
    """P7."""
    huge = np.broadcast_to(np.float32(1), (10**6, 10**6))
    for look in (describe, lambda value: picture_of(value, 10)):
        with pytest.raises(
            ValueError, match=r"^an array of shape \(1000000, 1000000\) is too large to read: name a part"
        ):
            look(huge)
