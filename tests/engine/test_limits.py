"""What may expire while a program stands, read from what the program has imported and its environment."""

from __future__ import annotations

import sys
import types
from datetime import timedelta

import pytest

from pxshell.engine.limits import limits


class Backend:
    def __init__(self, name, seconds):
        self._name = name
        self.options = types.SimpleNamespace(_timeout=timedelta(seconds=seconds))

    def name(self):
        return self._name


@pytest.fixture
def c10d(monkeypatch):
    """Give what a program that has called `init_process_group` has in `sys.modules`."""
    gloo, nccl = Backend("gloo", 1800), Backend("nccl", 600)
    backends = {"cpu": gloo, "meta": gloo, "cuda": nccl}
    group = types.SimpleNamespace(_device_types=list(backends), _get_backend=backends.get)
    module = types.ModuleType("torch.distributed.distributed_c10d")
    module.is_initialized = lambda: True
    module._get_default_group = lambda: group
    monkeypatch.setitem(sys.modules, "torch.distributed.distributed_c10d", module)
    return module


def test_nothing_is_known_of_a_plain_program():
    """Nothing is imported to find that out."""
    assert limits() == []
    assert "torch" not in sys.modules


def test_each_backend_of_the_default_group_has_its_timeout(c10d):
    """Design 10: collective timeouts."""
    assert limits() == [
        {"what": "collectives of torch.distributed (gloo)", "seconds": 1800.0},
        {"what": "collectives of torch.distributed (nccl)", "seconds": 600.0},
    ]


def test_before_the_group_is_made_there_is_no_timeout(c10d):
    """An import of torch alone starts no collective."""
    c10d.is_initialized = lambda: False
    assert limits() == []


def test_names_of_another_version_are_no_limit_and_no_fault(c10d):
    """What cannot be known is not named."""
    del c10d._get_default_group
    assert limits() == []


@pytest.mark.parametrize(("text", "expected"), [("1790000000", [1790000000.0]), ("", []), ("soon", [])])
def test_the_slurm_job_has_an_end(monkeypatch, text, expected):
    """Design 10: Slurm time left."""
    monkeypatch.setenv("SLURM_JOB_END_TIME", text)
    assert [one["end"] for one in limits()] == expected
