"""A cell typed in JupyterLab, in a real browser: the folded answer stands below it."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import psutil
import pytest
from browsers import chromium_page

from pxshell.cluster import list_clusters
from pxshell.testing.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

LIMIT_S = 60.0
SCREENSHOT = Path(__file__).parents[2] / "build" / "notebook.png"
#: What is typed, one cell each, and what stands below it then.
CELLS = [
    ("%load_ext pxshell", None),
    ("%pxcluster start -n 3", "3 ranks"),
    ("%px 6 * 7", "[0-2]  42"),
    ("%px 'odd' if rank == 1 else 'even'", "[1]    'odd'"),
    ("%px 1 / (rank - 2)", "[2]    ZeroDivisionError: division by zero"),
]


@pytest.fixture
def lab(tmp_path):
    """Start JupyterLab with an empty notebook on loopback; give its address."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(metadata=kernel), tmp_path / "look.ipynb")
    token = secrets.token_hex(16)
    options = ["--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root"]
    # Neither asks the network for news, nor the user whether it may.
    quiet = ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with (tmp_path / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options, *quiet],
            cwd=tmp_path,
            # Not on the command line, where others could read it.
            env=os.environ | {"JUPYTER_TOKEN": token, "HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        # A port that we had found free could be somebody else's by the time when it listens.
        port = wait_until(lambda: port_of(server.pid), LIMIT_S, "JupyterLab has a port")
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{address}/api/status?token={token}"), LIMIT_S, "JupyterLab answers")
        yield f"{address}/lab/tree/look.ipynb?token={token}&reset"
    finally:
        end(server)


def port_of(server):
    """Return the port that a server has written down; None before it has."""
    try:
        return json.loads(Path(os.environ["JUPYTER_RUNTIME_DIR"], f"jpserver-{server}.json").read_text())["port"]
    except (OSError, ValueError):
        return None


def answers(url):
    """Tell whether a server answers."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return "started" in json.load(answer)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def end(server):
    """End a server and its kernels."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [*psutil.Process(server.pid).children(recursive=True)]
        server.terminate()
        psutil.wait_procs(family, timeout=30)
    server.wait(LIMIT_S)


@pytest.fixture
def page():
    """Give a page of a headless Chromium."""
    with chromium_page(1000, 760, LIMIT_S) as page:
        yield page


def wait_idle(page):
    """Wait for a kernel that is connected and idle; the toolbar's circle says so too early."""
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()


def test_a_typed_cell_shows_the_folded_answer_of_the_ranks(lab, page):
    """P4, where people see it: equal answers in one line, the odd one and the failed one with their ranks."""
    page.goto(lab, wait_until="domcontentloaded")
    wait_idle(page)
    try:
        for number, (code, answer) in enumerate(CELLS):
            page.locator(".jp-Notebook .jp-CodeCell .cm-content").nth(number).click()
            page.keyboard.insert_text(code)
            page.keyboard.press("Shift+Enter")
            if answer is not None:
                below = page.locator(".jp-Notebook .jp-CodeCell").nth(number).locator(".jp-OutputArea-output")
                below.filter(has_text=answer).wait_for()
        SCREENSHOT.parent.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOT)
    finally:
        page.locator(".jp-Notebook .jp-CodeCell .cm-content").last.click()
        page.keyboard.insert_text("%pxcluster stop")
        page.keyboard.press("Shift+Enter")
        wait_until(lambda: not list_clusters(), LIMIT_S, "the cluster has ended")
