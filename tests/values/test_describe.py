"""Descriptions: equal values have equal ones, in a few hundred bytes."""

import argparse
import dataclasses
from collections import OrderedDict, namedtuple
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.values.describe import LEAVES, describe
from pxshell.values.leaves import part_at, walk

LEAF = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.binary(max_size=5)
)
VALUES = st.recursive(
    LEAF,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=3), part, max_size=4),
    max_leaves=12,
)


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
    for path, part in walk(value):
        assert part_at(value, path) is part
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
