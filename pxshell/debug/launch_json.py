"""VS Code's `.vscode/launch.json`: an entry for each rank and one for all, beside those that are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pxshell.debug.jsonc import JsoncError, parse, put
from pxshell.debug.stale_entries import GROUP, without_stale
from pxshell.errors import UsageError

__all__ = ["Adapter", "Entry", "Written", "compound", "configuration", "write_entries"]

#: What an entry attaches to, which is never the user's.
_OURS = frozenset({"type", "request", "connect", "debugAdapterPython", "debugAdapterPath", "processId"})
_NEW = """{
    "version": "0.2.0",
    "configurations": [
    ]
}
"""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A debug adapter that the editor starts itself.

    Attributes:
        python: The interpreter that runs it.
        code: What it runs.
        pid: Of the rank.
    """

    python: str
    code: str
    pid: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What one configuration attaches to.

    Attributes:
        name: As the editor lists it.
        way: A port of this machine, or an adapter to start.
        remote_root: Folder of the rank's files where the editor does not have it under the same path; "" where it has.
    """

    name: str
    way: int | Adapter
    remote_root: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What was done to a file.

    Attributes:
        path: Which.
        dropped: Names of the entries of clusters that are gone, which are not in it any more.
    """

    path: Path
    dropped: tuple[str, ...] = ()


def configuration(entry: Entry) -> dict[str, Any]:
    """Return the configuration that attaches VS Code's Python debugger.

    https://code.visualstudio.com/docs/python/debugging#_set-configuration-options and, for an adapter,
    `createDebugAdapterDescriptor` of microsoft/vscode-python-debugger: it runs `debugAdapterPath` as the one argument
    of `debugAdapterPython`, if there is a `processId` and no `connect`.
    """
    made: dict[str, Any] = {
        "name": entry.name,
        "type": "debugpy",
        "request": "attach",
        **_way(entry.way),
        "justMyCode": True,
        "presentation": {"group": GROUP},
    }
    if entry.remote_root:
        made["pathMappings"] = [{"localRoot": "${workspaceFolder}", "remoteRoot": entry.remote_root}]
    return made


def _way(way: int | Adapter) -> dict[str, Any]:
    if isinstance(way, int):
        return {"connect": {"host": "127.0.0.1", "port": way}}
    return {"debugAdapterPython": way.python, "debugAdapterPath": f"-c{way.code}", "processId": way.pid}


def compound(name: str, entries: Sequence[Entry]) -> dict[str, Any]:
    """Return what starts several of them at once; ending one leaves the others."""
    names = [entry.name for entry in entries]
    return {"name": name, "configurations": names, "stopAll": False, "presentation": {"group": GROUP}}


def write_entries(folder: Path, entries: Sequence[Entry], all_name: str, exists: Callable[[str], bool]) -> Written:
    """Add or update entries in a folder's launch.json, and take away those of ours whose cluster is gone.

    Comments and the user's entries stay.

    Args:
        folder: The workspace.
        entries: One a rank.
        all_name: Name of the compound, when there are several.
        exists: Tells whether there is a cluster of this name.

    Raises:
        UsageError: the file cannot be read as JSON with comments, or not be written; it is as it was.
    """
    path = folder / ".vscode" / "launch.json"
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        text, dropped = without_stale(before if before.strip() else _NEW, exists)
        for entry in entries:
            text = put(text, "configurations", _kept(text, configuration(entry)))
        if len(entries) > 1:
            text = put(text, "compounds", compound(all_name, entries))
        path.parent.mkdir(exist_ok=True)
        _replace(path, text)
    except JsoncError as error:
        raise UsageError(f"{path} is not changed: {error}; mend it, or do without --write") from error
    except OSError as error:
        raise UsageError(f"{path} is not changed: {error.strerror}") from error
    return Written(path, tuple(dropped))


def _kept(text: str, made: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what the user has added to an entry of ours: other options, path mappings of their own."""
    document = parse(text).value
    found = document.get("configurations") if isinstance(document, dict) else None
    entries = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    old = next((one for one in entries if one.get("name") == made["name"]), {})
    return {**made, **{key: value for key, value in old.items() if key not in _OURS}}


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is never half there."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
