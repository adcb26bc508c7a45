"""What may expire while a program stands: the time limits that can be known without importing anything.

For the control thread; it only reads.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

__all__ = ["limits"]

_log = logging.getLogger(__name__)


def limits() -> list[dict[str, Any]]:
    """Return what may expire: `what`, and after how many `seconds` of standing, or at which `end` (seconds of Unix)."""
    return [*_collectives(), *_slurm()]


def _collectives() -> list[dict[str, Any]]:
    """Return the time after which a peer gives up waiting for this rank in a collective of torch.distributed.

    Each backend of the default group has its own, in its options
    (https://docs.pytorch.org/docs/stable/distributed.html#torch.distributed.init_process_group).
    """
    c10d: Any = sys.modules.get("torch.distributed.distributed_c10d")
    if c10d is None:
        return []
    try:
        if not c10d.is_initialized():
            return []
        group = c10d._get_default_group()  # noqa: SLF001 - the options of a backend have no public reader
        backends = {id(one): one for one in (group._get_backend(device) for device in group._device_types)}  # noqa: SLF001 - as above
        return [_limit_of(backend) for backend in backends.values()]
    except Exception:  # noqa: BLE001 - names of another version of torch: then the limits are not known
        _log.debug("the timeouts of torch.distributed are not to be had", exc_info=True)
        return []


def _limit_of(backend: Any) -> dict[str, Any]:
    seconds = backend.options._timeout.total_seconds()  # noqa: SLF001 - as above
    return {"what": f"collectives of torch.distributed ({backend.name()})", "seconds": seconds}


def _slurm() -> list[dict[str, Any]]:
    """Return the end of the Slurm job (https://slurm.schedmd.com/srun.html#OPT_SLURM_JOB_END_TIME)."""
    end = os.environ.get("SLURM_JOB_END_TIME", "")
    return [{"what": "the Slurm job", "end": float(end)}] if end.isdecimal() else []
