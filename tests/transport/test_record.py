"""Frame lists as bytes of a stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.protocol.prefix import LinkError
from pxshell.transport.record import MAX_FDS, RecordReader, encode_record

FRAMES = st.lists(st.one_of(st.binary(max_size=50), st.integers(0, 100_000).map(bytes)), min_size=1, max_size=5)


def feed(reader, data, sizes):
    records, sizes = [], iter(sizes)
    while data:
        space = reader.space()
        count = min(len(data), len(space), next(sizes, 1 << 20))
        space[:count] = data[:count]
        data = data[count:]
        reader.advance(count)
        while (record := reader.next_record()) is not None:
            records.append(([bytes(frame) for frame in record[0]], record[1]))
    return records


@given(st.lists(st.tuples(FRAMES, st.integers(0, MAX_FDS)), max_size=6), st.lists(st.integers(1, 70_000), max_size=30))
def test_records_are_read_as_they_were_written_however_they_are_cut(records, sizes):
    reader = RecordReader()
    reader.limit = 1 << 30
    data = b"".join(bytes(view) for frames, fds in records for view in encode_record(frames, fds))
    assert feed(reader, data, sizes) == records


def test_the_scratch_grows_while_reads_fill_it_and_not_before():
    """P7: a node has two readers for each rank, and most of them never see more than a few hundred bytes."""
    small = b"".join(bytes(view) for view in encode_record([b"x" * 100]))
    reader = RecordReader()
    feed(reader, small * 3, [len(small)] * 3)
    assert len(reader.space()) <= 4 << 10
    feed(reader, small * 10_000, [])
    assert len(reader.space()) > 32 << 10


def test_a_long_table_of_lengths_is_read():
    frames = [b"x"] * 20_000
    reader = RecordReader()
    reader.limit = 1 << 30
    data = b"".join(bytes(view) for view in encode_record(frames))
    assert feed(reader, data, [10_000] * 100) == [(frames, 0)]


@given(st.binary(min_size=8, max_size=200))
def test_random_bytes_are_an_error_or_wait_for_more(data):
    """P9."""
    try:
        assert feed(RecordReader(), data, []) == [] or data[:3] == b"px\1"
    except LinkError:
        assert True


def test_a_record_above_the_limit_is_an_error_before_any_memory_is_taken():
    """P7, P9: before the hello nobody gets more than 64 KiB."""
    head = encode_record([bytes(100_000)])[0]
    with pytest.raises(LinkError, match="the limit is 65536"):
        feed(RecordReader(), bytes(head), [])


def test_large_frames_are_not_copied_on_their_way_out():
    buffer = bytearray(100_000)
    assert encode_record([b"small", buffer])[2].obj is buffer


def test_too_many_frames_or_descriptors_are_an_error():
    with pytest.raises(LinkError):
        encode_record([b""] * 70_000)
    with pytest.raises(LinkError):
        encode_record([b""], MAX_FDS + 1)
