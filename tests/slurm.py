"""A Slurm of this test run alone: several nodes on one machine, on loopback, without systemd."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from ports import free_ports

from pxshell.testing.waiting import wait_until

__all__ = ["PrivateSlurm", "missing_programs"]

_PROGRAMS = ("slurmctld", "slurmd", "munged", "srun", "salloc", "sinfo")
#: Where Debian has the daemons, which the PATH of a user may not name.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_LIMIT_S = 30.0

_CONF = """
ClusterName=pxt
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={home}/munge/munge.sock
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={ports[0]}
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/%n
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/%n.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
InactiveLimit=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
TopologyPlugin=topology/none
PartitionName=debug Nodes=ALL Default=YES MaxTime=60 State=UP
"""
_NODE = "NodeName=n{number} NodeAddr=127.0.0.1 NodeHostname={host} Port={port} CPUs={cpus} State=UNKNOWN\n"


def missing_programs() -> list[str]:
    """Return which programs of Slurm and munge are not on this machine."""
    return [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]


class PrivateSlurm:
    """Controller, nodes and munge as children of this process; with it, `with` starts and ends them.

    Args:
        nodes: How many machines it pretends to be.
        cpus: Of each.
    """

    def __init__(self, nodes: int = 2, cpus: int = 2) -> None:
        self._nodes = nodes
        self._home = Path(tempfile.mkdtemp(prefix="pxt-slurm-", dir="/tmp"))
        self._daemons: list[tuple[str, subprocess.Popen]] = []
        self.environment = os.environ | {
            "PATH": _PATH,
            "SLURM_CONF": str(self._home / "slurm.conf"),
            # MPICH's library listens at the machine's own address otherwise, as soon as srun starts it.
            "UCX_NET_DEVICES": "lo",
        }
        self._write(cpus)

    def _write(self, cpus: int) -> None:
        for name in ("munge", "state", *(f"n{number}" for number in range(1, self._nodes + 1))):
            # munge's clients go through its directory; the others are for the daemons alone.
            (self._home / name).mkdir(mode=0o711 if name == "munge" else 0o700)
        self._home.chmod(0o711)
        key = self._home / "munge" / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        host = socket.gethostname().partition(".")[0]
        ports = free_ports(1 + self._nodes)
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        conf = _CONF.format(host=host, user=user, home=self._home, ports=ports)
        conf += "".join(
            _NODE.format(number=number, host=host, port=port, cpus=cpus) for number, port in enumerate(ports[1:], 1)
        )
        (self._home / "slurm.conf").write_text(conf)

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self.close)
            munge = self._home / "munge"
            places = {"key": "munge.key", "socket": "munge.sock", "pid": "munged.pid", "seed": "munged.seed"}
            options = [f"--{name}{'' if name == 'socket' else '-file'}={munge / file}" for name, file in places.items()]
            self._start("munged", "--foreground", "--force", "--num-threads=2", *options)
            wait_until((munge / "munge.sock").exists, _LIMIT_S, "munged listens")
            self._start("slurmctld", "-D")
            for number in range(1, self._nodes + 1):
                self._start("slurmd", "-D", "-N", f"n{number}")
            wait_until(self._is_up, _LIMIT_S, f"Slurm is up; its logs are in {self._home}")
            undo.pop_all()
        return self

    def _start(self, *command: str) -> None:
        log = (self._home / f"{command[0]}-{len(self._daemons)}.out").open("wb")
        program = shutil.which(command[0], path=_PATH)
        with log:
            daemon = subprocess.Popen(
                [program, *command[1:]], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
            )
        self._daemons.append((command[0], daemon))

    def _is_up(self) -> bool:
        for name, daemon in self._daemons:
            if daemon.poll() is not None:
                raise AssertionError(f"{name} has ended: {self._last_words()}")
        idle = self.run("sinfo", "--noheader", "--Node", "--states=idle", "--format=%N")
        return len(set(idle.stdout.split())) == self._nodes

    def _last_words(self) -> str:
        return "".join(path.read_text()[-500:] for path in sorted(self._home.glob("*.out")))

    def run(self, *command: str, more: dict[str, str] | None = None, **options) -> subprocess.CompletedProcess[str]:
        """Run a command in the environment of this Slurm, and `more`, without input; return it with its output."""
        env = self.environment | (more or {})
        return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)

    def close(self) -> None:
        """End the daemons, those that were started last first."""
        for _, daemon in reversed(self._daemons):
            daemon.terminate()
        for _, daemon in reversed(self._daemons):
            try:
                daemon.wait(_LIMIT_S)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def __exit__(self, *_: object) -> None:
        self.close()
