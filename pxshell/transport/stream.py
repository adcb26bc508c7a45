"""A wire on a stream socket: frame lists, and descriptors with them, sent and received without blocking."""

from __future__ import annotations

import array
import contextlib
import errno
import os
import socket
import sys
from collections import deque
from collections.abc import Sequence
from itertools import islice

from pxshell.protocol.message import Buffer
from pxshell.protocol.prefix import LinkError
from pxshell.transport.base import Proof, Reactor
from pxshell.transport.lanes import close_all
from pxshell.transport.record import MAX_FDS, RecordReader, encode_record
from pxshell.transport.wire import Wire, WireUser

__all__ = ["StreamWire"]

# A callback reads this much at most, so that the other lane has its turn.
_READ_BYTES = 4 << 20
# IOV_MAX is 1024 on all systems that matter.
_MAX_VECTORS = 512
_FDS_SPACE = socket.CMSG_SPACE(MAX_FDS * array.array("i").itemsize)
# A dead peer must not cost the user's program a SIGPIPE, whose handler may be the default one again.
_SEND_FLAGS = getattr(socket, "MSG_NOSIGNAL", 0)
_RECEIVE_FLAGS = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
# An integer: operations on an enum's members are calls of Python.
_TRUNCATED = int(socket.MSG_CTRUNC)
_SO_NOSIGPIPE = 0x1022


class StreamWire(Wire):
    """A wire on a connected stream socket, which it owns from now on.

    Args:
        user: told what comes.
        proof: what the kernel says of the other end.
        reactor: whose thread this runs in.
        sock: non-blocking from now on.
        max_bytes: the longest record, once the other end has said hello (`trust`).
    """

    def __init__(self, user: WireUser, proof: Proof, reactor: Reactor, sock: socket.socket, max_bytes: int) -> None:
        super().__init__(user, proof)
        self._reactor = reactor
        self._socket = sock
        self._max_bytes = max_bytes
        self._reader = RecordReader()
        # Records that wait: buffers, and the descriptors that go with the first byte.
        self._pending: deque[tuple[deque[memoryview], tuple[int, ...]]] = deque()
        self._is_writing = False
        self._is_broken = False
        self._received_fds: deque[int] = deque()
        sock.setblocking(False)
        if sys.platform == "darwin":
            sock.setsockopt(socket.SOL_SOCKET, _SO_NOSIGPIPE, 1)
        reactor.add_reader(sock.fileno(), self._read)

    def trust(self) -> None:
        """Accept large records from now on."""
        self._reader.limit = self._max_bytes

    # Sending.

    def takes_more(self) -> bool:
        """Tell whether nothing waits that the kernel did not take."""
        return not self.is_closed and not self._is_writing and len(self._pending) < _MAX_VECTORS // 4

    def write(self, frames: Sequence[Buffer], fds: tuple[int, ...] = ()) -> None:
        """Take a frame list; `flush` sends it."""
        if not self.is_closed and not self._is_broken:
            self._pending.append((deque(encode_record(frames, len(fds))), fds))

    def flush(self) -> None:
        """Send as much as the kernel takes; the rest when it takes more."""
        if self._is_writing or self.is_closed:
            return
        self._send_pending()
        if self._pending and not self.is_closed:
            self._is_writing = True
            self._reactor.add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        self._send_pending()
        if not self._pending and self._is_writing:
            self._is_writing = False
            self._reactor.remove_writer(self._socket.fileno())
            self.user.wire_ready(self)

    def _send_pending(self) -> None:
        try:
            while self._pending:
                buffers, fds = self._next_batch()
                if len(buffers) == 1 and not fds:
                    count = self._socket.send(buffers[0], _SEND_FLAGS)
                else:
                    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
                    count = self._socket.sendmsg(buffers, ancillary, _SEND_FLAGS)
                self._count_sent(count)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno == errno.ENOBUFS:  # macOS says so where others say EAGAIN.
                return
            # Not closed yet: what the peer said before it went is still to be read, and then the end.
            self._is_broken = True
            self._pending.clear()

    def _next_batch(self) -> tuple[list[memoryview], tuple[int, ...]]:
        """Return buffers for one call: several records, but descriptors only with the first of them."""
        if len(self._pending) == 1 and len(self._pending[0][0]) <= _MAX_VECTORS:
            buffers, fds = self._pending[0]
            return list(buffers), fds
        records = islice(self._pending, _MAX_VECTORS // 4)
        first, fds = next(records)
        batch = list(islice(first, _MAX_VECTORS))
        for buffers, more_fds in records:
            if more_fds or len(batch) + len(buffers) > _MAX_VECTORS:
                break
            batch.extend(buffers)
        return batch, fds

    def _count_sent(self, count: int) -> None:
        # The descriptors of the first record went with its first byte.
        buffers, fds = self._pending[0]
        if fds:
            self._pending[0] = buffers, ()
        while count:
            buffers = self._pending[0][0]
            if count < buffers[0].nbytes:
                buffers[0] = buffers[0][count:]
                return
            count -= buffers.popleft().nbytes
            if not buffers:
                self._pending.popleft()

    # Receiving.

    def _read(self) -> None:
        self._read_some(_READ_BYTES)

    def read_rest(self) -> None:
        """Deliver what has arrived already, without a word about an end that is found then."""
        self._read_some(sys.maxsize, is_rest=True)

    def _read_some(self, most: int, *, is_rest: bool = False) -> None:
        total = 0
        try:
            while total < most and not self.is_closed:
                space = self._reader.space()
                count = self._receive(space)
                if not count:
                    self._ended("the connection was closed", is_told=not is_rest)
                    return
                total += count
                self._reader.advance(count)
                self._deliver()
                if count < len(space) and not is_rest:
                    return  # that was all, or the loop calls again: asking costs as much as reading
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._ended(error.strerror or str(error), is_told=not is_rest)
        except LinkError as error:
            self._ended(f"it broke the protocol: {error}", is_told=not is_rest)

    def _receive(self, space: memoryview) -> int:
        count, ancillary, flags, _ = self._socket.recvmsg_into([space], _FDS_SPACE, _RECEIVE_FLAGS)
        if ancillary:
            self._take_fds(ancillary)
        if flags & _TRUNCATED or len(self._received_fds) > MAX_FDS:
            raise LinkError("too many descriptors")
        return count

    def _take_fds(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array.array("i")
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
                for fd in fds:
                    if not _RECEIVE_FLAGS:
                        os.set_inheritable(fd, False)
                    self._received_fds.append(fd)

    def _deliver(self) -> None:
        while not self.is_closed and (record := self._reader.next_record()) is not None:
            frames, count = record
            self.user.frames_received(self, frames, self._fds_of_record(count) if count else ())

    def _fds_of_record(self, count: int) -> tuple[int, ...]:
        if count > len(self._received_fds):
            raise LinkError(f"{count} descriptors are announced, {len(self._received_fds)} came")
        return tuple(self._received_fds.popleft() for _ in range(count))

    def _ended(self, why: str, *, is_told: bool) -> None:
        if not self.is_closed:
            self.close()
            if is_told:
                self.user.wire_closed(self, why)

    # Ends.

    def close(self) -> None:
        """Release the socket, after one attempt to send what was written."""
        if self.is_closed:
            return
        if not self._is_writing:
            self._send_pending()
        self._reactor.remove_reader(self._socket.fileno())
        if self._is_writing:
            self._reactor.remove_writer(self._socket.fileno())
        self._release()

    def abandon(self) -> None:
        """Close the descriptors and nothing else."""
        self._release()

    def _release(self) -> None:
        self.is_closed = True
        self._pending.clear()
        close_all(self._received_fds)
        self._received_fds.clear()
        with contextlib.suppress(OSError):
            self._socket.close()
