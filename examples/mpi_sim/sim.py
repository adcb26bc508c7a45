"""Waves in a square basin: the shallow-water equations on any number of MPI ranks.

    mpiexec -n 4 python sim.py --steps 5000

A hill of water falls and its waves run to and fro between the walls. The basin is cut into one block for each rank.
In every step the ranks exchange the edges of their blocks (the halo) several times, and sum the mass once: water is
neither made nor lost.
"""

import argparse
import sys
import zlib

import numpy as np
from mpi4py import MPI

LENGTH = 64.0  # of a side of the basin, in m; the water is 1 m deep on average
GRAVITY = 9.81  # m/s^2
SUBSTEPS = 10  # in each step, in which a wave passes one cell
DRY = 1e-6  # m; less than this is land


def main():
    """Run the simulation that the command line asks for."""
    args = parse_arguments()
    comm = MPI.COMM_WORLD
    cart = comm.Create_cart(MPI.Compute_dims(comm.size, 2))
    rank = cart.rank
    block = own_block(cart, args.size)
    dx = LENGTH / args.size
    dt = dx / np.sqrt(GRAVITY)

    u = initial_height(cart, block, dx)
    vx = np.zeros((u.shape[0] + 1, u.shape[1]))  # velocities through the sides of the cells
    vy = np.zeros((u.shape[0], u.shape[1] + 1))
    mass = initial_mass = total_mass(cart, u, dx)

    for step in range(1, args.steps + 1):
        if (rank, step) == args.nan_at:
            plant_fault(u)
        advance(cart, finite(u) if args.strict else u, vx, vy, dt / dx)
        mass = total_mass(cart, u, dx)
        if rank == 0 and step % args.every == 0 and step < args.steps:
            print(f"step {step}  mass {mass:.3f}", flush=True)

    field = gather(cart, u, block, args.size)
    if rank == 0:
        print(f"step {args.steps}  mass {mass:.3f}  checksum {zlib.crc32(field.tobytes()):08x}", flush=True)
    if args.check and not abs(mass - initial_mass) <= 1e-9 * initial_mass:
        sys.exit(f"the mass was {initial_mass:.3f} and is {mass:.3f}")


def own_block(cart, size):
    """Return the part of the basin that this rank computes: a slice of the global field for each axis."""
    return tuple(
        slice(size * place // blocks, size * (place + 1) // blocks)
        for place, blocks in zip(cart.coords, cart.dims, strict=True)
    )


def initial_height(cart, block, dx):
    """Return the height of the water in this rank's block: a hill beside the middle, 1 m deep on average."""
    x, y = (np.arange(part.start, part.stop) * dx + dx / 2 for part in block)
    distance = np.hypot(x[:, None] - 0.4 * LENGTH, y[None, :] - 0.45 * LENGTH)
    u = 1 + 0.5 * np.exp(-((distance / (0.1 * LENGTH)) ** 2))
    return u * LENGTH**2 / total_mass(cart, u, dx)


def total_mass(cart, u, dx):
    """Return the mass of the water in the whole basin (density 1)."""
    total = np.array(u.sum() * dx**2)
    cart.Allreduce(MPI.IN_PLACE, total)
    return float(total)


def halo_exchange(cart, u):
    """Return a copy of the block with one more cell on each side: the neighbours' edges, or land outside the basin."""
    padded = np.zeros((u.shape[0] + 2, u.shape[1] + 2))
    padded[1:-1, 1:-1] = u
    requests, edges = [], []
    for axis in (0, 1):
        for side, neighbour in zip((0, -1), cart.Shift(axis, 1), strict=True):
            edge = u.take(side, axis)
            halo = np.zeros_like(edge)
            requests.append(cart.Isend(edge, neighbour, tag=axis))
            requests.append(cart.Irecv(halo, neighbour, tag=axis))
            edges.append(((side, slice(1, -1)) if axis == 0 else (slice(1, -1), side), halo))
    MPI.Request.Waitall(requests)
    for where, halo in edges:
        padded[where] = halo
    return padded


def advance(cart, u, vx, vy, dt_dx):
    """Advance height and velocities, in place, by one step: each time first the velocities, then what they carry."""
    for _ in range(SUBSTEPS):
        padded = halo_exchange(cart, u)
        flow_x = flow(vx, padded[:-1, 1:-1], padded[1:, 1:-1], dt_dx / SUBSTEPS)
        flow_y = flow(vy, padded[1:-1, :-1], padded[1:-1, 1:], dt_dx / SUBSTEPS)
        u -= flow_x[1:] - flow_x[:-1] + flow_y[:, 1:] - flow_y[:, :-1]


def flow(v, left, right, dt_dx):
    """Accelerate the water between the cells left and right of each side, in place; return what flows to the right.

    Through the side of a cell without water nothing flows. A NaN is no water either: a fault stays where it began.
    """
    is_open = (left > DRY) & (right > DRY)
    v[...] = np.where(is_open, v - GRAVITY * dt_dx * (right - left), 0.0)
    return np.where(is_open, dt_dx * v * np.where(v > 0, left, right), 0.0)


def plant_fault(u):
    """Put NaN into a disc in the middle of the block."""
    rows, columns = np.indices(u.shape)
    middle = (u.shape[0] // 2, u.shape[1] // 2)
    u[np.hypot(rows - middle[0], columns - middle[1]) < 0.192 * min(u.shape)] = np.nan


def gather(cart, u, block, size):
    """Return the field of the whole basin on rank 0, None elsewhere."""
    parts = cart.gather((block, u))
    if parts is None:
        return None
    field = np.empty((size, size))
    for where, part in parts:
        field[where] = part
    return field


def parse_arguments():
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000, help="how many steps (default: %(default)s)")
    parser.add_argument("--size", type=int, default=128, metavar="NX", help="cells on a side (default: %(default)s)")
    parser.add_argument("--every", type=int, default=500, metavar="K", help="print each K steps (default: %(default)s)")
    parser.add_argument("--nan-at", type=rank_and_step, metavar="RANK,STEP", help="plant NaN there: a fault to hunt")
    parser.add_argument("--strict", action="store_true", help="fail in the step in which the water is no number")
    parser.add_argument("--check", action="store_true", help="fail when the mass has changed")
    return parser.parse_args()


def rank_and_step(text):
    """Return ``3,600`` as two numbers."""
    rank, step = text.split(",")
    return int(rank), int(step)


def finite(u):
    """Return the height of the water as it is, if it is a number everywhere."""
    bad = int((~np.isfinite(u)).sum())
    if bad:
        raise FloatingPointError(f"{bad} cells are no number")
    return u


# For `%pxplot u`, and read by nothing else: where this rank's part of the field lies is in the variable `block`.
__pxplot__ = {"u": "block"}

if __name__ == "__main__":
    main()
