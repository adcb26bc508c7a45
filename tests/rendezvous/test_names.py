"""Clusters get names that people can say, and that are safe as file names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxshell.errors import UsageError
from pxshell.rendezvous import names


@pytest.mark.parametrize("name", ["calm-fox", "sim-1", "a", "0", "a.b_c-d", "x" * 32])
def test_good_names_come_back(name: str) -> None:
    """A check can stand in the place where the name is used."""
    assert names.check_cluster_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "A", "-a", ".a", "a b", "a/b", "..", "x" * 33, "é", "a\n", "calm-fox.observer", "calm-fox.node"]
)
def test_bad_names_are_refused_with_the_rule(name: str) -> None:
    """P10: nothing that is a path, an option or another role's file."""
    with pytest.raises(UsageError, match="as in calm-fox"):
        names.check_cluster_name(name)


def test_generated_names_are_good_and_free() -> None:
    """Two words; taken ones are not given again, and when all are taken a number is."""
    taken: set[str] = set()
    for _ in range(50):
        name = names.generate_name(taken)
        assert name not in taken
        assert len(names.check_cluster_name(name).split("-")) == 2
        taken.add(name)


def test_names_do_not_run_out() -> None:
    """A user with thousands of clusters gets numbered ones."""
    taken = {f"{quality}-{animal}" for quality in names._QUALITIES for animal in names._ANIMALS}
    assert all(names.is_cluster_name(name) for name in taken)
    assert names.generate_name(taken) == "cluster-1"
    assert names.generate_name({*taken, "cluster-1"}) == "cluster-2"


def test_scripts_give_their_names() -> None:
    """The number tells runs of one script apart."""
    assert names.name_from_script("/home/me/sim.py") == "sim-1"
    assert names.name_from_script("sim.py", {"sim-1", "sim-3"}) == "sim-2"
    assert names.name_from_script("My Sim (2).py") == "my-sim-2-1"
    assert names.name_from_script("pkg.train") == "pkg.train-1"
    assert names.name_from_script("-") == "run-1"


@given(st.text())
def test_every_script_gives_a_good_name(script: str) -> None:
    """Whatever a file is called."""
    assert names.is_cluster_name(names.name_from_script(script))
