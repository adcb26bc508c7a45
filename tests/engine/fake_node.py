"""A node in the test process: real sockets and pipes, one real engine process, everything it said in one list."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

from pxshell.node.output import RankOutput
from pxshell.node.turns import Turns
from pxshell.protocol.marks import Scope
from pxshell.protocol.message import Message
from pxshell.protocol.types import RUN, Role
from pxshell.ranks import RankSet
from pxshell.transport.base import Handler, make_hello
from pxshell.transport.loop import SelectLoop
from pxshell.transport.unix import UnixServer

LIMIT_S = 30.0


class FakeNode(Handler):
    """What an engine sees of a node; `said` is all that engines said, with the text of the pipes in its place.

    Args:
        path: of the socket; None for a node that only adopts engines which listen.
        gives_pipes: engines get pipes for their output, as those that pxshell started.
    """

    def __init__(self, path: Path | None, *, gives_pipes: bool = True) -> None:
        self.path = path
        self.said: list[Message] = []
        self.log = ""
        self.hellos = []
        self.left: list[str] = []
        self._gives_pipes = gives_pipes
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._outputs = {}
        self._peers = []
        self._listeners = []
        self._loop = SelectLoop()
        self._turns = Turns(self._loop)
        self._server = UnixServer(self._loop, self, path, hello=make_hello(Role.NODE), roles=(Role.ENGINE,))
        self._thread = threading.Thread(target=self._loop.run, name="fake-node")
        self._thread.start()

    # What a test does.

    def request(
        self,
        kind: str,
        content: dict | None = None,
        *,
        buffers=(),
        id: str | None = None,  # noqa: A002 - Jupyter's name of the field
        origin="c1",
        key="",
    ) -> str:
        """Send a request to the engine and return its id."""
        name = id or f"q{next(self._numbers)}"
        fields = {"ranks": RankSet.of(0), "origin": origin, "buffers": buffers, "key": key}
        message = Message.make(kind, name, content or {}, **fields)
        self._loop.call_soon_threadsafe(lambda: [self._server.send(peer, message) for peer in self._peers])
        return name

    def cell(
        self,
        code: str,
        *,
        cell: int = 1,
        place: str = "idle",
        id: str | None = None,  # noqa: A002 - as above
        **more,
    ) -> str:
        """Send a cell and return its id."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": True, "cell": cell}
        content |= {"filename": f"<cell {cell}>", "places": [[place, "0"]]} | more
        return self.request("execute_request", content, id=id)

    def peek(self, code: str) -> str:
        """Send an expression for the side thread and return the text of its value."""
        said = self.until_reply(self.cell(code, place="peek"))
        return next((one.data()["data"]["text/plain"] for one in said if one.type == "execute_result"), "")

    def run(self, code: str, **more) -> list[Message]:
        """Run a cell and return all that was said for it, the reply last."""
        return self.until_reply(self.cell(code, **more))

    def ask(self, kind: str, content: dict | None = None, **more) -> dict:
        """Send a request and return the content of its reply."""
        return self.reply_to(self.request(kind, content, **more)).data()

    def attend(self, clients: int = 1, *, stay: bool = False, hold: bool = False, watching: int = 0) -> None:
        """Tell the engine who is attached."""
        self.request("px_attendance", {"clients": clients, "watching": watching, "stay": stay, "hold": hold})

    def until_reply(self, request: str) -> list[Message]:
        """Wait for the reply and return what was said for the request."""
        self.reply_to(request)
        return self.said_for(request)

    def said_for(self, request: str) -> list[Message]:
        """Return what was said for a request so far, but for states."""
        with self._changed:
            return [one for one in self.said if one.parent == request]

    def reply_to(self, request: str) -> Message:
        """Wait for the reply to a request."""
        return self.wait(lambda one: one.parent == request and one.type.endswith("_reply"), f"a reply to {request}")

    def wait(self, condition, what: str) -> Message:
        """Wait until a message fulfils a condition, and return it."""
        return self.wait_for(lambda: next((one for one in self.said if condition(one)), None), what)

    def wait_for(self, condition, what: str):
        """Wait until a condition on the node is true, and return its value."""
        with self._changed:
            if not self._changed.wait_for(condition, LIMIT_S):
                heard = [(one.type, one.parent, one.data()) for one in self.said[-12:]]
                raise TimeoutError(f"waited in vain for {what}; last heard {heard}; log {self.log[-2000:]!r}")
            return condition()

    def wait_state(self, activity: str, **facts) -> dict:
        """Wait for a state, told on the control lane, and return it."""

        def is_it(one: Message) -> bool:
            if one.type != "px_state":
                return False
            content = one.data()
            return content["activity"] == activity and all(content[name] == value for name, value in facts.items())

        return self.wait(is_it, f"the state {activity} {facts}").data()

    def listen(self, callback) -> None:
        """Hand each message that comes from now on to a function, in the loop's thread."""
        self._listeners.append(callback)

    def forget(self) -> None:
        """Forget what was said."""
        with self._changed:
            self.said.clear()

    def text(self, request: str = RUN, name: str = "stdout") -> str:
        """Return the text of a stream that was said for a request so far."""
        said = [one.data() for one in self.said_for(request) if one.type == "stream"]
        return "".join(one["text"] for one in said if one["name"] == name)

    def wait_text(self, text: str, request: str = RUN, name: str = "stdout") -> None:
        """Wait until the text of a stream has this in it."""
        self.wait_for(lambda: text in self.text(request, name), f"{text!r} in {name} of {request}")

    def adopt(self, path: Path) -> None:
        """Connect to an engine that listens; again, if it has not noticed yet that its last node has gone."""
        for _ in range(10):
            self._loop.call_soon_threadsafe(self._server.adopt, path)
            with self._changed:
                if self._changed.wait_for(lambda: self._peers, 1.0):
                    return
        raise TimeoutError(f"nobody joined from {path}")

    def close(self) -> None:
        """End; as if the node's process had died."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._close)
            self._thread.join(LIMIT_S)
            self._loop.close()

    def _close(self) -> None:
        for output in self._outputs.values():
            output.close()
        self._server.close()
        self._turns.close()
        self._loop.stop()

    # What the server tells: the loop's thread.

    def hello_received(self, hello, proof):
        self.hellos.append(hello)

    def peer_joined(self, peer):
        with self._changed:
            self._peers.append(peer)
            self._changed.notify_all()
        ranks = RankSet.of(peer.hello.rank)
        if not self._gives_pipes:
            self._server.send(peer, Message.make("px_output", "o1", {"token": ""}, ranks=ranks))
            return
        output = RankOutput(self._turns, self._take_text, self._take_log)
        self._outputs[peer] = output
        self._server.send(
            peer, Message.make("px_output", "o1", {"token": output.token}, ranks=ranks), output.write_ends
        )
        output.release()

    def message_received(self, peer, message, fds=()):
        output = self._outputs.get(peer)
        if message.header.mark and output is not None:
            output.advance(message.header.mark)
        self._say(message)
        if message.header.mark and output is not None:
            output.passed(message.header.mark)

    def peer_left(self, peer, why):
        if peer in self._outputs:
            self._outputs.pop(peer).close()
        with self._changed:
            self._peers.remove(peer)
            self.left.append(why)
            self._changed.notify_all()

    def link_failed(self, error):
        raise AssertionError(error)

    def _take_text(self, name, cell, text):
        scope = Scope.parse(cell)
        fields = {"parent": scope.cell, "origin": scope.origin, "late": scope.late}
        self._say(Message.make("stream", f"s{next(self._numbers)}", {"name": name, "text": text}, **fields))

    def _take_log(self, text):
        self.log += text

    def _say(self, message):
        with self._changed:
            self.said.append(message)
            self._changed.notify_all()
        for listener in self._listeners:
            listener(message)


class EngineProcess(subprocess.Popen):
    """`python -m pxshell.engine ARGUMENTS` as rank 0 of 2."""

    def __init__(self, node: Path | None, *arguments: str, cwd: Path, python=("-m", "pxshell.engine"), **environment):
        variables = {
            "PXSHELL_RANK": "0",
            "PXSHELL_SIZE": "2",
            "PXSHELL_LOCAL_RANK": "0",
            "PXSHELL_WORLD": uuid.uuid4().hex,
        }
        if node is not None:
            variables["PXSHELL_NODE"] = str(node)
        super().__init__(
            [sys.executable, *python, *arguments],
            cwd=cwd,
            env={**os.environ, **variables, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> tuple[int, str, str]:
        """Wait for the end; return exit status and what came out of its own descriptors."""
        out, err = self.communicate(timeout=LIMIT_S)
        return self.returncode, out, err

    def close(self) -> None:
        """Kill it if it still runs."""
        if self.poll() is None:
            self.kill()
        self.communicate()
