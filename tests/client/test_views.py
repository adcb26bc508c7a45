"""Tests of `pxshell.client` on two real local ranks, with ipyparallel's vocabulary."""

from __future__ import annotations

import operator
import re
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pxshell
from pxshell.client import Client
from pxshell.errors import CompositeError, DeadlineError, RankSetError, RemoteError, UsageError
from pxshell.ranks import RankSet
from pxshell.testing.scripted import check_client
from pxshell.testing.waiting import wait_until


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with pxshell.Cluster(n=2) as client:
        yield client


#: What a rank answers whose work is aborted, or has not begun when that comes.
ABORTED = "KeyboardInterrupt|interrupted before it began"


def echo(text: str) -> dict[str, object]:
    return {"code": f"print({text!r}, end='')", "silent": False, "store_history": False, "places": [["idle", "0-1"]]}


def test_the_real_client_is_what_sessions_rely_on(client: Client) -> None:
    """The scripted client of the tests and the real one pass the same conformance function."""
    check_client(client, echo)


def test_a_function_runs_on_every_rank_in_their_order(client: Client) -> None:
    """Ipyparallel's `apply_sync`."""
    view = client[:]
    view.execute("me = rank", block=True)
    code = compile("def tenfold(): return me * 10", "<user>", "exec")
    program = {"__name__": "__main__"}
    exec(code, program)
    assert view.apply_sync(program["tenfold"]) == [0, 10]
    assert view.apply_sync(operator.add, 1, 2) == [3, 3]


def test_values_are_pushed_and_pulled(client: Client) -> None:
    """Ipyparallel's `push`, `pull`, and item access."""
    view = client.direct_view(block=True)
    view.push({"a": 1, "b": np.arange(4.0)})
    assert view.pull("a") == [1, 1]
    assert view["a + 1"] == [2, 2]
    first, second = view.pull(["a", "b.sum()"])
    assert first == second == [1, 6.0]
    view["a"] = 5
    assert client[1].pull("a", block=True) == client[1]["a"] == 5


def test_a_value_is_kept_only_by_whoever_has_it(client: Client) -> None:
    """P7: pulling again and again takes no more memory than what the caller keeps."""
    view = client.direct_view(block=True)
    view.push({"a": np.ones(1_000_000)})
    kept = view.pull("a")
    gone = [weakref.ref(array) for array in view.pull("a")]
    wait_until(lambda: not any(ref() is not None for ref in gone), 30, "the values are gone")
    in_shared_memory = [line for line in Path("/proc/self/maps").read_text().splitlines() if "/dev/shm/" in line]
    assert len(in_shared_memory) <= len(kept)
    assert kept[0].sum() == kept[1].sum() == 1_000_000


def test_a_result_that_is_kept_gets_what_is_printed_late(client: Client) -> None:
    """P2: it is done, and remembered for as long as somebody has it."""
    code = "import threading, time\nt = threading.Timer(0.2, print, ['late']); t.start()"
    result = client[0].execute(code, block=False)
    result.get(30)
    wait_until(lambda: result.stdout == "late\n", 30, "it has come")


def test_arrays_are_scattered_and_gathered_as_they_were(client: Client) -> None:
    """Ipyparallel's `scatter` and `gather`."""
    view = client[:]
    data = np.arange(7)
    view.scatter("part", data, block=True)
    assert view["len(part)"] == [4, 3]
    assert (view.gather("part", block=True) == data).all()


def test_map_keeps_the_order_of_the_elements(client: Client) -> None:
    """Ipyparallel's `map_sync`."""
    assert client[:].map_sync(operator.add, range(5), range(5)) == [0, 2, 4, 6, 8]


def test_an_error_of_one_rank_is_a_remote_error_with_its_rank(client: Client) -> None:
    """P4: success and error never fold together."""
    result = client[:].execute("1 / rank")
    with pytest.raises(RemoteError) as caught:
        result.get(30)
    assert (caught.value.ename, caught.value.ranks) == ("ZeroDivisionError", RankSet.of(0))
    assert not result.successful()


def test_different_errors_are_one_composite_error(client: Client) -> None:
    """Ipyparallel's CompositeError."""
    with pytest.raises(CompositeError) as caught:
        client[:].execute("[1 / 0, undefined][rank] if not rank else undefined").get(30)
    assert {error.ename for error in caught.value.errors} == {"ZeroDivisionError", "NameError"}


def test_output_is_with_the_result_folded(client: Client) -> None:
    """What the ranks print belongs to the result."""
    result = client[:].execute("print('hello')")
    result.get(30)
    assert result.stdout == "hello\n"
    assert [str(message.ranks) for message in result.display_outputs()] == ["0-1"]


def test_waiting_ends_at_its_deadline_and_names_who_is_missing(client: Client, tmp_path: Path) -> None:
    """P3: nothing waits for ever."""
    go_on = tmp_path / "go on"
    result = client[1].execute(
        f"import pathlib, time\nwhile not pathlib.Path({str(go_on)!r}).exists(): time.sleep(0.01)"
    )
    with pytest.raises(DeadlineError, match="1"):
        result.get(0.05)
    go_on.touch()
    assert result.wait(30)
    assert result.ready()


def test_a_result_says_how_far_it_is(client: Client) -> None:
    """Ipyparallel's `progress`, `elapsed`, `get_dict` and `done`; a result has as many values as ranks."""
    result = client[:].apply_async(operator.add, 1, 2)
    assert result.get_dict(30) == {0: 3, 1: 3}
    assert (len(result), result.progress, result.done()) == (2, 2, True)
    assert 0 < result.elapsed == result.elapsed
    slow = client[0].execute("import time\nwhile True: time.sleep(0.001)", block=False)
    before = slow.elapsed
    assert (len(slow), slow.progress, slow.done()) == (1, 0, False)
    assert slow.elapsed > before
    slow.abort()
    with pytest.raises(RemoteError, match=ABORTED):
        slow.get(30)


def test_abort_ends_what_has_begun_and_what_has_not(client: Client) -> None:
    """P3: every rank answers; what is not this result's runs on."""
    begun = client[:].execute("import time\nwhile True: time.sleep(0.001)", block=False)
    waiting = client[:].apply_async(operator.add, 1, 2)
    other = client[:].apply_async(operator.add, 3, 4)
    waiting.abort()
    begun.abort()
    for aborted in (begun, waiting):
        with pytest.raises(RemoteError, match=ABORTED) as raised:
            aborted.get(30)
        assert sorted(raised.value.ranks) == [0, 1]
    assert other.get(30) == [7, 7]


def test_a_result_says_which_ranks_stand_at_a_breakpoint(client: Client) -> None:
    """P10: a function that pauses its rank shows nothing by itself; who waits for it learns where, and what to do."""
    view = client[:]
    result = view.execute("breakpoint()")
    wait_until(lambda: client.states.where("paused") == RankSet.of(0, 1), 30, "both ranks are paused")
    told = f"(0-1 paused at <view>:1; to look and resume: pxshell attach {client.name})"
    assert repr(result) == f"<AsyncResult: ranks 0-1, waiting for 0-1 {told}>"
    with pytest.raises(DeadlineError, match=re.escape(f"missing: 0-1 {told}")):
        result.get(timeout=0.01)
    for ranks, state in client.states.among(view.targets):
        client.request("px_resume_request", {"pause": state.pause}, ranks)
    assert result.get(timeout=30) == [None, None]
    assert repr(result) == "<AsyncResult: ranks 0-1, finished>"


def test_views_are_made_with_slices_lists_and_rank_sets(client: Client) -> None:
    """Ipyparallel's indexing, and rank sets."""
    assert client.ids == [0, 1]
    assert len(client) == 2
    assert client[::2].targets == RankSet.of(0)
    assert client[[0, 1]].targets == client["0-1"].targets == client[:].targets == RankSet.of(0, 1)
    with pytest.raises(RankSetError):
        client[7]


def test_a_client_says_of_which_cluster_it_is(client: Client) -> None:
    """As its views do."""
    assert repr(client) == f"<Client of {client.name}: ranks 0-1>"


def test_what_cannot_be_pickled_is_refused_before_it_is_sent(client: Client) -> None:
    """P10: one line, nothing changed."""
    with pytest.raises(UsageError, match="cannot be sent"):
        client[:].push({"x": (number for number in ())})
