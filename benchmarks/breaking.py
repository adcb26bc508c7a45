"""What breakpoints cost a compute loop, on this Python: ours, those of bdb and of pydevd, against none.

Run: python benchmarks/breaking.py
"""

from __future__ import annotations

import bdb
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from loads import breaking

LOAD = Path(breaking.__file__)
NEVER, FALSE = (
    next(number for number, line in enumerate(LOAD.read_text().splitlines(), 1) if f"# breakpoint: {word}" in line)
    for word in ("never", "if")
)
CONDITION = "step < 0"
MODES = ("none", "pxshell", "pxshell, cleared", "bdb", "pydevd")


def with_pxshell(*, is_cleared: bool) -> dict[str, float]:
    """Measure with our breakpoints, or after they have been cleared."""
    from pxshell.engine.breakpoints import Breakpoint, BreakTable
    from pxshell.engine.debugging import make_backend
    from pxshell.engine.pausing import Pauser

    pauser = Pauser(on_event=lambda _: None, service=lambda _: None)
    table = BreakTable(0)
    backend = make_backend(table, pauser)
    pauser.begin_user_code()
    table.add(Breakpoint(1, file=str(LOAD), line=NEVER))
    table.add(Breakpoint(2, file=str(LOAD), line=FALSE, condition=CONDITION))
    backend.apply()
    breaking.measured()
    if is_cleared:
        table.remove()
        backend.apply()
    times = breaking.measured()
    pauser.end_user_code()
    return times


def with_bdb() -> dict[str, float]:
    """Measure under the standard library's debugger."""
    debugger = bdb.Bdb()
    debugger.set_break(str(LOAD), NEVER)
    debugger.set_break(str(LOAD), FALSE, cond=CONDITION)
    times: dict[str, float] = {}
    # Stops at the first line, goes on, and traces while there are breakpoints.
    debugger.user_line = lambda _: debugger.set_continue()  # type: ignore[method-assign]
    debugger.runcall(lambda: times.update(breaking.measured()))
    return times


class Editor:
    """The least that an editor says to debugpy (https://microsoft.github.io/debug-adapter-protocol/specification)."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._file = self._socket.makefile("rb")
        self._seq = 0

    def say(self, command: str, arguments: dict[str, Any]) -> None:
        """Send a request."""
        self._seq += 1
        text = json.dumps({"seq": self._seq, "type": "request", "command": command, "arguments": arguments}).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))

    def wait(self, name: str) -> None:
        """Wait for a response to a command, or an event."""
        while True:
            size = 0
            while line := self._file.readline().strip():
                size = int(line.partition(b":")[2])
            if not size:
                raise EOFError(name)
            message = json.loads(self._file.read(size))
            if name in (message.get("command"), message.get("event")):
                return


def with_pydevd() -> dict[str, float]:
    """Measure under debugpy, with an editor attached that has set the same breakpoints."""
    import debugpy  # noqa: T100 - it is what is measured

    _, port = debugpy.listen(("127.0.0.1", 0))  # noqa: T100 - as above
    ready = threading.Event()

    def edit() -> None:
        editor = Editor(port)
        editor.say("initialize", {"adapterID": "benchmark"})
        editor.wait("initialize")
        editor.say("attach", {"justMyCode": False})
        editor.wait("initialized")
        points = [{"line": NEVER}, {"line": FALSE, "condition": CONDITION}]
        editor.say("setBreakpoints", {"source": {"path": str(LOAD)}, "breakpoints": points})
        editor.wait("setBreakpoints")
        editor.say("configurationDone", {})
        editor.wait("configurationDone")
        ready.set()
        editor.wait("terminated")

    threading.Thread(target=edit, daemon=True).start()
    debugpy.wait_for_client()  # noqa: T100 - as above
    ready.wait()
    breaking.measured()
    return breaking.measured()


def measure(mode: str) -> dict[str, float]:
    """Measure in this process."""
    match mode:
        case "bdb":
            return with_bdb()
        case "pydevd":
            return with_pydevd()
        case "none":
            breaking.measured()
            return breaking.measured()
        case _:
            return with_pxshell(is_cleared="cleared" in mode)


def in_a_process(mode: str) -> dict[str, float]:
    """Measure in a process of its own, which nothing else has traced."""
    command = [sys.executable, "-Xfrozen_modules=off", __file__, mode]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        print(f"{mode}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return {}
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return times


def main() -> None:
    """Print a table: nanoseconds a step, and times as slow as without breakpoints."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    results = {mode: in_a_process(mode) for mode in MODES}
    loops = ("elsewhere", "calling", "beside", "condition")
    print(f"Python {sys.version.split()[0]}, ns a step (times as slow)\n")
    print(f"| breakpoints of | {' | '.join(loops)} |\n| --- | {' | '.join('---' for _ in loops)} |")
    base = results["none"]
    for mode, times in results.items():
        cells = [f"{times[loop]:.0f} ({times[loop] / base[loop]:.2f})" if times else "" for loop in loops]
        print(f"| {mode} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
