"""A program for two MPI ranks: every call that is replaced, and what it gave; run with and without the replacement."""

import sys

import numpy as np

CALLS = set()

if "replaced" in sys.argv:
    from pxshell.engine.interruptible import make_interruptible

    class Waiter:
        """Waits without a rank around it."""

        def until(self, is_done, call):
            CALLS.add(call)
            while not is_done():
                pass

    make_interruptible(Waiter())

from mpi4py import MPI  # noqa: E402 - what it is to find is put in place above

comm = MPI.COMM_WORLD
rank, size, other = comm.rank, comm.size, 1 - comm.rank
mine = np.arange(4.0) + 10 * rank


def empty(count=4):
    return np.zeros(count)


def told(name, value):
    values = comm.gather(value.tolist() if isinstance(value, np.ndarray) else value)
    if rank == 0:
        print(name, values)


status = MPI.Status()
for send in (comm.Send, comm.Ssend):
    if rank == 0:
        send(mine, 1, 7)
        told(send.__name__, "sent")
    else:
        buf = empty()
        comm.Recv(buf, source=0, tag=7, status=status)
        told(send.__name__, (buf.tolist(), status.source, status.tag))
for name in ("send", "ssend"):
    if rank == 0:
        getattr(comm, name)({"a": 1}, dest=1, tag=3)
        told(name, "sent")
    else:
        comm.probe(tag=3, status=status)
        told(name, (comm.recv(source=0, tag=3, status=status), status.tag))
if rank == 0:
    comm.send("matched", dest=1)
    comm.Send(mine, dest=1)
    told("mprobe", "sent")
else:
    message = comm.mprobe(source=0)
    value = message.recv()
    comm.Probe(source=0)
    message, buf = comm.Mprobe(source=0), empty()
    message.Recv(buf)
    told("mprobe", (value, buf.tolist()))
buf = empty()
comm.Sendrecv(mine, other, recvbuf=buf, source=other)
told("Sendrecv", buf)
told("sendrecv", comm.sendrecv(rank, other, source=other))

comm.Barrier()
comm.barrier()
buf = mine.copy()
comm.Bcast(buf, root=1)
told("Bcast", buf)
for name, count in (("Allgather", 8), ("Alltoall", 4), ("Allreduce", 4), ("Scan", 4)):
    buf = empty(count)
    getattr(comm, name)(mine, buf)
    told(name, buf)
buf = mine.copy()
comm.Allreduce(MPI.IN_PLACE, buf, op=MPI.MAX)
told("Allreduce in place", buf)
for name, count in (("Gather", 8), ("Reduce", 4)):
    buf = empty(count)
    getattr(comm, name)(mine, buf, root=1)
    told(name, buf)
buf = empty(2)
comm.Scatter(mine, buf)
told("Scatter", buf)
comm.Reduce_scatter_block(mine, buf)
told("Reduce_scatter_block", buf)
told("bcast", comm.bcast({"b": rank}, root=1))
told("gather", comm.gather(rank, root=1))
told("scatter", comm.scatter(["x", "y"] if rank == 0 else None))
told("allgather", comm.allgather(rank))
told("alltoall", comm.alltoall([rank, rank + 5]))
told("reduce", comm.reduce(rank, root=1))
told("allreduce", comm.allreduce(rank, op=MPI.MAX))
told("scan", comm.scan(rank + 1))

request, buf = comm.Irecv(bufs := empty(), source=other), None
sending = comm.Isend(mine, other)
told("isinstance", isinstance(request, MPI.Request) and isinstance(MPI.REQUEST_NULL, MPI.Request))
MPI.Request.Waitall([request, sending])
told("Waitall", bufs)
request, sending = comm.irecv(source=other), comm.isend("object", other)
told("wait", request.wait())
sending.Wait()
requests = [comm.irecv(source=other), comm.isend(rank, other)]
told("waitall", MPI.Request.waitall(requests))
request, sending = comm.Irecv(buf := empty(), source=other), comm.Isend(mine, other)
index = MPI.Request.Waitany([request])
sending.Wait()
told("Waitany", (index, buf.tolist()))

cart = comm.Create_cart([2])
told("Create_cart", (isinstance(cart, MPI.Cartcomm), cart.Get_coords(rank), cart.allreduce(1)))
half = comm.Split(rank)
told("Split", (half.size, half.allreduce(rank)))
told("Dup", comm.Dup().allreduce(2))

if "replaced" in sys.argv:
    dup = comm.Dup()
    plain = comm.Split(MPI.UNDEFINED)
    assert plain == MPI.COMM_NULL
    for one in (comm, cart, half, dup, cart.Sub([True]), MPI.COMM_SELF):
        assert "interruptible" in type(one).Recv.__code__.co_filename, type(one)
    assert {"Allreduce", "allreduce", "Waitall", "Sendrecv", "sendrecv"} <= CALLS, CALLS
