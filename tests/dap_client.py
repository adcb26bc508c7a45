"""A DAP client for tests: requests and their responses, events waited for, over any way to send bytes.

https://microsoft.github.io/debug-adapter-protocol/specification
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading

LIMIT_S = 30.0


class DapError(Exception):
    """A response that says no."""


class DapClient:
    """Speaks through `send`; whatever reads calls `feed`, and `ended` at the end."""

    def __init__(self, send) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._bytes = b""
        self._changed = threading.Condition()
        self.messages = []
        self.is_over = False

    def feed(self, data: bytes) -> None:
        with self._changed:
            self._bytes += data
            while (message := self._next()) is not None:
                self.messages.append(message)
            self._changed.notify_all()

    def ended(self) -> None:
        with self._changed:
            self.is_over = True
            self._changed.notify_all()

    def _next(self):
        head, found, rest = self._bytes.partition(b"\r\n\r\n")
        if not found:
            return None
        length = int(head.decode().lower().partition("content-length:")[2].split("\r\n")[0])
        if len(rest) < length:
            return None
        self._bytes = rest[length:]
        return json.loads(rest[:length])

    def begin(self, command: str, arguments: dict | None = None) -> int:
        """Send a request and return its number."""
        seq = next(self._numbers)
        body = {"seq": seq, "type": "request", "command": command, "arguments": arguments or {}}
        data = json.dumps(body).encode()
        self._send(b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
        return seq

    def finish(self, seq: int) -> dict:
        """Wait for a response and return its body."""

        def is_it(one):
            return one["type"] == "response" and one["request_seq"] == seq

        response = self.wait(is_it, f"the response to {seq}")
        if not response["success"]:
            raise DapError(response.get("message"))
        return response.get("body") or {}

    def request(self, command: str, **arguments) -> dict:
        """Send a request, wait for its response and return the body."""
        return self.finish(self.begin(command, arguments))

    def event(self, name: str, since: int = 0, **facts) -> dict:
        """Wait for an event and return its body."""

        def is_it(one):
            body = one.get("body") or {}
            return one.get("event") == name and all(body.get(key) == value for key, value in facts.items())

        return self.wait(is_it, f"the event {name} {facts}", since).get("body") or {}

    def wait(self, condition, what: str, since: int = 0) -> dict:
        def found():
            return next((one for one in self.messages[since:] if condition(one)), None)

        with self._changed:
            if not self._changed.wait_for(lambda: found() or self.is_over, LIMIT_S) or not found():
                raise TimeoutError(f"waited in vain for {what}; last {self.messages[-6:]}; over: {self.is_over}")
            return found()

    def wait_over(self) -> None:
        """Wait for the end of the connection."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.is_over, LIMIT_S), self.messages[-6:]

    @property
    def now(self) -> int:
        """Where the messages that come from now on begin."""
        return len(self.messages)

    # What tests do more than once.

    def attach(self, breakpoints=(), file: str = "", **arguments) -> None:
        """Do what an editor does first."""
        self.request("initialize", adapterID="test", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
        attached = self.begin("attach", {"justMyCode": True, **arguments})
        self.event("initialized")
        if file:
            self.request("setBreakpoints", source={"path": file}, breakpoints=list(breakpoints))
        self.request("configurationDone")
        self.finish(attached)

    def top(self, stopped: dict) -> dict:
        """Return the innermost frame of a stopped thread."""
        return self.request("stackTrace", threadId=stopped["threadId"])["stackFrames"][0]

    def value(self, expression: str, frame: dict) -> str:
        """Evaluate in a frame."""
        return self.request("evaluate", expression=expression, frameId=frame["id"], context="watch")["result"]

    def variables(self, frame: dict) -> dict:
        """Return the locals of a frame, by name."""
        scopes = self.request("scopes", frameId=frame["id"])["scopes"]
        reference = next(one["variablesReference"] for one in scopes if one["name"] == "Locals")
        found = self.request("variables", variablesReference=reference)["variables"]
        return {"": reference} | {one["name"]: one["value"] for one in found}


class TcpDapClient(DapClient):
    """One that connects to a port of this machine; a context manager."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self.socket.settimeout(None)
        super().__init__(self.socket.sendall)
        self._thread = threading.Thread(target=self._read, name="dap-client")
        self._thread.start()

    def _read(self) -> None:
        try:
            while data := self.socket.recv(65536):
                self.feed(data)
        except OSError:
            pass
        finally:
            self.ended()

    def close(self) -> None:
        """Cut the connection, as an editor that is killed does."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc) -> None:
        self.close()
