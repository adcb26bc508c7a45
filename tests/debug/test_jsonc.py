"""JSON with comments, read and edited in place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.debug.jsonc import JsoncError, drop, parse, put

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
COMMENTED = """// mine
{
    "version": "0.2.0", // keep
    /* the list */
    "configurations": [
        {"name": "one", "n": 1}, // first
        {
            "name": "two", "url": "http://x // no comment"
        } // second
    ],
}
"""


@given(VALUES, st.sampled_from([None, 1, 4]))
def test_json_is_read_as_json(value, indent):
    text = json.dumps(value, indent=indent)
    node = parse(f" /* a */ {text} // b")
    assert node.value == json.loads(text)


def test_comments_and_last_commas_are_read_over():
    value = parse(COMMENTED).value
    assert [one["name"] for one in value["configurations"]] == ["one", "two"]
    assert value["configurations"][1]["url"] == "http://x // no comment"


def test_an_entry_is_put_behind_the_others_and_every_comment_stays():
    text = put(COMMENTED, "configurations", {"name": "three", "n": 3})
    value = parse(text).value
    assert [one["name"] for one in value["configurations"]] == ["one", "two", "three"]
    lines = [line for line in COMMENTED.splitlines() if "//" in line or "/*" in line]
    assert [line for line in text.splitlines() if "//" in line or "/*" in line] == [
        line.replace("} // second", "}, // second") for line in lines
    ]


def test_an_entry_of_the_same_name_is_replaced_where_it_stands():
    text = put(COMMENTED, "configurations", {"name": "one", "n": 2})
    assert parse(text).value["configurations"][0] == {"name": "one", "n": 2}
    assert "}, // first" in text
    assert put(text, "configurations", {"name": "one", "n": 2}) == text


@pytest.mark.parametrize("text", ["{}", "{ // nothing\n}", '{"a": 1}', '{"a": 1,}', '{"list": []}', '{"list": [ ]}'])
def test_a_list_that_is_not_there_or_empty_is_made(text):
    found = parse(put(text, "list", {"name": "x"})).value
    assert found["list"] == [{"name": "x"}]
    assert found.get("a") == parse(text).value.get("a")


@given(st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=6))
def test_put_again_and_again_keeps_one_entry_a_name(names):
    text = COMMENTED
    for number, name in enumerate(names):
        text = put(text, "configurations", {"name": name, "number": number})
    found = {one["name"]: one.get("number") for one in parse(text).value["configurations"]}
    assert found == {"one": None, "two": None} | {name: number for number, name in enumerate(names)}


BLANKS = st.sampled_from(["", " ", "\n", "\n        ", " // c\n", "\n        // c\n    ", " /* c */ ", "/* c\n */"])


@given(st.data(), st.lists(st.sampled_from("abc"), min_size=1, max_size=6), st.sampled_from("abc"), st.booleans())
def test_what_is_dropped_is_gone_and_the_others_and_every_comment_stay(data, names, dropped, has_last_comma):
    """Wherever the comments and commas stand."""
    text = '{"other": [1], "list": ['
    for number, name in enumerate(names):
        comma = "," if number < len(names) - 1 or has_last_comma else ""
        before, between, after = data.draw(BLANKS), data.draw(BLANKS), data.draw(BLANKS)
        text += f'{before}{{"name": "{name}", // c\n "n": {number}}}{between}{comma}{after}'
    text += f"{data.draw(BLANKS)}]}}"
    left = drop(text, "list", dropped)
    kept = [one for one in parse(text).value["list"] if one["name"] != dropped]
    assert parse(left).value == {"other": [1], "list": kept}
    assert text.count(" c") - left.count(" c") <= names.count(dropped)  # their own, inside
    assert drop(left, "list", dropped) == drop(left, "none", dropped) == left


def test_an_entry_is_dropped_with_its_lines():
    text = put(COMMENTED, "configurations", {"name": "three"})
    text = put(text, "configurations", {"name": "four"})
    assert (
        parse(drop(text, "configurations", "three")).value
        == parse(put(COMMENTED, "configurations", {"name": "four"})).value
    )
    assert drop(text, "configurations", "three") == put(COMMENTED, "configurations", {"name": "four"})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("{\n", 2),
        ('{"a" 1}', 1),
        ('{"a": 1 "b": 2}', 1),
        ("{1: 2}", 1),
        ('{"a": "x\n', 1),
        ("[1 2]", 1),
        ("{} {}", 1),
        ("-", 1),
        ("[1-2]", 1),
        ("nope", 1),
        ("{ /* no end", 1),
    ],
)
def test_what_is_no_json_is_refused_with_its_line(text, line):
    """P10."""
    with pytest.raises(JsoncError) as caught:
        put(text, "list", {"name": "x"})
    assert caught.value.line == line


@pytest.mark.parametrize("text", ["[]", '{"list": 1}'])
def test_a_document_of_another_form_is_refused(text):
    with pytest.raises(JsoncError, match=r"no object|no list"):
        put(text, "list", {"name": "x"})
