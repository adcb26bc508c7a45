"""Limits that people may set: sizes with units from the environment, read alike by whoever keeps to them.

| variable | default | limits |
|---|---|---|
| `PXSHELL_QUEUE_LIMIT` | 64 MiB | what waits for one peer on one lane; above it text and pictures are cut |
| `PXSHELL_LOG_LIMIT` | 1 GiB | the log of one rank |
| `PXSHELL_VIEW_LIMIT` | 32 MB | text and pictures that a front end keeps of one cell |
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pxshell.errors import UsageError
from pxshell.protocol.link import WORK_LIMITS
from pxshell.transport.base import Settings

__all__ = ["SizeLimits", "parse_size", "size_limits", "transport_settings"]

_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kKMG]i?)?B\s*")
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}
#: Bytes; below it nothing would ever get through.
_LEAST = 64 << 10


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """Sizes in bytes."""

    queue: int = WORK_LIMITS.limit_bytes
    log: int = 1 << 30
    view: int = 32_000_000


def size_limits(environ: Mapping[str, str] = os.environ) -> SizeLimits:
    """Return the limits that the environment sets, and the defaults of the others.

    Raises:
        UsageError: one cannot be read, or is below 64 KiB.
    """
    default = SizeLimits()
    return SizeLimits(
        queue=_read(environ, "PXSHELL_QUEUE_LIMIT", default.queue),
        log=_read(environ, "PXSHELL_LOG_LIMIT", default.log),
        view=_read(environ, "PXSHELL_VIEW_LIMIT", default.view),
    )


def transport_settings(limits: SizeLimits) -> Settings:
    """Return the settings of links that keep to these limits."""
    return Settings(work=replace(WORK_LIMITS, limit_bytes=limits.queue))


def parse_size(text: str) -> int | None:
    """Return the bytes of `64 MiB`, `1.5GB` or `900 kB`; None when it is no size."""
    match = _SIZE.fullmatch(text)
    return int(float(match[1]) * _UNITS[(match[2] or "").upper()]) if match else None


def _read(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "")
    if not text.strip():
        return default
    size = parse_size(text)
    if size is None:
        raise UsageError(f"{name}={text!r} is no size; write a number and a unit, as 64MiB or 1GB")
    if size < _LEAST:
        raise UsageError(f"{name}={text} is too little; the least is 64KiB")
    return size
