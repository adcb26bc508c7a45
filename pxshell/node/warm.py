"""The warm process that ranks are forked from, started before the node has imported anything: both load at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["CAN_FORK", "WarmProcess", "environment_of", "open_log", "start_warm"]

#: macOS forks, but its libraries do not survive it.
CAN_FORK = sys.platform == "linux"
#: Seconds that one whose socket has closed may take to end.
_GRACE_S = 2.0


def environment_of(changes: Mapping[str, str | None], inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command of launch.json; None in its changes removes a name."""
    changed = {**inherited, **changes}
    return {name: value for name, value in changed.items() if value is not None}


def open_log(directory: Path) -> int:
    """Open the launch log of a cluster's directory: the output of what is started before it is connected."""
    path = directory / "logs" / "launch.log"
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def start_warm(directory: Path, launch: Mapping[str, Any]) -> WarmProcess | None:
    """Start the warm process for the ranks of a launch.json that may be forked, if there are any and this system can.

    Raises:
        OSError: the program is not there, or cannot be run.
    """
    commands = [command for command in launch.get("commands", ()) if command.get("forks")]
    if not (CAN_FORK and commands):
        return None
    inherited = dict(os.environ) | {"PXSHELL_NODE": str(directory / "node.sock")}
    environments = [environment_of(command.get("env", {}), inherited).items() for command in commands]
    common = dict(set.intersection(*map(set, environments)))
    log = open_log(directory)
    try:
        return WarmProcess(commands[0]["argv"], common, launch.get("cwd"), log)
    finally:
        os.close(log)


class WarmProcess:
    """The process, and our end of the socket that it takes requests from; see `pxshell.engine.forking`.

    Args:
        argv: the command of an engine without a script.
        environment: what all ranks have in common.
        cwd: where it runs, and the ranks.
        log: descriptor for its output.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], cwd: str | None, log: int) -> None:
        self.environment = environment
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*argv, "--forks", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=cwd,
                env=dict(environment),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    @property
    def is_there(self) -> bool:
        """Whether it can be asked, as far as we know."""
        return self.socket.fileno() >= 0

    def wait(self) -> int:
        """Close the socket, at which it ends; return its exit status."""
        self.socket.close()
        try:
            return self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return self.kill()

    def end(self) -> None:
        """Send it SIGKILL; `wait` is still to be called."""
        self._process.kill()

    def kill(self) -> int:
        """End it at once: it holds nothing, and its ranks run on. Return its exit status."""
        self.socket.close()
        self._process.kill()
        return self._process.wait()
