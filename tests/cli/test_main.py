"""The command line as a whole: what is printed where, and the exit status."""

import subprocess
import sys

import pytest

from pxshell.cli import main
from pxshell.version import __version__

BAD = {
    "-n 0": "-n: '0' is no number from 1 up; write it as in 4; see: pxshell --help",
    "-n -3": "-n: '-3' is no number from 1 up; write it as in 4; see: pxshell --help",
    "-n four": "-n: 'four' is no number from 1 up; write it as in 4; see: pxshell --help",
    "run -n 0 -- x.py": "-n: '0' is no number from 1 up; write it as in 4; see: pxshell run --help",
    "sim.py": "to run a script: pxshell run -n 4 -- sim.py",
    "sim.py --steps 5": "to run a script: pxshell run -n 4 -- sim.py --steps 5",
    "-n 4 list": "the command comes first, its options after it: pxshell list …",
    "lits": "no command 'lits'; there are: run, start, attach, list, status, stacks, stop, debug, logs; to run a "
    "script: pxshell run -n 4 -- lits",
    "-n 4 -- sim.py": "pxshell takes nothing after --; to run a script: pxshell run -n 4 -- sim.py",
    "--jsno": "unknown arguments: --jsno; see: pxshell --help",
    "list a": "unknown arguments: a; see: pxshell list --help",
    "run": "no script to run; give it after --: pxshell run -n 4 -- sim.py ARGS",
    "run -n 2 sim.py -v": "the script stands after --, so that its options are its own: pxshell run -n 4 -- sim.py -v",
    "run --wait -- sim.py": "--wait is for -c; without cells, --no-shell stays until the script has ended",
    "run --no-shell -c 1 -- sim.py": "--no-shell shows output only and runs no -c; leave one out",
    "attach --wait": "--wait is for -c; without cells, the shell stays as long as you do",
    "attach nobody": "there is no cluster 'nobody', nor any other; start it: pxshell start nobody -n 4",
    "attach": "no cluster is running; start one: pxshell -n 4 [--mpi]",
    "debug": "which rank? pxshell debug [CLUSTER] RANK, as in: pxshell debug sim-1 2",
    "debug sim-1 0-3": "which rank? pxshell debug [CLUSTER] RANK, as in: pxshell debug sim-1 2",
    "debug sim-1 2 --lockstep": (
        "--lockstep is of many ranks as one program: pxshell debug [CLUSTER] RANKS --together --lockstep"
    ),
    "debug sim-1 two": "which rank? pxshell debug [CLUSTER] RANK, as in: pxshell debug sim-1 2",
    "stop --all x": "--all is every cluster, so 'x' says nothing; leave one out",
    "stop --grace soon": "--grace: 'soon' is no time in seconds; see: pxshell stop --help",
    "logs --lines 0": "--lines: '0' is no number from 1 up; write it as in 4; see: pxshell logs --help",
    "--mpi --launcher local": "--mpi is --launcher mpi, and --launcher local contradicts it; leave one out",
    "-n 1 --launcher slrm": "no launcher 'slrm'; there are: local, mpi",
    "-n 1 --name Bad!": "'Bad!' is no name of a cluster; take at most 32 small letters, digits and . _ -, a letter or "
    "digit first, no role at the end, as in calm-fox",
}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_gets_one_line_and_status_2(capsys, line):
    """P10: what, why, what to do; nothing on stdout, nothing changed."""
    assert main(line.split()) == 2
    assert capsys.readouterr() == ("", f"pxshell: {BAD[line]}\n")


def test_the_version_is_printed(capsys):
    """`pxshell --version`."""
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"pxshell {__version__}\n"


def test_help_lists_the_commands(capsys):
    """Every command with what it does."""
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "  attach   open the shell on a running cluster\n" in capsys.readouterr().out


def test_the_module_is_the_command():
    """`python -m pxshell` for where the script is not on PATH."""
    done = subprocess.run([sys.executable, "-m", "pxshell", "list"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "no cluster; start one: pxshell -n 4\n", "")


@pytest.mark.parametrize("words", [["--version"], ["list"]])
def test_short_commands_load_neither_zmq_nor_ipython(words):
    """They answer at once: at most 150 ms above bare Python, nearly all of it these imports."""
    code = (
        "import sys; from pxshell.cli import main\n"
        f"try: main({words})\nexcept SystemExit: pass\n"
        "print({'zmq', 'IPython', 'prompt_toolkit', 'asyncio', 'numpy', 'mpi4py'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
