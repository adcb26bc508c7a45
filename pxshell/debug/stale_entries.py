"""Entries of `launch.json` that we have written for clusters that are gone, and the file without them."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pxshell.debug.jsonc import drop, parse
from pxshell.ranks import RankSet

__all__ = ["GROUP", "entry_name", "without_stale"]

#: Where our entries stand in the editor's list, and what tells them from the user's.
GROUP = "pxshell"
_NAME = re.compile(r"ranks? [0-9,-]+ of (?P<cluster>\S+) \(pxshell\)")
_CONNECTION = re.compile(r"os\.environ\['PXSHELL_CONNECT'\] = '(?P<path>[^']*)'")


def entry_name(ranks: RankSet, cluster: str) -> str:
    """Name an entry of the editor: what tells it from others comes first, for its lists are narrow."""
    return f"{'rank' if len(ranks) == 1 else 'ranks'} {ranks} of {cluster} (pxshell)"


def without_stale(text: str, exists: Callable[[str], bool]) -> tuple[str, list[str]]:
    """Take away the entries that lead nowhere any more, and the compounds of which nothing is left.

    An entry whose name, group or way the user has changed is theirs, and so is one that a compound of theirs starts.

    Args:
        text: Of the file; an object.
        exists: Tells whether there is a cluster of this name.

    Returns:
        The text, and the names of the entries that are not there any more.

    Raises:
        JsoncError: it is no JSON with comments.
    """
    root = parse(text).value
    if not isinstance(root, dict):
        return text, []
    entries, compounds = _objects(root, "configurations"), _objects(root, "compounds")
    theirs = {str(name) for one in compounds if not _is_ours(one) for name in one.get("configurations") or ()}
    stale = [name for one in entries if (name := str(one.get("name"))) not in theirs and _leads_nowhere(one, exists)]
    left = {str(one.get("name")) for one in entries} - set(stale)
    empty = [
        one["name"]
        for one in compounds
        if _is_ours(one) and _is_gone(one, exists) and not left & set(one.get("configurations") or ())
    ]
    for array, names in (("configurations", stale), ("compounds", empty)):
        for name in names:
            text = drop(text, array, name)
    return text, stale


def _objects(root: dict[str, Any], array: str) -> list[dict[str, Any]]:
    found = root.get(array)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _is_ours(entry: dict[str, Any]) -> bool:
    shown = entry.get("presentation")
    is_grouped = isinstance(shown, dict) and shown.get("group") == GROUP
    return is_grouped and _NAME.fullmatch(str(entry.get("name"))) is not None


def _is_gone(entry: dict[str, Any], exists: Callable[[str], bool]) -> bool:
    match = _NAME.fullmatch(str(entry.get("name")))
    return match is not None and not exists(match["cluster"])


def _leads_nowhere(entry: dict[str, Any], exists: Callable[[str], bool]) -> bool:
    """Tell whether an entry of ours is of no cluster that we know of, nor of one of another $PXSHELL_DIR."""
    if not _is_ours(entry) or not _is_gone(entry, exists):
        return False
    connect = entry.get("connect")
    if isinstance(connect, dict):
        return connect.get("host") == "127.0.0.1" and not _is_listening(connect.get("port"))
    path = _CONNECTION.search(str(entry.get("debugAdapterPath")))
    return path is not None and not Path(path["path"]).exists()


def _is_listening(port: object) -> bool:
    """Tell whether a port of this machine is taken, without a word to who holds it."""
    if not isinstance(port, int) or not 0 < port < 1 << 16:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
