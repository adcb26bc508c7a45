"""Calls that wait for other ranks, and whom they wait for."""

import ast

import pytest

from pxshell.protocol.waitcalls import MPI, MPI_CALLS, TORCH, Role, argument_of, end_of, hides, written


def call(text):
    return ast.parse(text, mode="eval").body


def end_of_call(text):
    """Return what a call ends in, with its arguments as they are written."""
    node = call(text)

    def said(role):
        found = argument_of(node, role)
        return ("" if hides(node, role) else None) if found is None else written(found)

    return end_of(MPI, node.func.attr, said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("c.Recv(b, 1, 5)", "in MPI Recv from 1"),
        ("c.Recv(b, source=left)", "in MPI Recv from left"),
        ("c.Recv(b)", "in MPI Recv from any"),
        ("c.Recv(*args)", "in MPI Recv"),
        ("c.Recv(b, **options)", "in MPI Recv"),
        ("c.send(b, dest=2)", "in MPI send to 2"),
        ("c.Sendrecv(b, 1, 0, r, 3)", "in MPI Sendrecv to 1 from 3"),
        ("c.Sendrecv_replace(b, 1, source=2)", "in MPI Sendrecv_replace to 1 from 2"),
        ("c.bcast(b)", "in MPI bcast root 0"),
        ("c.Reduce(a, b, MPI.SUM, 2)", "in MPI Reduce root 2"),
        ("c.Allreduce(a, b)", "in MPI Allreduce"),
        ("r.Wait()", "in MPI Wait"),
        ("c.Probe(3)", "in MPI Probe from 3"),
    ],
)
def test_a_call_of_mpi_says_whom_it_waits_for(text, said):
    assert end_of_call(text).text == said


def test_a_collective_is_told_from_a_message():
    assert end_of(MPI, "Barrier").is_collective
    assert not end_of(MPI, "Recv").is_collective


def test_a_communicator_that_is_not_the_world_is_named():
    """P4: rank 1 of another communicator is another rank."""
    assert end_of(MPI, "Recv", lambda _: "1", "row").text == "in MPI Recv from 1 on row"


@pytest.mark.parametrize("name", ["Isend", "Irecv", "Iprobe", "Test", "Get_rank", "append"])
def test_what_returns_at_once_is_no_wait(name):
    assert end_of(MPI, name) is None
    assert name not in MPI_CALLS


def test_calls_of_torch_are_known():
    assert end_of(TORCH, "all_reduce").text == "in torch.distributed all_reduce"
    assert (
        end_of(TORCH, "broadcast", lambda role: {"src": "3"}[role.name]).text == "in torch.distributed broadcast root 3"
    )


def test_a_long_argument_is_cut():
    assert written(call("a_long_name[another_long_name + 1].more")) == "a_long_name[another_long_name…"
    assert argument_of(call("f(1)"), Role("to", 1, "dest")) is None
