"""A file of NumPy's as a reference: values by name, or by name and rank."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pxshell.errors import UsageError
from pxshell.ranks import RankSet

__all__ = ["reference_values"]


def reference_values(path: Path, expression: str, ranks: RankSet) -> dict[int, Any]:
    """Return the reference value of each rank.

    Of a `.npz` file it is what has the name of the expression (`u`), for all ranks, or the expression and a rank
    (`u_3`), for one; of a `.npy` file, or a `.npz` with one array, it is that one.

    Raises:
        UsageError: the file cannot be read, NumPy is not installed here, or it has nothing for some of the ranks.
    """
    if path.suffix not in {".npz", ".npy"}:
        raise UsageError(f"{path.name} is no reference: --against takes a .npz or .npy file")
    stored = _read(path)
    name = re.sub(r"\W+", "_", expression.strip())
    common = next((stored[key] for key in (expression.strip(), name) if key in stored), None)
    if common is None and len(stored) == 1 and not any(f"{name}_{rank}" in stored for rank in ranks):
        common = next(iter(stored.values()))
    found = {rank: stored.get(f"{name}_{rank}", common) for rank in ranks}
    lacking = RankSet(rank for rank, value in found.items() if value is None)
    if lacking:
        known = ", ".join(sorted(stored)[:8]) or "nothing"
        raise UsageError(
            f"{path.name} has no value for {lacking}: {name}, or {name}_{lacking.first} for one rank, is looked for;"
            f" there is {known}"
        )
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        import numpy as np
    except ImportError:
        raise UsageError("--against needs NumPy here: pip install numpy") from None
    try:
        loaded = np.load(path, allow_pickle=False)
        return {"": loaded} if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded.files}
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except Exception as error:
        raise UsageError(f"{path.name} cannot be read: {type(error).__name__}: {error}") from error
