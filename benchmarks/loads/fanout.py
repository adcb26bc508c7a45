"""Ranks of raw pyzmq: `fanout.py ADDRESS COUNT` sends every message back, on COUNT sockets of its own."""

from __future__ import annotations

import sys

import zmq


def main(address: str, count: int) -> None:
    """Say hello on each socket, then echo until somebody ends the process."""
    context = zmq.Context()
    poller = zmq.Poller()
    for _ in range(count):
        sock = context.socket(zmq.DEALER)
        sock.connect(address)
        sock.send(b"")
        poller.register(sock, zmq.POLLIN)
    while True:
        for sock, _ in poller.poll():
            sock.send(sock.recv())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
