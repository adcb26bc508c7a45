"""What the tests of tests/integration do to clusters: cells without a session, processes by what they are."""

import contextlib
import time
from pathlib import Path

import psutil

from pxshell.ranks import RankSet
from pxshell.rendezvous import connection

FOREVER = 30.0


def run(client, code, ranks=None, *, on_message=None, places=None):
    """Send one cell to ranks (all by default) and return its request."""
    ranks = client.ranks if ranks is None else ranks
    content = {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
        "cell": 1,
        "filename": "<cell 1>",
        "places": places or [["idle", str(ranks)]],
        "queue": False,
    }
    return client.request("execute_request", content, ranks, on_message=on_message)


def answers(client, code, ranks=None):
    """Run a cell and return the text of its results by folded ranks."""
    request = run(client, code, ranks)
    assert request.wait(FOREVER), f"no answer of {request.account}"
    return results_of(request)


def results_of(request):
    """Return the texts by folded ranks, however finely time has split the messages on their way (P4)."""
    ranks = {}
    for message in request.messages:
        if message.type == "execute_result":
            text = message.data()["data"]["text/plain"]
            ranks[text] = ranks.get(text, RankSet()) | message.ranks
    return {str(said_by): text for text, said_by in ranks.items()}


def ask(client, kind, content, ranks):
    """Ask ranks on the control lane; return the contents of all answers."""
    request = client.request(kind, content, ranks)
    assert request.wait(FOREVER), f"no answer to {kind}"
    return request


def pids(client):
    """Return {rank: pid}."""
    described = client.ask("px_status_request", {}, FOREVER)["descriptions"]
    return {entry["rank"]: entry["pid"] for entry in described}


def state(client, rank):
    """Return what the client knows of a rank now."""
    return client.states.of(rank)


def node_of(name):
    """Return the pid of a cluster's node."""
    directory = connection.find(name).directory
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words[1:3] == ["-m", "pxshell.node"] and directory in words:
            return process.pid
    raise LookupError(f"no node of {name}")


def controller_of(name):
    """Return the pid of a cluster's controller."""
    return connection.find(name).pid


def rss_mb(pid):
    """Return the resident memory of a process."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).memory_info().rss / 1e6
    return 0.0


def tcp_listeners(pid):
    """Return the listening TCP sockets of a process, by the inodes of its descriptors."""
    inodes = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(str(fd.readlink()).removeprefix("socket:[").removesuffix("]"))
    found = []
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/{pid}/net/{table}")
        rows = path.read_text().splitlines()[1:] if path.exists() else []
        found += [row for row in rows if row.split()[3] == "0A" and row.split()[9] in inodes]
    return found


def seconds_until(condition, deadline):
    """Return how long it took until a condition held."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < deadline, "in vain"
        time.sleep(0.002)
    return time.monotonic() - started
