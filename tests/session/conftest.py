"""Sessions on a scripted client."""

import time

import pytest

from pxshell.ranks import RankSet
from pxshell.render import to_plain
from pxshell.session import Config, Session
from pxshell.testing.scripted import RecordingDisplay, Said, ScriptedClient
from pxshell.values.survey import answer

#: Seconds in which news of ranks are told together: until the test says that they are over, on the slowest machine.
FOR_EVER = 1000.0


class Stage:
    """A session, its client and its display; answers to cells are written down by code."""

    def __init__(self, *answers, size=4, **facts):
        self.client = ScriptedClient(size, **facts)
        self.display = RecordingDisplay(*answers)
        self.session = Session(self.client, self.display, Config(progress_after=-1, control_deadline=1.0))
        self.session._notices._gather = FOR_EVER
        self.cells = {}
        self.client.on("execute_request", self._execute)

    def _execute(self, asked):
        said = self.cells.get(asked.content["code"], [])
        yield from said
        answered = RankSet()
        for one in said:
            if one.type in {"execute_reply", "px_missing"}:
                answered |= RankSet.parse_folded(one.ranks)
        if asked.ranks - answered:
            yield Said("execute_reply", {"status": "ok"}, asked.ranks - answered)

    def on_cell(self, code, *said):
        self.cells[code] = list(said)

    def on_values(self, *names):
        """Let each rank answer questions about values of its own, as an engine does."""

        def survey(asked):
            for rank in asked.ranks:
                try:
                    content, buffers = answer(asked.content, lambda text, rank=rank: eval(text, dict(names[rank])))
                except Exception as error:
                    content, buffers = {"status": "error", "ename": type(error).__name__, "evalue": str(error)}, []
                yield Said("px_survey_reply", {"status": "ok", **content}, str(rank), tuple(buffers))

        self.client.on("px_survey_request", survey)

    def shown(self, columns=80):
        """Return all that was shown since the last call, as plain text."""
        events, self.display.events = self.display.events, []
        return "".join(to_plain(event, self.client.ranks, columns) for event in events)

    def gathered(self):
        """Return what is shown once the time in which news are told together is over."""
        self.session._notices._flush()
        return self.shown()


def result(text, ranks):
    return Said("execute_result", {"data": {"text/plain": text}, "metadata": {}}, ranks)


def printed(text, ranks, name="stdout"):
    return Said("stream", {"name": name, "text": text}, ranks)


def failed(ename, evalue, ranks, **where):
    content = {"ename": ename, "evalue": evalue, "traceback": [], **where}
    return [Said("error", content, ranks), Said("execute_reply", {"status": "error", **content}, ranks)]


@pytest.fixture
def make_stage():
    stages = []

    def make(*answers, **facts):
        stages.append(Stage(*answers, **facts))
        return stages[-1]

    yield make
    for stage in stages:
        stage.session.close()


@pytest.fixture
def stage(make_stage):
    return make_stage()


@pytest.fixture
def say():
    """What ranks say: the builders of this module, for tests in other modules."""

    class Say:
        result = staticmethod(result)
        printed = staticmethod(printed)
        failed = staticmethod(failed)

    return Say


@pytest.fixture
def running(make_stage):
    """Give four ranks of a simulation, which run."""
    stage = make_stage(name="sim-1", mpi="MPICH 5.0.2", script="sim.py", started=time.time())
    stage.client.set_state("0-3", activity="busy", cell="run")
    return stage
