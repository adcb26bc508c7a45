"""A terminal without a terminal: keys go in by a pipe, pyte draws what comes out and answers what it is asked."""

import re
import threading

import pyte
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from pxshell.testing.waiting import wait_until

ROWS, COLUMNS = 24, 100


class PaintedTerminal:
    """What prompt_toolkit writes, drawn; the file that it writes to."""

    encoding = "utf-8"

    def __init__(self, keys, rows=ROWS, columns=COLUMNS):
        self.keys = keys
        self.size = Size(rows=rows, columns=columns)
        self.drawn = pyte.HistoryScreen(columns, rows, history=5000)
        self.drawn.set_mode(pyte.modes.LNM)
        self.drawn.write_process_input = self._tell
        self.is_gone = False
        self._stream = pyte.Stream(self.drawn)
        self._lock = threading.Lock()
        self.raw = ""
        self.output = Vt100_Output(self, lambda: self.size, term="xterm-256color")

    def write(self, text):
        with self._lock:
            self.raw += text
            self._stream.feed(text)
        return len(text)

    def _tell(self, text):
        if not self.is_gone:
            self.keys.send_text(text)

    def resize(self, rows):
        self.size = Size(rows=rows, columns=self.size.columns)
        self.drawn.resize(rows, self.size.columns)

    def hang_up(self):
        """Close the input, as a window that is closed."""
        self.is_gone = True
        self.keys.close()

    def flush(self):
        pass

    def isatty(self):
        return True

    def fileno(self):
        raise OSError("no file")

    def lines(self):
        """Return what is on the screen, and what has left it at the top."""
        with self._lock:
            gone = ["".join(row[x].data for x in range(self.size.columns)) for row in self.drawn.history.top]
            return [line.rstrip() for line in [*gone, *self.drawn.display]]

    def text(self):
        return "\n".join(self.lines())

    def wait_for(self, text, deadline_s=60):
        """Wait until the text is on the screen (a list: all of them); blanks at ends of lines do not count."""
        texts = [re.sub(" +(?=\n|$)", "", one) for one in ([text] if isinstance(text, str) else text)]
        wait_until(lambda: all(one in self.text() for one in texts), deadline_s, lambda: f"{texts} in\n{self.text()}")

    def type(self, text):
        self.keys.send_text(text)


@pytest.fixture
def painted():
    """A painted terminal, which prompt_toolkit uses meanwhile."""
    with create_pipe_input() as keys:
        terminal = PaintedTerminal(keys)
        with create_app_session(input=keys, output=terminal.output):
            yield terminal


@pytest.fixture
def typist(painted):
    """Run steps in a thread while the test has the prompt; a failed step closes the input and is raised."""
    failures, threads = [], []

    def begin(steps):
        def work():
            try:
                steps()
            except BaseException as error:
                failures.append(error)
                painted.hang_up()

        threads.append(threading.Thread(target=work, name="typist"))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join(30)
    if failures:
        raise failures[0]
