"""A rank's debugger through the tunnel, beside `debugpy.listen` in plain Python; the rank's speed before and after."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import bench
from at_ranks import NoDisplay
from figures import Figure

from pxshell.cluster import Cluster
from pxshell.ranks import RankSet
from pxshell.session import Session

__all__ = ["figures"]

GROUP = "an editor on a rank"
LOAD = bench.LOADS / "called.py"
RANK = RankSet.of(0)


class Editor:
    """The little of the Debug Adapter Protocol that is measured, on a port of this machine."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._seq = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request; return its number."""
        self._seq += 1
        body = {"seq": self._seq, "type": "request", "command": command, "arguments": arguments}
        data = json.dumps(body).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
        return self._seq

    def until(self, **facts: Any) -> dict[str, Any]:
        """Read on until a message has these facts; return its body."""
        while True:
            length = 0
            while (line := self._file.readline()) != b"\r\n":
                if not line:
                    raise EOFError
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            message = json.loads(self._file.read(length))
            if all(message.get(name) == value for name, value in facts.items()):
                return message.get("body") or {}

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        return self.until(type="response", request_seq=self.send(command, **arguments))

    def attach(self, line: int | None) -> dict[str, Any] | None:
        """Attach; with a breakpoint, return where the program has stopped."""
        self.ask("initialize", adapterID="bench", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
        self.send("attach", justMyCode=True)
        self.until(event="initialized")
        if line is not None:
            self.ask("setBreakpoints", source={"path": str(LOAD)}, breakpoints=[{"line": line}])
        self.send("configurationDone")
        if line is None:
            return None
        return self.until(event="stopped")

    def evaluate(self, stopped: dict[str, Any], repeats: int) -> float:
        """Return the median of the times of an evaluation, in ms."""
        frame = self.ask("stackTrace", threadId=stopped["threadId"], levels=1)["stackFrames"][0]["id"]
        times = []
        for _ in range(repeats):
            begin = time.perf_counter()
            self.ask("evaluate", expression="total", frameId=frame, context="watch")
            times.append(time.perf_counter() - begin)
        return statistics.median(times) * 1e3


def figures(*, short: bool) -> Iterator[Figure]:
    """Measure."""
    repeats, seconds = (5, 0.2) if short else (300, 3.0)
    line = 1 + next(n for n, text in enumerate(LOAD.read_text().splitlines()) if "a breakpoint" in text)
    cluster = Cluster.start(1, script=[str(LOAD)], hold=True)
    try:
        client = cluster.client()
        client.request("px_start_request", {}, client.ranks).wait(10)
        with Session(client, NoDisplay()) as session:
            port = session.attach_editor(RANK)[0]
            never = _speed(session, seconds)
            direct, listening = _direct(line, repeats)
            yield from _stops(session, port, line, direct, repeats, short=short)
            yield from _speeds(session, port, seconds, never, listening)
    finally:
        cluster.stop(0.0)


def _direct(line: int, repeats: int) -> tuple[float, float]:
    """Return what debugpy takes for an evaluation by itself, in ms, and for each call while attached, in ns."""
    with subprocess.Popen(
        [bench.PYTHON, "-Xfrozen_modules=off", str(LOAD)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PXBENCH_LISTEN": "1"},
    ) as process:
        assert process.stdout is not None
        try:
            with Editor(int(process.stdout.readline())) as editor:
                stopped = editor.attach(line)
                assert stopped is not None
                evaluated = editor.evaluate(stopped, repeats)
                frame = editor.ask("stackTrace", threadId=stopped["threadId"], levels=1)["stackFrames"][0]["id"]
                editor.ask("setBreakpoints", source={"path": str(LOAD)}, breakpoints=[])
                editor.ask("evaluate", expression="times.clear()", frameId=frame, context="repl")
                editor.ask("continue", threadId=stopped["threadId"])
                time.sleep(1.0)
                editor.ask("pause", threadId=stopped["threadId"])
                paused = editor.until(event="stopped")
                frame = editor.ask("stackTrace", threadId=paused["threadId"], levels=1)["stackFrames"][0]["id"]
                code = "__import__('statistics').median(times[1:])"
                found = editor.ask("evaluate", expression=code, frameId=frame, context="repl")
                return evaluated, float(found["result"]) * 1e9
        finally:
            process.kill()


def _stops(session: Session, port: int, line: int, direct: float, repeats: int, *, short: bool) -> Iterator[Figure]:
    firsts, evaluated = [], 0.0
    for _ in range(2 if short else 10):
        begin = time.perf_counter()
        with Editor(port) as editor:
            stopped = editor.attach(line)
            assert stopped is not None
            firsts.append((time.perf_counter() - begin) * 1e3)
            evaluated = evaluated or editor.evaluate(stopped, repeats)
            editor.ask("disconnect")
        bench.wait_until(lambda: session.running == RANK, 30)
    note = f"median of {repeats}"
    yield Figure(GROUP, "`evaluate` in a stopped frame", "ms", evaluated, "debugpy.listen", direct, note=note)
    yield Figure(GROUP, "connect to first `stopped` event, first time", "ms", firsts[0], note="debugpy is loaded then")
    yield Figure(GROUP, "connect to first `stopped` event, later", "ms", statistics.median(firsts[1:]))


def _speeds(session: Session, port: int, seconds: float, never: float, listening: float) -> Iterator[Figure]:
    with Editor(port) as editor:
        editor.attach(None)
        bench.wait_until(lambda: session.running != RANK, 30)
        attached = _speed(session, seconds)
        editor.ask("disconnect")
    bench.wait_until(lambda: session.running == RANK, 30)
    after = _speed(session, seconds)
    name = "a call of a function"
    yield Figure(GROUP, f"{name}, before", "ns", never, note="no editor has ever come")
    yield Figure(GROUP, f"{name}, attached without breakpoints", "ns", attached, "debugpy.listen", listening)
    yield Figure(GROUP, f"{name}, when it has gone", "ns", after, "before", never)


def _speed(session: Session, seconds: float) -> float:
    """Return what a call takes from now on, in ns, as the rank itself measures it."""
    session.pull("times.clear()", RANK, peek=True)
    time.sleep(seconds)
    value = session.pull("__import__('statistics').median(times[1:] or [0.0])", RANK, peek=True)[0]
    return float(value) * 1e9
