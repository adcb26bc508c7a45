"""Real engines at a fake node."""

import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from engine.fake_node import EngineProcess, FakeNode
from engine.pause_harness import Rank


class Rig:
    """A node, and engines that it takes."""

    def __init__(self, directory: Path, *, gives_pipes: bool = True) -> None:
        self.directory = directory
        self.node = FakeNode(directory / "node.sock", gives_pipes=gives_pipes)
        self.engines = []

    def start(self, *arguments: str, files: dict[str, str] | None = None, **environment) -> EngineProcess:
        """Write files, start an engine beside them, and wait until it has joined."""
        engine = self.start_alone(*arguments, files=files, node=self.node.path, **environment)
        self.node.wait_for(lambda: self.node.hellos, "the engine's hello")
        return engine

    def start_alone(self, *arguments: str, files=None, node=None, python=("-m", "pxshell.engine"), **environment):
        """Write files and start an engine that nobody waits for."""
        for name, text in (files or {}).items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        engine = EngineProcess(node, *arguments, cwd=self.directory, python=python, **environment)
        self.engines.append(engine)
        return engine

    def script(self, text: str, *arguments: str, **environment) -> EngineProcess:
        """Start an engine that runs this program."""
        return self.start("sim.py", *arguments, files={"sim.py": text}, **environment)

    def close(self) -> None:
        for engine in self.engines:
            engine.close()
        self.node.close()


@pytest.fixture
def rig():
    """Give a node and a way to start engines."""
    with tempfile.TemporaryDirectory(prefix="pxe-", dir="/tmp") as directory:
        rig = Rig(Path(directory))
        yield rig
        rig.close()


@pytest.fixture
def node(rig):
    """Give the node of a REPL engine that is idle."""
    rig.start()
    rig.node.wait_state("idle")
    return rig.node


@pytest.fixture
def rank():
    """Give a pauser whose main thread is this one, as if nothing traced the tests."""
    tracer = sys.gettrace()
    sys.settrace(None)
    rank = Rank()
    rank.pauser.install_signal()
    yield rank
    rank.close()
    sys.settrace(tracer)
