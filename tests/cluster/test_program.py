"""What stands after `--`, read as the python command line that it is."""

import sys

import pytest

from pxshell.cluster.program import Program
from pxshell.errors import UsageError


@pytest.fixture
def here(tmp_path):
    (tmp_path / "sim.py").touch()
    return tmp_path


READ = {
    "sim.py --steps 5": ((), ("sim.py", "--steps", "5"), "sim.py"),
    "python sim.py": ((), ("sim.py",), "sim.py"),
    "python3 -u sim.py -u": (("-u",), ("sim.py", "-u"), "sim.py"),
    "python -W error -Xdev -X utf8 sim.py": (("-W", "error", "-Xdev", "-X", "utf8"), ("sim.py",), "sim.py"),
    "-m pkg.sim -n 4": ((), ("-m", "pkg.sim", "-n", "4"), "-m pkg.sim"),
    "python -O -m pkg": (("-O",), ("-m", "pkg"), "-m pkg"),
    "python -mpkg x": ((), ("-m", "pkg", "x"), "-m pkg"),
    "sim.py -- -c": ((), ("sim.py", "--", "-c"), "sim.py"),
}


@pytest.mark.parametrize("line", READ)
def test_a_command_line_is_split_as_python_splits_it(here, line):
    """Interpreter, its options, and the script or module with its arguments."""
    program = Program.parse(line.split(), here)
    assert (program.flags, program.target, program.label) == READ[line]
    assert program.interpreter == sys.executable


@pytest.mark.parametrize("line", ["", "python", "python -u", "-", "-m"])
def test_no_script_is_refused_with_the_form(here, line):
    """P10."""
    with pytest.raises(UsageError, match=r"no script to run; give it after --: pxshell run -n 4 -- sim\.py ARGS"):
        Program.parse(line.split(), here)


def test_a_script_that_is_not_there_is_refused_before_the_start(here):
    """P10: N ranks would each say it otherwise."""
    with pytest.raises(UsageError, match=r"no script 'smi\.py' in .*; a module is given as: -- -m smi\.py"):
        Program.parse(["smi.py"], here)


def test_code_on_the_command_line_is_a_cell(here):
    """`python -c` has no file whose lines could be shown."""
    with pytest.raises(UsageError, match="python -c is no script; run a cell"):
        Program.parse(["python", "-c", "1"], here)


def test_an_interpreter_that_is_not_there_is_refused(here):
    """P10."""
    with pytest.raises(UsageError, match=r"no interpreter 'python9\.9' on this machine"):
        Program.parse(["python9.9", "sim.py"], here)


def test_an_interpreter_without_pxshell_is_refused(here):
    """P10: ranks need the engine, in their own interpreter."""
    other = here / "python3.99"
    other.write_text("#!/bin/sh\nexit 1\n")
    other.chmod(0o755)
    with pytest.raises(UsageError, match=f"has no pxshell, and ranks need it: {other} -m pip install pxshell"):
        Program.parse([str(other), "sim.py"], here)


def test_another_interpreter_runs_the_ranks_when_named_by_its_path(here):
    """Its path is taken at its word."""
    program = Program.parse([sys.executable, "sim.py"], here)
    assert program.engine_argv(hold=True) == (sys.executable, "-m", "pxshell.engine", "--hold", "sim.py")


@pytest.mark.parametrize(("words", "stem"), [(["a/sim.py"], "sim"), (["-m", "pkg.sim"], "sim")])
def test_a_cluster_is_named_after_its_program(tmp_path, words, stem):
    """sim.py gives sim-1."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "sim.py").touch()
    assert Program.parse(words, tmp_path).stem == stem
