"""Which mpiexec, of which make, and whether it fits the library that mpi4py loads."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from pxshell.errors import LaunchError

__all__ = [
    "FLAVOURS",
    "Make",
    "Mpiexec",
    "candidates",
    "family_of",
    "read_library",
    "read_mpiexec",
    "usable_mpiexecs",
]

_log = logging.getLogger(__name__)

_PROBE_S = 20.0
_KEPT = 32
_NAMES = ("mpiexec", "mpiexec.hydra", "mpiexec.mpich", "mpiexec.openmpi", "mpirun", "orterun")

#: What may be asked for by `--mpi=FLAVOUR`, and its name.
FLAVOURS = {"mpich": "MPICH", "openmpi": "Open MPI", "intel": "Intel MPI", "mvapich": "MVAPICH"}

# For the text of `--version` and of MPI_Get_library_version. Intel MPI and MVAPICH stand first: they quote MPICH.
_MAKES = (
    ("intel", re.compile(r"Intel\(R\) MPI Library.*?(?:Version\s+)?(\d+[.\d]*)", re.DOTALL)),
    ("mvapich", re.compile(r"MVAPICH\d?(?:-\w+)?\s+Version\s*:\s*(\S+)")),
    ("openmpi", re.compile(r"(?:Open MPI\)?|OpenRTE\)|PRRTE\)?) v?(\d[\w.]*)")),
    ("mpich", re.compile(r"(?:MPICH Version|HYDRA build details).*?(\d+\.[\w.]+)", re.DOTALL)),
)

_LIBRARY_PROBE = (
    "import mpi4py; mpi4py.rc.initialize = False; mpi4py.rc.finalize = False; "
    "from mpi4py import MPI; print(MPI.Get_library_version())"
)


@dataclass(frozen=True, slots=True)
class Make:
    """The make of an mpiexec or a library: "MPICH 5.0.2"; an unknown one has the flavour ""."""

    flavour: str
    version: str

    def __str__(self) -> str:
        return f"{FLAVOURS.get(self.flavour, 'unknown MPI')} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class Mpiexec:
    """One mpiexec of this machine."""

    path: str
    make: Make


def family_of(flavour: str) -> str:
    """Return how ranks find each other: makes with Hydra serve each other's libraries, Open MPI only its own."""
    return flavour if flavour in {"openmpi", ""} else "hydra"


def recognise(text: str) -> Make:
    """Read a make from what an mpiexec or a library says of itself."""
    for flavour, pattern in _MAKES:
        found = pattern.search(text)
        if found:
            return Make(flavour, found[1].strip(".,"))
    return Make("", "")


def candidates(environ: Mapping[str, str], prefix: str = sys.prefix) -> Iterator[str]:
    """Yield every mpiexec: first that of this Python's environment, whose wheel mpi4py loads, then those on PATH."""
    seen = set()
    folders = [str(Path(prefix, "bin")), *environ.get("PATH", "").split(":")]
    for path in (Path(folder, name) for folder in folders if folder for name in _NAMES):
        if path.is_file() and str(path.resolve()) not in seen:
            seen.add(str(path.resolve()))
            yield str(path)


def read_mpiexec(path: str, cache: Path) -> Mpiexec:
    """Ask an mpiexec for its make, once for each version of the file."""
    return Mpiexec(path, _cached(cache, _stamp(path), lambda: recognise(_output_of([path, "--version"]))))


def usable_mpiexecs(environ: Mapping[str, str], cache: Path) -> Iterator[Mpiexec]:
    """Yield the candidates that can be run; the next is asked only when this one does not do."""
    for path in candidates(environ):
        try:
            yield read_mpiexec(path, cache)
        except LaunchError as error:
            _log.warning("passed over: %s", error)


def read_library(interpreter: str, cache: Path) -> Make:
    """Ask for the make of the library that mpi4py loads there; in a process of its own, since MPI stays in one.

    Raises:
        LaunchError: mpi4py is not there, or loads no library.
    """

    def probe() -> Make:
        return recognise(_library_text(interpreter))

    if interpreter != sys.executable:
        return probe()
    spec = find_spec("mpi4py")
    if spec is None or spec.origin is None:
        raise LaunchError(_no_mpi4py(interpreter))
    # The library is loaded through mpi4py and, from wheels, found beside the Python: a new mpiexec is a new library.
    own = next(candidates({}), interpreter)
    return _cached(cache, _stamp(interpreter, spec.origin, own), probe)


def _no_mpi4py(interpreter: str) -> str:
    return f'{interpreter} has no mpi4py, so there are no MPI ranks: pip install "pxshell[mpi]"'


def _library_text(interpreter: str) -> str:
    result = _probe([interpreter, "-c", _LIBRARY_PROBE])
    if result.returncode == 0:
        return result.stdout
    lines = result.stderr.strip().splitlines()
    if lines and "No module named 'mpi4py'" in lines[-1]:
        raise LaunchError(_no_mpi4py(interpreter))
    last = lines[-1] if lines else f"exit status {result.returncode}"
    raise LaunchError(f'mpi4py finds no MPI library ({last}); install one: pip install "pxshell[mpi]"')


def _output_of(argv: list[str]) -> str:
    result = _probe(argv)
    return result.stdout + result.stderr


def _probe(argv: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LaunchError(f"{argv[0]} cannot be asked for its version: {error}; name another by PATH") from error


def _stamp(*paths: str) -> str:
    return " ".join(f"{path}:{Path(path).stat().st_mtime_ns}" for path in paths)


def _cached(cache: Path, key: str, read: Callable[[], Make]) -> Make:
    """Return what was read for this key before, else read and keep it; a cache that cannot be used costs 0.2 s."""
    kept = _load(cache)
    if key in kept:
        return Make(**kept[key])
    make = read()
    _save(cache, {**kept, key: asdict(make)})
    return make


def _load(cache: Path) -> dict[str, dict[str, str]]:
    try:
        kept = json.loads(cache.read_bytes())
    except (OSError, ValueError):  # not there yet, or cut off: it is only a cache
        return {}
    return kept if isinstance(kept, dict) else {}


def _save(cache: Path, kept: dict[str, dict[str, str]]) -> None:
    """Replace the cache in one step, since others start clusters at the same time."""
    newest = dict(list(kept.items())[-_KEPT:])
    draft = cache.with_name(f"{cache.name}.{os.getpid()}")
    try:
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(json.dumps(newest))
        draft.replace(cache)
    except OSError as error:
        _log.info("the cache %s is not written: %s", cache, error)
