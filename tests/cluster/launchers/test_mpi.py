"""The MPI launcher: the mpiexec that belongs to the library, found and checked before anything starts."""

import os
import sys
from functools import partial
from unittest import mock

import pytest

from pxshell.cluster.launchers import LaunchSpec, find_launcher, mpi, mpiexec
from pxshell.cluster.launchers.mpiexec import Make, recognise
from pxshell.cluster.program import Program
from pxshell.errors import LaunchError, UsageError

SAYS = {
    "HYDRA build details:\n    Version:                                 5.0.2\n    Release Date: x": ("mpich", "5.0.2"),
    "MPICH Version:      4.3.1\nMPICH Release date: 2025": ("mpich", "4.3.1"),
    "Intel(R) MPI Library for Linux* OS, Version 2021.11 Build 20231005": ("intel", "2021.11"),
    "Intel(R) MPI Library 2021.11 for Linux* OS\n": ("intel", "2021.11"),
    "mpiexec (OpenRTE) 4.1.4\n\nReport bugs to http://www.open-mpi.org/": ("openmpi", "4.1.4"),
    "mpirun (Open MPI) 5.0.11\n\nReport bugs": ("openmpi", "5.0.11"),
    "Open MPI v5.0.11, package: Open MPI conda@x Distribution, ident: 5.0.11": ("openmpi", "5.0.11"),
    "MVAPICH2 Version      :\t2.3.7\nMVAPICH2 Release date : x": ("mvapich", "2.3.7"),
    "mpiexec 1.0 of nobody": ("", ""),
}


@pytest.mark.parametrize("text", SAYS)
def test_makes_are_recognised_by_what_they_say(text):
    """Real outputs of `mpiexec --version` and MPI_Get_library_version."""
    make = recognise(text)
    assert (make.flavour, make.version) == SAYS[text]


def put_mpiexec(folder, says, name="mpiexec"):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def usable_on_path(environ, cache):
    with mock.patch.object(mpiexec, "candidates", partial(mpiexec.candidates, prefix="/nowhere")):
        yield from mpiexec.usable_mpiexecs(environ, cache)


@pytest.fixture
def library(monkeypatch):
    """Choose the make of the library; no wheel brings an mpiexec."""

    def choose(flavour, version="1"):
        monkeypatch.setattr(mpi, "read_library", lambda _interpreter, _cache: Make(flavour, version))
        monkeypatch.setattr(mpi, "usable_mpiexecs", usable_on_path)

    choose("mpich", "5.0.2")
    return choose


def make_spec(path="", **changes):
    facts = {"size": 4, "program": Program(), "world": "w-1", "node_socket": "/r/n.sock", "cores": 2}
    return LaunchSpec(**{**facts, "environ": {"PATH": str(path)}, **changes})


def checked(spec):
    launcher = find_launcher("mpi")
    done = launcher.check(spec)
    return done, launcher.prepare(done)


def test_one_mpiexec_starts_all_ranks(tmp_path, library):
    """One command, all ranks, forked here: no ssh."""
    path = put_mpiexec(tmp_path / "bin", "HYDRA build details: Version: 5.0.2")
    spec, (command,) = checked(make_spec(path.parent))
    engine = (sys.executable, "-m", "pxshell.engine")
    assert command.argv == (str(path), "-n", "4", "-launcher", "fork", "-disable-auto-cleanup", *engine)
    assert command.to_json()["ends_together"], "the node ends the world of a dead rank, after a last look"
    assert (command.ranks, spec.facts["mpi"]) == ("0-3", "MPICH 5.0.2")


def test_launch_args_stand_before_the_program_and_may_choose_the_places(tmp_path, library):
    """A launcher that the user names is not overridden by ours."""
    path = put_mpiexec(tmp_path / "bin", "HYDRA build details: Version: 5.0.2")
    _, (command,) = checked(make_spec(path.parent, launch_args=("-launcher", "ssh", "-f", "hosts"), size=1))
    assert command.argv[1:7] == ("-n", "1", "-launcher", "ssh", "-f", "hosts")
    assert "fork" not in command.argv
    assert command.ranks == "0"


def test_ranks_get_no_number_from_us(tmp_path, library):
    """A rank's number is its MPI rank: the launcher's variables say it, ours would contradict."""
    path = put_mpiexec(tmp_path / "bin", "HYDRA build details: Version: 5.0.2")
    _, (command,) = checked(make_spec(path.parent))
    assert not {"PXSHELL_RANK", "RANK", "PXSHELL_SIZE"} & set(command.env)


def test_the_first_mpiexec_that_fits_the_library_is_taken(tmp_path, library):
    """A PATH with Open MPI first, and a library of MPICH."""
    put_mpiexec(tmp_path / "a", "mpiexec (OpenRTE) 4.1.4")
    second = put_mpiexec(tmp_path / "b", "HYDRA build details: Version: 4.0")
    spec, _ = checked(make_spec(f"{tmp_path}/a:{tmp_path}/b"))
    assert spec.facts["mpiexec"] == str(second)


def test_library_and_mpiexec_of_different_makes_are_refused(tmp_path, library):
    """N singletons, known before the start: who uses what, and what to do."""
    path = put_mpiexec(tmp_path / "bin", "mpirun (Open MPI) 5.0.11")
    with pytest.raises(LaunchError) as refused:
        checked(make_spec(path.parent))
    assert str(refused.value) == (
        f"mpi4py uses MPICH 5.0.2, but {path} is of Open MPI 5.0.11: each rank would be alone; "
        "put the mpiexec of MPICH first on PATH"
    )


def test_makes_of_the_hydra_family_fit_each_other(tmp_path, library):
    """Intel MPI's mpiexec starts ranks of MPICH's library: one ABI, one way to meet."""
    put_mpiexec(tmp_path / "bin", "Intel(R) MPI Library for Linux* OS, Version 2021.11")
    spec, _ = checked(make_spec(tmp_path / "bin"))
    assert spec.facts["flavour"] == "intel"


def test_no_mpiexec_names_the_package_that_brings_one(library):
    """P10."""
    with pytest.raises(LaunchError, match=r'no mpiexec .*pip install "pxshell\[mpi\]"'):
        checked(make_spec())


@pytest.mark.parametrize(("flavour", "plugin"), [("mpich", "pmi2"), ("openmpi", "pmix")])
def test_no_mpiexec_in_a_slurm_job_gives_the_srun_line(library, flavour, plugin):
    """The exact line, with the plugin that the library understands."""
    library(flavour)
    program = Program(interpreter="/opt/py", target=("my sim.py",))
    with pytest.raises(LaunchError) as refused:
        checked(make_spec(environ={"SLURM_JOB_ID": "7", "PATH": ""}, program=program, hold=True))
    assert str(refused.value).endswith(f": srun --mpi={plugin} -n 4 /opt/py -m pxshell.engine 'my sim.py'")


def test_a_prompt_without_mpiexec_in_a_slurm_job_needs_a_script(library):
    """An engine that nobody's node waits for has to have something to run."""
    library("mpich")
    with pytest.raises(LaunchError, match=r": srun --mpi=pmi2 -n 4 \S+ -m pxshell\.engine SCRIPT$"):
        checked(make_spec(environ={"SLURM_JOB_ID": "7", "PATH": ""}))


def test_a_flavour_that_is_not_here_is_refused_with_those_that_are(tmp_path, library):
    """`--mpi=openmpi` with MPICH alone."""
    path = put_mpiexec(tmp_path / "bin", "HYDRA build details: Version: 5.0.2")
    with pytest.raises(LaunchError, match=rf"no mpiexec of Open MPI here; .*{path} \(MPICH 5\.0\.2\)"):
        checked(make_spec(path.parent, flavour="openmpi"))


def test_each_make_that_is_here_is_named_once(tmp_path, library):
    """A package brings mpiexec, mpirun and more."""
    first = put_mpiexec(tmp_path / "a", "HYDRA build details: Version: 5.0.2")
    put_mpiexec(tmp_path / "b", "HYDRA build details: Version: 5.0.2")
    third = put_mpiexec(tmp_path / "c", "HYDRA build details: Version: 4.0")
    with pytest.raises(LaunchError) as refused:
        checked(make_spec(f"{tmp_path}/a:{tmp_path}/b:{tmp_path}/c", flavour="openmpi"))
    assert str(refused.value).endswith(f"take one of these: {first} (MPICH 5.0.2), {third} (MPICH 4.0)")


def test_an_unknown_flavour_is_bad_usage(library):
    """P10: with the flavours that there are."""
    with pytest.raises(UsageError, match="no MPI flavour 'openmp'; there are: mpich, openmpi, intel, mvapich"):
        checked(make_spec(flavour="openmp"))


def test_a_broken_mpiexec_is_passed_over(tmp_path, library):
    """One that cannot be run does not hide one that can."""
    broken = put_mpiexec(tmp_path / "a", "x")
    broken.write_bytes(b"\x7fELF nonsense")
    good = put_mpiexec(tmp_path / "b", "HYDRA build details: Version: 5.0.2")
    spec, _ = checked(make_spec(f"{tmp_path}/a:{tmp_path}/b"))
    assert spec.facts["mpiexec"] == str(good)


def test_open_mpi_may_run_as_root_and_oversubscribed(tmp_path, library, monkeypatch):
    """4 ranks on 2 cores as root; waiting ranks yield."""
    library("openmpi", "5.0.11")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    path = put_mpiexec(tmp_path / "bin", "mpirun (Open MPI) 5.0.11")
    _, (command,) = checked(make_spec(path.parent))
    assert command.argv[:6] == (str(path), "-n", "4", "--with-ft", "ulfm", sys.executable)
    assert command.env["OMPI_ALLOW_RUN_AS_ROOT"] == command.env["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] == "1"
    assert command.env["PRTE_MCA_rmaps_default_mapping_policy"] == ":oversubscribe"
    assert command.env["PRTE_MCA_hwloc_default_binding_policy"] == "none"
    assert command.env["OMPI_MCA_mpi_yield_when_idle"] == "1"


def test_open_mpi_with_enough_cores_binds_and_spins_as_it_likes(tmp_path, library, monkeypatch):
    """What the user has chosen stays, and nothing slows a job that fits."""
    library("openmpi", "5.0.11")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    put_mpiexec(tmp_path / "bin", "mpirun (Open MPI) 5.0.11")
    _, (command,) = checked(make_spec(tmp_path / "bin", cores=4, env={"PRTE_MCA_rmaps_default_mapping_policy": "x"}))
    assert "OMPI_MCA_mpi_yield_when_idle" not in command.env
    assert "OMPI_ALLOW_RUN_AS_ROOT" not in command.env
    assert command.env["PRTE_MCA_rmaps_default_mapping_policy"] == "x"


def test_a_make_is_asked_for_once_for_each_version_of_the_file(tmp_path):
    """`mpiexec --version` and mpi4py cost 0.2 s: the answer is kept until the file changes."""
    path, cache = put_mpiexec(tmp_path / "bin", "HYDRA build details: Version: 5.0.2"), tmp_path / "state" / "mpi.json"
    first = mpiexec.read_mpiexec(str(path), cache)
    before = path.stat().st_mtime_ns
    put_mpiexec(tmp_path / "bin", "HYDRA build details: Version: 6.0.0")
    os.utime(path, ns=(before, before))
    assert mpiexec.read_mpiexec(str(path), cache) == first
    os.utime(path, ns=(before, before + 1))
    assert mpiexec.read_mpiexec(str(path), cache).make.version == "6.0.0"


def test_a_spoilt_cache_is_read_anew(tmp_path):
    """Cut off in the middle, the cache costs a probe, not the start."""
    path, cache = put_mpiexec(tmp_path / "bin", "HYDRA build details: Version: 5.0.2"), tmp_path / "mpi.json"
    cache.write_text('{"x": ')
    assert mpiexec.read_mpiexec(str(path), cache).make.version == "5.0.2"


def test_an_interpreter_without_mpi4py_is_named(tmp_path):
    """P10: which Python, what to install."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'mpi4py'\" >&2; exit 1\n")
    python.chmod(0o755)
    with pytest.raises(LaunchError) as refused:
        mpiexec.read_library(str(python), tmp_path / "mpi.json")
    assert str(refused.value).startswith(f"{python} has no mpi4py")


@pytest.mark.mpi
def test_the_mpiexec_of_this_environment_fits_its_mpi4py(mpiexec):
    """Real: no MPI is imported here, and both are of one make."""
    spec, (command,) = checked(make_spec(environ=dict(os.environ)))
    assert command.argv[0] == mpiexec
    assert spec.facts["mpi"].split()[0] in {"MPICH", "Open"}
    assert "mpi4py.MPI" not in sys.modules
