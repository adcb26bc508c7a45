"""A clock for tests of deadlines: no machine is so slow that one is over before what should happen until then."""

import itertools
from types import SimpleNamespace


def ticking(monkeypatch, module, seconds):
    """Let the time of a module pass by so many seconds whenever it looks at its clock, and not else."""
    ticks = itertools.count()
    monkeypatch.setattr(f"{module}.time", SimpleNamespace(monotonic=lambda: seconds * next(ticks)))
