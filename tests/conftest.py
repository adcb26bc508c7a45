"""What every test gets: directories of its own, a clean environment, and a look at what it leaves behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from importlib.util import find_spec
from pathlib import Path

import environments
import hypothesis
import leaks
import pytest
import slurm

RUN = uuid.uuid4().hex

# Variables of a launcher or of a session around the tests, which would make the test process look like a rank.
_FOREIGN_PREFIXES = ("PXSHELL_", "PMI_", "PMIX_", "OMPI_", "MPI_LOCAL", "MV2_", "PALS_", "FLUX_", "SLURM_", "TORCH")
_FOREIGN_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")

_starts = leaks.ProcessStarts()

# The machine may be slow and shared: time says nothing about an example.
hypothesis.settings.register_profile("pxshell", deadline=None, print_blob=True)
hypothesis.settings.load_profile("pxshell")


class PrivateDirectories:
    """A PXSHELL_DIR and a PXSHELL_RUNTIME_DIR in the environment: 0700, and short for the paths of sockets."""

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="pxt-", dir="/tmp"))
        self.state = self.base / "d"
        self.runtime = self.base / "r"
        self._saved: dict[str, str | None] = {}
        for name, path in (("PXSHELL_DIR", self.state), ("PXSHELL_RUNTIME_DIR", self.runtime)):
            path.mkdir(mode=0o700)
            self._saved[name] = os.environ.get(name)
            os.environ[name] = str(path)

    def close(self) -> list[str]:
        """Remove the directories, put the environment back and return what should not have been left in them."""
        for name, value in self._saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        leaked = leaks.leaked_files(self.state, self.runtime)
        shutil.rmtree(self.base, ignore_errors=True)
        return leaked


def _look_at_processes(before: set[int], starts: int) -> list[str]:
    return [] if _starts.count == starts else leaks.end_leaked_processes(RUN, before)


def _processes_now() -> set[int]:
    return set(leaks.running_processes(RUN)) if _starts.count else set()


def _fail_about(what: dict[str, list[str]]) -> None:
    lines = [f"left behind: {kind}: {entry}" for kind, entries in what.items() for entry in entries]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)


@pytest.fixture(scope="module", autouse=True)
def _module_is_clean(request):
    """Give a module's own fixtures directories, and check what those fixtures leave behind."""
    before, starts = _processes_now(), _starts.count
    directories = PrivateDirectories()
    yield
    processes = _look_at_processes(before, starts)
    files = directories.close()
    may_leave_files = request.node.get_closest_marker("leaves_files")
    _fail_about({"process": processes, "file": [] if may_leave_files else files})


@pytest.fixture(autouse=True)
def _test_is_clean(request, _module_is_clean):
    """Give a test directories of its own; fail it for processes, threads, sockets or connection files that it leaves.

    With the marker ``shared_directories`` the test uses those of its module, where a cluster of the module lives.
    """
    before, starts, threads = _processes_now(), _starts.count, set(threading.enumerate())
    own = None if request.node.get_closest_marker("shared_directories") else PrivateDirectories()
    yield
    processes = _look_at_processes(before, starts)
    left_threads = leaks.leaked_threads(threads)
    files = own.close() if own else []
    if request.node.get_closest_marker("leaves_files"):
        files = []
    _fail_about({"process": processes, "thread": left_threads, "file": files})


@pytest.fixture
def mpiexec() -> str:
    """Return the mpiexec that belongs to this Python; skip the test where there is none."""
    return _find_mpiexec() or pytest.skip("no mpiexec beside this Python or on PATH")


def _find_mpiexec() -> str | None:
    beside = Path(sys.prefix) / "bin" / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def pytest_configure(config: pytest.Config) -> None:
    """Clean the environment for all tests and their processes."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN_PREFIXES) or name in _FOREIGN_NAMES:
            del os.environ[name]
    os.environ[leaks.MARKER] = RUN
    # A background job of a shell inherits that SIGINT is ignored; Ctrl-C is tested as people meet it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    home = tempfile.mkdtemp(prefix="pxt-home-", dir="/tmp")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        os.environ[name] = str(Path(home, name.lower()))
        Path(os.environ[name]).mkdir(mode=0o700)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run."""
    wanted = {marker for item in items for marker in _LACKS if item.get_closest_marker(marker)}
    lacks = {marker: why for marker in wanted if (why := _LACKS[marker]())}
    # A CI that skipped what it could have installed would be green for nothing.
    in_vain = lacks.keys() & _INSTALLED_BY_CI if "CI" in os.environ and _can_install() else set()
    if in_vain:
        raise pytest.UsageError("; ".join(f"{marker}: {lacks[marker]}" for marker in sorted(in_vain)) + "; make tools")
    for item in items:
        for marker, why in lacks.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=why))


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _lacks_environment(name: str) -> str | None:
    return None if environments.python_of(name) else environments.why_not(name)


def _lacks_slurm() -> str | None:
    missing = slurm.missing_programs()
    return f"no {', '.join(missing)} on this machine" if missing else None


def _lacks_browser() -> str | None:
    if not shutil.which("chromium"):
        return "no chromium on PATH"
    missing = [name for name in ("jupyterlab", "playwright") if find_spec(name) is None]
    return f"no {' and '.join(missing)} here: pip install -e '.[browser]'" if missing else None


def _lacks_emacs() -> str | None:
    if not shutil.which("emacs"):
        return "no emacs on PATH: make vscode"
    look = ["emacs", "--batch", "--eval", "(progn (package-initialize) (require 'dap-mode))"]
    done = subprocess.run(look, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return "emacs has no dap-mode: make vscode" if done.returncode else None


#: What `make tools` installs where it is root and has apt-get.
_INSTALLED_BY_CI = {"browser", "mpi", "openmpi", "slurm"}
#: Why the tests with a marker cannot run on this machine; None if they can.
_LACKS = {
    "mpi": lambda: None if _find_mpiexec() else "no mpiexec beside this Python or on PATH",
    "browser": _lacks_browser,
    "openmpi": lambda: _lacks_environment("openmpi"),
    "slurm": _lacks_slurm,
    "emacs": _lacks_emacs,
    "neovim": lambda: None if environments.neovim() else environments.why_not("neovim"),
    "vscode": lambda: None if environments.vscode() else environments.why_not("vscode"),
    "torchrun": lambda: _lacks_environment("torch"),
}
