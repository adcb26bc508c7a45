"""The shell that a forked rank takes over is one that nothing has run in."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import atexit, json, sys
from types import ModuleType
import comm
from IPython import get_ipython
from pxshell.engine import warming

main = sys.modules["__main__"]
if sys.argv[1] == "warm":
    warming.warm_up()
before = [get_ipython() is None, hasattr(sys, "last_value"), sys.modules["__main__"] is main]
before += [sys.displayhook is sys.__displayhook__, sys.excepthook is sys.__excepthook__, comm.create_comm.__module__]
module = sys.modules["__main__"] = ModuleType("__main__")
module.mine = 41
said = []
shell = warming.shell_for(module, lambda kind, content, *_: said.append([kind, content]), lambda *_: "an answer")
cells = [
    "mine + 1",
    "_, __, ___, len(Out)",
    "sorted(globals())",
    "get_ipython().kernel._input_request('?', b'', {})",
    "len(In), _dh == [__import__('os').getcwd()] or _dh",
    "get_ipython().user_module is __import__('sys').modules['__main__']",
    "import comm; comm.get_comm_manager().comms, comm.create_comm.__module__",
    "%who_ls",
    "def f(): return mine",
    "f()",
    "1 / 0",
    "__import__('sys').last_value",
]
for number, code in enumerate(cells, 1):
    shell.cells.next_name, shell.execution_count = f"<px cell {number}>", number
    shell.run_cell(code, store_history=True)
after = [get_ipython() is shell, shell.kernel is type(shell.kernel).instance(), shell.complete("min")[1]]
print(json.dumps([before, said, after], default=str))
"""


def observe(how: str) -> list[list[object]]:
    """Run the program in a process of its own; return what there was before, what was said, and what is after it."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    found: list[list[object]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def fresh() -> list[list[object]]:
    """What a process without a warm shell shows."""
    return observe("fresh")


@pytest.fixture(scope="module")
def warm() -> list[list[object]]:
    """What a process with one shows."""
    return observe("warm")


def test_nothing_is_found_of_the_warm_shell_before_the_first_cell(
    fresh: list[list[object]], warm: list[list[object]]
) -> None:
    """P5: code that runs on a rank before its first cell sees a process without IPython."""
    assert warm[0] == fresh[0]
    assert warm[0][:3] == [True, False, True]


def test_cells_in_the_warm_shell_say_what_they_say_in_a_new_one(
    fresh: list[list[object]], warm: list[list[object]]
) -> None:
    """P5: names, history, input, comms and failures are those of a shell that was made here."""
    assert warm[1] == fresh[1]
    assert len(warm[1]) == 11, "every cell but the definition says something"


def test_the_warm_shell_is_the_one_that_libraries_find(fresh: list[list[object]], warm: list[list[object]]) -> None:
    """P5: `get_ipython()` is the shell of the rank, and completion sees the rank's names."""
    assert warm[2] == fresh[2] == [True, True, ["min", "mine"]]
