"""One place maps every exception to a line and an exit status."""

import pytest

from pxshell.cli.exits import exit_status_of
from pxshell.errors import DeadlineError, LaunchError, NoClusterError, RankSetError, UsageError

ERRORS = {
    UsageError("no such thing"): (2, "pxshell: no such thing\n"),
    NoClusterError(): (2, "pxshell: no cluster is running; start one: pxshell -n 4 [--mpi]\n"),
    LaunchError("it broke\nin two lines"): (1, "pxshell: it broke in two lines\n"),
    DeadlineError("start", 5): (1, "pxshell: start: not done within 5 s\n"),
    RankSetError("no rank 9", "0,9", 2): (2, "pxshell: no rank 9 (in '0,9', at 3)\n0,9\n  ^\n"),
    FileNotFoundError(2, "No such file or directory", "/x"): (1, "pxshell: No such file or directory: /x\n"),
    KeyboardInterrupt(): (130, ""),
    ValueError("odd"): (
        70,
        "pxshell: a fault in pxshell itself, please report it: ValueError: odd (PXSHELL_TRACEBACK=1 shows where)\n",
    ),
}


def raising(error):
    def execute(_words):
        raise error

    return execute


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_one_line_and_a_status(capsys, error):
    """P10."""
    status, line = ERRORS[error]
    assert exit_status_of(raising(error), []) == status
    assert capsys.readouterr() == ("", line)


def test_the_traceback_is_there_for_those_who_ask(capsys, monkeypatch):
    """For reports of faults."""
    monkeypatch.setenv("PXSHELL_TRACEBACK", "1")
    assert exit_status_of(raising(ValueError("odd")), []) == 70
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_the_status_of_a_command_is_passed_on():
    """The worst rank's, say."""
    assert exit_status_of(lambda _words: 3, []) == 3


def test_a_reader_that_has_left_is_no_failure_of_ours(tmp_path):
    """`pxshell list | head`: no traceback; the status is SIGPIPE's."""
    import subprocess
    import sys

    code = (
        "import sys; from pxshell.cli.exits import exit_status_of\n"
        "sys.exit(exit_status_of(lambda _: [print('x' * 100) for _ in range(10000)] and 0, []))"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait() == 141
