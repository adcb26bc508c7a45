"""Engines of ipyparallel that run nothing: `ipp_engines.py CONNECTION_FILE COUNT`.

Each registers with the hub, lets its heart beat and answers `apply_request`, as ipyparallel/engine does; control and
iopub, which a call of nothing does not use, are left out. Signed as the connection file says, and nothing is unpacked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.session import Session

_DELIMITER = b"<IDS|MSG>"
_CONTENT = b'{"status": "ok"}'


class _Engine:
    """One engine's sockets."""

    def __init__(self, context: zmq.Context[Any], session: Session, info: dict[str, Any], none: list[bytes]) -> None:
        self.ident = uuid.uuid4().hex
        self._key = info["key"].encode()
        self._none = none
        said = self._register(context, session, info)
        address = info["interface"]
        leaves = info["broadcast"]
        self.shell = self._socket(context, zmq.ROUTER)
        for port in (info["mux"], info["task"], leaves[said["id"] % len(leaves)]):
            self.shell.connect(f"{address}:{port}")
        self.heart = self._socket(context, zmq.DEALER)
        self.heart.connect(f"{address}:{info['hb_pong']}")

    def _socket(self, context: zmq.Context[Any], kind: int) -> zmq.Socket[bytes]:
        sock = context.socket(kind)
        sock.setsockopt(zmq.IDENTITY, self.ident.encode())
        return sock

    def _register(self, context: zmq.Context[Any], session: Session, info: dict[str, Any]) -> dict[str, Any]:
        registrar = self._socket(context, zmq.DEALER)
        registrar.connect(f"{info['interface']}:{info['registration']}")
        session.send(registrar, "registration_request", content={"uuid": self.ident})
        _, parts = session.feed_identities(registrar.recv_multipart())
        registrar.close()
        content: dict[str, Any] = session.deserialize(parts)["content"]
        assert content["status"] == "ok", content
        return content

    def answer(self) -> None:
        """Answer one request."""
        frames = self.shell.recv_multipart()
        at = frames.index(_DELIMITER)
        parent, asked = frames[at + 2], json.loads(frames[at + 4])
        names = ("is_broadcast", "is_coalescing", "original_msg_id")
        metadata = {"engine": self.ident, "dependencies_met": True, "status": "ok"}
        metadata |= {name: asked.get(name, False) for name in names}
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "apply_reply", "username": "", "session": self.ident}
        header |= {"date": "2026-01-01T00:00:00.000000Z", "version": "5.3"}
        parts = [json.dumps(header).encode(), parent, json.dumps(metadata).encode(), _CONTENT]
        sign = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            sign.update(part)
        self.shell.send_multipart([*frames[:at], _DELIMITER, sign.hexdigest().encode(), *parts, *self._none])


def main(path: str, count: int) -> None:
    """Register all, say so, and answer until somebody ends the process."""
    from ipyparallel.serialize import serialize_object

    info = json.loads(Path(path).read_text(encoding="utf-8"))
    session = Session(key=info["key"].encode(), signature_scheme=info["signature_scheme"])
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 4 * count + 16)
    ping = context.socket(zmq.SUB)
    ping.setsockopt(zmq.SUBSCRIBE, b"")
    ping.connect(f"{info['interface']}:{info['hb_ping']}")
    none = [bytes(one) for one in serialize_object(None)]
    engines = [_Engine(context, session, info, none) for _ in range(count)]
    poller = zmq.Poller()
    by_shell = {one.shell: one for one in engines}
    for sock in (ping, *by_shell):
        poller.register(sock, zmq.POLLIN)
    print("registered", flush=True)
    while True:
        for sock, _ in poller.poll():
            if sock is ping:
                frames = ping.recv_multipart()
                for one in engines:
                    one.heart.send_multipart(frames)
            else:
                by_shell[sock].answer()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
