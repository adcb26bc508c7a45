"""Keys typed into the real terminal while 4 ranks print without end: how long until each is on the screen."""

from __future__ import annotations

import os
import random
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator

import bench
import ptyprocess
from figures import Figure, percentile

__all__ = ["figures"]

GROUP = "typing"
ROWS, COLUMNS = 40, 100

# Greek and Cyrillic: in no output and no escape sequence, and each used once, so that a repainted line is no echo.
LETTERS = [chr(code) for code in (*range(0x3B1, 0x3C2), *range(0x3C3, 0x3CA), *range(0x430, 0x450))]
_ESCAPES = re.compile(rb"\x1b(\[[0-9;?]*[A-Za-z]|[=>]|\][^\x07]*\x07)")
_FLOOD = """import threading, time
def flood(pause, stop):
    number = 0
    while not stop.is_set():
        number += 1
        print('step', number, 'of rank', rank, flush=True)
        if pause:
            time.sleep(pause)
def begin(pause):
    global stop
    stop = threading.Event()
    threading.Thread(target=flood, args=(pause, stop), daemon=True).start()
"""


class Terminal:
    """A program in a pty; a thread reads, notes when a wanted text came, and answers where the cursor is."""

    def __init__(self, argv: list[str]) -> None:
        environ = {**os.environ, "TERM": "xterm-256color"}
        self._process = ptyprocess.PtyProcess.spawn(argv, env=environ, dimensions=(ROWS, COLUMNS))
        self._came = threading.Condition()
        self._text = bytearray()
        self.read = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._process.fd, 65536)
            except OSError:
                return
            # At the bottom, where a flood has it: no emulator that would cost more than what is measured.
            for _ in range(data.count(b"\x1b[6n")):
                self.type(f"\x1b[{ROWS};1R")
            with self._came:
                self.read += len(data)
                self._text += data
                del self._text[:-200_000]
                self._came.notify_all()

    def type(self, text: str) -> None:
        """Press keys."""
        self._process.write(text.encode())

    def wait_for(self, text: str, seconds: float = 30.0) -> None:
        """Wait until a text has come, escape sequences apart; what came before is forgotten.

        Raises:
            TimeoutError: it has not.
        """
        self._wait(lambda: text.encode() in _ESCAPES.sub(b"", bytes(self._text)), text, seconds)

    def wait_for_letter(self, letter: str, seconds: float = 30.0) -> None:
        """Wait until a letter has come; what came before is forgotten."""
        wanted = letter.encode()
        self._wait(lambda: wanted in self._text, letter, seconds)

    def _wait(self, has_come: Callable[[], bool], what: str, seconds: float) -> None:
        with self._came:
            if not self._came.wait_for(has_come, seconds):
                raise TimeoutError(f"{what!r} is not on the screen: {bytes(self._text[-2000:])!r}")
            self._text.clear()

    def close(self) -> None:
        """End the program, as a window that is closed."""
        self._process.terminate(force=True)
        self._reader.join(5)
        self._process.close()


def figures(*, short: bool) -> Iterator[Figure]:
    """Measure."""
    from pxshell.cluster import Cluster

    keys = 3 if short else len(LETTERS)
    cluster = Cluster.start(4, launcher="local")
    try:
        terminal = Terminal([*bench.PXSHELL, "attach", cluster.name])
        try:
            cluster.client()[:].execute(_FLOOD, block=True)
            terminal.wait_for("px[0-3]>")
            yield _figure("echo, ranks quiet", _echoes(terminal, keys), "", judge=False)
            for what, pause in (("100 lines/s a rank", 0.01), ("as fast as they can", 0)):
                # Typed there, since output goes to the front end that asked for it.
                terminal.type(f"begin({pause})\r")
                terminal.wait_for("of rank 3")
                time.sleep(0.1 if short else 1.0)
                before, begin = terminal.read, time.monotonic()
                waits = _echoes(terminal, keys)
                rate = (terminal.read - before) / (time.monotonic() - begin) / 1000
                yield _figure(f"echo, 4 ranks print {what}", waits, f"{rate:.0f} kB/s on the screen", judge=True)
                cluster.client()[:].execute("stop.set()", block=True)
                time.sleep(0.1 if short else 1.0)
        finally:
            terminal.close()
    finally:
        cluster.stop(0.0)


def _echoes(terminal: Terminal, keys: int) -> list[float]:
    waits = []
    for letter in LETTERS[:keys]:
        begin = time.perf_counter()
        terminal.type(letter)
        terminal.wait_for_letter(letter)
        waits.append((time.perf_counter() - begin) * 1000)
        time.sleep(random.uniform(0.02, 0.12))
    # Ctrl-U: the line is empty again, and repainted without the letters.
    terminal.type("\x15")
    time.sleep(0.3)
    return waits


def _figure(name: str, waits: list[float], note: str, *, judge: bool) -> Figure:
    high = percentile(waits, 99)
    spread = f"median {statistics.median(waits):.1f} ms of {len(waits)} keys"
    note = "; ".join(filter(None, (spread, note)))
    return Figure(
        GROUP,
        f"{name}: 99th percentile",
        "ms",
        high,
        target="<= 50 ms" if judge else "",
        met=high <= 50 if judge else None,
        note=note,
    )
