"""Marks in a pipe are read whatever the bytes around them and however they arrive."""

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pxshell.protocol.marks import MarkReader, Position, Scope, Text, cell_mark, position_mark, stream_mark

TOKEN = "1a2b3c4d"
BEGIN = f"\x1b_px{TOKEN};".encode()

ids = st.text(st.sampled_from("abc-_.0"), max_size=12)
pieces = st.one_of(
    st.sampled_from(
        [
            b"text\n",
            "größe ✓".encode(),
            "✓".encode()[:1],
            "✓".encode()[1:],
            b"\xff",
            b"\x1b[31m",
            b"\x1b",
            b"\x1b\\",
            b"\x1b_other\x1b\\",
            position_mark("99999999", 5),
            BEGIN,
            BEGIN[:7],
            BEGIN + b"n7",
            BEGIN + b"n7\x1b[0m",
            BEGIN + b"x" * 300,
        ]
    ),
    st.builds(position_mark, st.just(TOKEN), st.integers(0, 10**12)),
    st.builds(cell_mark, st.just(TOKEN), st.builds(Scope, ids, ids, st.booleans())),
    st.builds(stream_mark, st.just(TOKEN), st.sampled_from(["stdout", "stderr"])),
)


def read(*chunks, name="stdout"):
    reader = MarkReader(TOKEN, name)
    out = [item for chunk in chunks for item in reader.feed(chunk)]
    return together(out + reader.close())


def together(items):
    """Join adjacent texts of one stream and cell."""
    out = []
    for item in items:
        if (
            isinstance(item, Text)
            and out
            and isinstance(out[-1], Text)
            and item.name == out[-1].name
            and item.cell == out[-1].cell
        ):
            out[-1] = Text(item.name, item.cell, out[-1].text + item.text)
        else:
            out.append(item)
    return out


@given(st.lists(pieces, max_size=12), st.randoms(use_true_random=False))
def test_any_split_of_the_bytes_gives_the_same(said, rng: Random):
    """P1, P2: text, streams, cells and positions, in order; and what is kept is bounded (P7)."""
    data = b"".join(said)
    points = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(6)))
    chunks = [data[start:stop] for start, stop in zip([0, *points], [*points, len(data)], strict=True)]
    assert read(*chunks) == read(data)
    assert read(*(data[at : at + 1] for at in range(len(data)))) == read(data)


@given(st.binary(max_size=300), st.integers(1, 40))
@example(BEGIN * 30, 7)
@example(b"\x1b_p" * 100, 1)
def test_what_is_kept_of_a_mark_that_is_not_whole_is_bounded(data, step):
    """P7: a few hundred bytes, whatever comes."""
    reader = MarkReader(TOKEN, "stdout")
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
        assert len(reader._rest) <= 200


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 9))
def test_text_without_marks_of_ours_passes_unchanged(text, step):
    """P2: escape sequences of programs are theirs."""
    data = text.encode()
    out = read(*(data[at : at + step] for at in range(0, len(data), step)))
    assert out == ([Text("stdout", "", text)] if text else [])


@pytest.mark.parametrize(
    "foreign",
    [
        position_mark("deadbeef", 3),
        b"\x1b[1;31mred\x1b[0m",
        b"\x1b]0;title\x07",
        BEGIN,
        BEGIN + b"n3",
        BEGIN + b"n3\x1b",
        BEGIN + b"n3\x1b[0m and on",
        BEGIN + b"\x1b\\",
        BEGIN + b"c" * 161 + b"\x1b\\",
        b"\x1b" * 5,
    ],
)
def test_what_is_no_whole_mark_of_ours_is_text(foreign):
    """P2: another token, another sequence, an end that never comes, an empty or too long body."""
    assert read(b"a", foreign, b"") == [Text("stdout", "", "a" + foreign.decode())]
    assert read(foreign + position_mark(TOKEN, 1)) == [Text("stdout", "", foreign.decode()), Position(1)]


@pytest.mark.parametrize("body", ["n", "n1x", "n²", "x", "s3", "s"])
def test_a_mark_that_we_do_not_know_is_no_text_and_changes_nothing(body):
    """P8: one of a newer version."""
    assert read(b"a", BEGIN + body.encode() + b"\x1b\\", b"b") == [Text("stdout", "", "ab")]


def test_text_belongs_to_the_cell_and_stream_of_the_last_mark():
    """P1: the order between the streams is that of the writes."""
    scope = Scope("cell", "client")
    data = [b"early", cell_mark(TOKEN, scope), b"out", stream_mark(TOKEN, "stderr"), b"err"]
    data += [position_mark(TOKEN, 4), stream_mark(TOKEN, "stdout"), b"again"]
    assert read(*data) == [
        Text("stdout", "", "early"),
        Text("stdout", "cell@client", "out"),
        Text("stderr", "cell@client", "err"),
        Position(4),
        Text("stdout", "cell@client", "again"),
    ]


def test_the_pipe_of_stderr_stays_stderr():
    assert read(b"a", stream_mark(TOKEN, "stdout"), b"b", name="stderr") == [Text("stderr", "", "ab")]


def test_a_character_cut_by_text_of_the_other_stream_is_whole_again():
    """P2: each stream has its own rest of a character."""
    first, rest = "✓".encode()[:2], "✓".encode()[2:]
    between = stream_mark(TOKEN, "stderr") + b"oops" + stream_mark(TOKEN, "stdout")
    assert read(first, between, rest) == [Text("stderr", "", "oops"), Text("stdout", "", "✓")]


def test_a_cut_character_belongs_to_the_cell_that_began_it():
    """P1: it does not turn up in the next one, nor is it lost at the end."""
    data = b"\xe2\x9c" + cell_mark(TOKEN, Scope("next")) + b"b\xe2"
    assert read(data) == [Text("stdout", "", "\ufffd"), Text("stdout", "next@", "b\ufffd")]


@given(ids, ids, st.booleans())
def test_a_scope_is_read_back(cell, origin, late):
    scope = Scope(cell, origin, late)
    assert Scope.parse(str(scope)) == scope


def test_no_scope_is_the_empty_one():
    assert Scope.parse("") == Scope()


@pytest.mark.parametrize("cell", ["x" * 160, "a\x1bb"])
def test_what_no_mark_can_hold_is_refused(cell):
    """P10: it would turn up as text."""
    with pytest.raises(ValueError, match="no mark can hold"):
        cell_mark(TOKEN, Scope(cell))
    assert read(cell_mark(TOKEN, Scope("x" * 158)), b"a") == [Text("stdout", "x" * 158 + "@", "a")]
