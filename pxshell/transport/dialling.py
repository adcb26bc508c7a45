"""How a connector gets a connection for each lane, and another one when it is cut."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from pxshell.errors import PxshellError
from pxshell.protocol.prefix import Hello, Kind, LinkError, Prefix
from pxshell.protocol.types import Lane
from pxshell.transport.admission import encode
from pxshell.transport.base import Reactor, Settings, Timer
from pxshell.transport.lanes import Link
from pxshell.transport.wire import Wire

__all__ = ["Dialling"]


class _Attempt:
    """What one lane is doing to be connected."""

    def __init__(self, first_pause: float) -> None:
        self.wire: Wire | None = None
        self.is_welcome = False
        self.pause = first_pause
        self.timer: Timer | None = None


class Dialling(ABC):
    """The lower half of a connector.

    Args:
        reactor: whose thread this runs in.
        settings: limits and times.
        link: knows what was received.
    """

    _hello: Hello

    def __init__(self, reactor: Reactor, settings: Settings, link: Link) -> None:
        self._reactor = reactor
        self._settings = settings
        self._link = link
        #: The server's name for the link; "" before its first welcome.
        self._token = ""
        self._is_closed = False
        self._attempts = self._new_attempts()

    @abstractmethod
    def _open_wire(self, lane: Lane) -> Wire:
        """Start a connection; it may be written to at once.

        Raises:
            OSError: it cannot be made now.
            PxshellError: it must not be made at all.
        """

    @abstractmethod
    def _lane_failed(self, lane: Lane, why: str) -> None:
        """Go on after a lane could not be connected, or was cut."""

    @abstractmethod
    def _fail(self, error: PxshellError) -> None:
        """Give up for good."""

    @abstractmethod
    def _join(self, welcome: Hello, wire: Wire) -> None:
        """Go on after both lanes were welcomed."""

    @abstractmethod
    def _leave(self, why: str) -> None:
        """Go on without the server that there was."""

    def _connect(self, lane: Lane) -> None:
        attempt = self._attempts[lane]
        attempt.timer = None
        if self._is_closed or attempt.wire is not None:
            return
        try:
            wire = self._open_wire(lane)
        except BlockingIOError:
            self._retry(lane)  # So many wait to be accepted that there is no room just now.
        except OSError as error:
            self._lane_failed(lane, error.strerror or str(error))
        except PxshellError as error:
            self._fail(error)
        else:
            self._use(lane, wire)

    def _use(self, lane: Lane, wire: Wire) -> None:
        """Say hello on a new wire."""
        self._attempts[lane].wire = wire
        received = self._link.end(lane).inbox.tell()
        hello = msgspec.structs.replace(self._hello, lane=int(lane), received=received, link=self._token)
        wire.write([Prefix(Kind.HELLO, received=received).pack(), encode(hello)])
        wire.flush()

    def _retry(self, lane: Lane) -> None:
        """Connect after a pause, each longer than the last."""
        attempt = self._attempts[lane]
        attempt.timer = self._reactor.call_later(attempt.pause, self._connect, lane)
        attempt.pause = min(2 * attempt.pause, self._settings.backoff[1])

    def _welcomed(self, lane: Lane, wire: Wire, welcome: Hello) -> None:
        attempt = self._attempts[lane]
        if attempt.is_welcome:
            raise LinkError("a second WELCOME")
        if welcome.link != self._token:
            self._meet_new_server(lane, welcome)
        attempt.is_welcome = True
        attempt.pause = self._settings.backoff[0]
        self._link.attach(lane, wire, welcome.received)
        if self._link.is_up:
            self._join(welcome, wire)

    def _meet_new_server(self, lane: Lane, welcome: Hello) -> None:
        """Count anew: the server is another process now, or has forgotten us. What it may not have is sent again."""
        if self._token:
            self._leave("it has started anew")
            for other, attempt in self._attempts.items():
                if other is not lane and attempt.wire is not None and attempt.is_welcome:
                    attempt.wire.close()
                    self._forget_wire(other)
                    self._retry(other)
            self._link.renew()
        self._token = welcome.link

    def _forget_wire(self, lane: Lane) -> None:
        self._attempts[lane].wire = None
        self._attempts[lane].is_welcome = False
        self._link.detach(lane)

    def _stop_dialling(self) -> None:
        """Close what is open, and forget it."""
        attempts, self._attempts = self._attempts, self._new_attempts()
        for attempt in attempts.values():
            if attempt.wire is not None:
                attempt.wire.close()
            if attempt.timer is not None:
                attempt.timer.cancel()

    def _open_wires(self) -> list[Wire]:
        return [attempt.wire for attempt in self._attempts.values() if attempt.wire is not None]

    def _lane_of(self, wire: Wire) -> Lane | None:
        return next((lane for lane, attempt in self._attempts.items() if attempt.wire is wire), None)

    def _free_lane(self) -> Lane | None:
        return next((lane for lane, attempt in self._attempts.items() if attempt.wire is None), None)

    def _new_attempts(self) -> dict[Lane, _Attempt]:
        return {lane: _Attempt(self._settings.backoff[0]) for lane in Lane}
