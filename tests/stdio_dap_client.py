"""A DAP client of an adapter that it starts, on the adapter's stdin and stdout."""

from __future__ import annotations

import subprocess
import threading

from dap_client import DapClient


class StdioDapClient(DapClient):
    """A context manager."""

    def __init__(self, command) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        super().__init__(self._write)
        self._thread = threading.Thread(target=self._read, name="dap-client")
        self._thread.start()

    def _write(self, data: bytes) -> None:
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def _read(self) -> None:
        while data := self.process.stdout.read1(65536):
            self.feed(data)
        self.ended()

    def __enter__(self):
        return self

    def __exit__(self, *exc) -> None:
        self.process.stdin.close()
        self._thread.join()
        self.process.stdout.close()
        self.process.wait()
