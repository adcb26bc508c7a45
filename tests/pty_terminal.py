"""A program in a real pseudo-terminal, which is drawn by pyte and answers as a terminal does."""

import os
import sys
import threading

import ptyprocess
import pyte

from pxshell.testing.waiting import wait_until


class Pty:
    """Python with some words behind it, in a pty."""

    def __init__(self, *words, rows=24, columns=90, cwd=None):
        environ = {**os.environ, "TERM": "xterm-256color", "PYTHONUNBUFFERED": "1"}
        line = [sys.executable, *words]
        self.process = ptyprocess.PtyProcess.spawn(line, cwd=cwd, env=environ, dimensions=(rows, columns))
        self.screen = pyte.Screen(columns, rows)
        self.screen.write_process_input = lambda text: self.process.closed or self.type(text)
        self._stream = pyte.ByteStream(self.screen)
        self._written = bytearray()
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="pty reader")
        self._reader.start()

    def _read(self):
        data = b"-"
        while data:
            try:
                data = os.read(self.process.fd, 65536)
                with self._lock:
                    self._written += data
                    self._stream.feed(data)
            except OSError:
                return

    def lines(self):
        with self._lock:
            return [line.rstrip() for line in self.screen.display]

    def wait_for(self, text, deadline_s=60):
        wait_until(
            lambda: text in "\n".join(self.lines()), deadline_s, lambda: f"{text!r} in\n" + "\n".join(self.lines())
        )

    def wait_for_passing(self, text, deadline_s=60):
        """Wait until a text in one style has been written, though it may have left the screen since."""
        wait_until(
            lambda: text.encode() in self._written, deadline_s, lambda: f"{text!r} above\n" + "\n".join(self.lines())
        )

    def type(self, text):
        self.process.write(text.encode())

    def end(self):
        # The reader ends with the program, and has nothing left to answer when the pty is closed.
        self.process.terminate(force=True)
        self._reader.join()
        self.process.close()
