"""The transcripts of docs/guide/failed.md, typed on real MPI ranks."""

import pytest
import transcripts
from IPython.core.interactiveshell import InteractiveShell
from pxshell.magics import unload_ipython_extension
from traitlets.config import Config as IPythonConfig

from pxshell.testing.waiting import wait_until

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(120)]

PAGE = "failed.md"


@pytest.fixture(scope="module")
def ipython():
    config = IPythonConfig()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    yield shell
    shell.reset(new_session=False)
    InteractiveShell.clear_instance()


@pytest.fixture
def prompt_on(ipython):
    """Return a function that starts a program as `pxshell run` does with a terminal, and gives a prompt on it."""
    opened = []

    def start(program):
        words = program.removeprefix("--interruptible ")
        env = {"PXSHELL_INTERRUPTIBLE": "1"} if words != program else {}
        cluster, prompt = transcripts.start(words, ipython, env=env)
        opened.append((cluster, prompt))
        cluster.client().ask("px_attend_request", {"stay": True})
        prompt.session.hold(on=True)
        transcripts.begin(prompt)
        return prompt

    yield start
    unload_ipython_extension(ipython)
    for cluster, prompt in opened:
        prompt.session.close()
        cluster.stop(0.0)


@pytest.mark.parametrize(("program", "text"), transcripts.transcripts(PAGE))
def test_what_the_page_shows_is_what_is_seen(prompt_on, program, text):
    """P3, P6, P8: who failed, how, where its peers are; its frames can be looked at, and it can be let go."""
    prompt = prompt_on(program)
    unasked, cells = transcripts.parted(text)
    prompt.wait_for_lines(unasked)
    for typed, shows in cells:
        expected = transcripts.without_numbers(shows)
        if typed.startswith("%pxsignal"):
            # What becomes of it is told when it has come about.
            prompt.type(typed)
            prompt.wait_for_lines(expected)
        elif typed.startswith("%pxdebug stacks"):
            # A look may come before the ranks are where they stay.
            wait_until(lambda typed=typed, shows=expected: prompt.type(typed) == shows, transcripts.DEADLINE, typed)
        else:
            assert prompt.type(typed) == expected, typed


def test_the_page_has_a_transcript_of_each_way_to_fail():
    assert [program.split()[0] for program, _ in transcripts.transcripts(PAGE)] == [
        "examples/mpi_sim/sim.py",
        "--interruptible",
    ]
