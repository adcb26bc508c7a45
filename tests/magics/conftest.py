"""An IPython with the magics on a scripted client."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from pxshell.magics import load, unload_ipython_extension
from traitlets.config import Config as IPythonConfig

from pxshell.ranks import EMPTY
from pxshell.render import to_plain
from pxshell.session import Config, Session
from pxshell.testing.scripted import RecordingDisplay, ScriptedClient, replies


@pytest.fixture(scope="module")
def ipython():
    config = IPythonConfig()
    # No thread that saves history.
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    yield shell
    shell.reset(new_session=False)
    InteractiveShell.clear_instance()


class Magician:
    """An IPython, a session on a scripted client, and what was shown."""

    def __init__(self, shell, client):
        self.shell = shell
        self.client = client
        self.display = RecordingDisplay("an answer")
        self.session = None
        if client is not None:
            self.session = Session(client, self.display, Config(progress_after=-1, control_deadline=1.0))
            client.on("execute_request", replies("execute_reply", (None, {"status": "ok"})))
        self.holder = load(shell, self.session, self.display)

    def run(self, line):
        """Run a cell of IPython and return what was shown, as plain text."""
        self.display.events.clear()
        self.shell.run_cell(line)
        world = self.client.ranks if self.client else EMPTY
        return "".join(to_plain(event, world) for event in self.display.events)

    def sent(self):
        """Return code and ranks of all cells that were sent."""
        return [(asked.content["code"], str(asked.ranks)) for asked in self.client.asked_for("execute_request")]


@pytest.fixture
def magician(ipython):
    magician = Magician(ipython, ScriptedClient())
    yield magician
    unload_ipython_extension(ipython)
    magician.session.close()


@pytest.fixture
def alone(ipython):
    yield Magician(ipython, None)
    unload_ipython_extension(ipython)
