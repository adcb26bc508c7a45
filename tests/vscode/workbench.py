"""A real VS Code, code-server, driven through its window in Chromium as a person does."""

import json
import os
import re
import shutil
import socket
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

import environments
import psutil
from ports import free_ports

from pxshell.testing.waiting import wait_until

EXTENSION = Path(__file__).parent / "extension"
#: Seconds for a step of the window, on a busy machine.
STEP_S = 60
_SETTINGS = {
    "workbench.startupEditor": "none",
    "workbench.colorTheme": "Default Light Modern",
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "chat.disableAIFeatures": True,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "window.commandCenter": False,
    "workbench.layoutControl.enabled": False,
    "editor.minimap.enabled": False,
    "debug.internalConsoleOptions": "openOnSessionStart",
}


@contextmanager
def serving(folder: Path):
    """Run code-server with no settings but ours, and our extension; yield its address."""
    tools = environments.vscode()
    extensions, user = folder / "extensions", folder / "user"
    shutil.copytree(EXTENSION, extensions / "pxshell.entries-for-debugpy-0.0.1")
    (user / "User").mkdir(parents=True)
    (user / "User" / "settings.json").write_text(json.dumps(_SETTINGS))
    (port,) = free_ports(1)
    line = [
        tools / "node",
        tools / "code-server",
        f"--bind-addr=127.0.0.1:{port}",
        "--auth=none",
        "--disable-telemetry",
        "--disable-update-check",
        f"--config={folder / 'config.yaml'}",
        f"--extensions-dir={extensions}",
        f"--user-data-dir={user}",
    ]
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    with (folder / "code-server.log").open("w") as log:
        server = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
    try:
        wait_until(lambda: _answers(port), STEP_S, (folder / "code-server.log").read_text)
        yield f"http://127.0.0.1:{port}"
    finally:
        helpers = psutil.Process(server.pid).children(recursive=True)
        server.terminate()
        server.wait(30)
        _end(helpers)


def _end(processes: list) -> None:
    """End what the server has started: its file watcher looks only every few seconds whether the server lives."""
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    assert not psutil.wait_procs(processes, timeout=30)[1]


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


class Workbench:
    """The window."""

    def __init__(self, page, address: str, folder: Path) -> None:
        self.page = page
        page.goto(f"{address}/?folder={folder}", wait_until="domcontentloaded")
        page.wait_for_selector(".monaco-workbench .explorer-folders-view .monaco-list-row")

    def run(self, command: str) -> None:
        """Run a command of the palette by its title."""
        self._pick(">" + command)

    def open(self, file: str, line: int) -> None:
        """Open a file at a line."""
        self._pick(f"{file}:{line}")
        self.page.wait_for_selector(f".tabs-container .tab.active[data-resource-name='{file}']")

    def start(self, entry: str) -> None:
        """Start an entry of launch.json by its name, as Run and Debug does."""
        self._pick(f"debug {entry}")
        self.page.wait_for_selector(".debug-call-stack .monaco-list-row")

    def _pick(self, text: str) -> None:
        """Choose what the quick box offers for a text, once it does: the window may not have read launch.json yet."""
        page = self.page
        wanted = re.sub("^debug |^>|:[0-9]+$", "", text)
        offered = page.locator(".quick-input-list .monaco-list-row.focused", has_text=wanted)

        def is_offered() -> bool:
            page.keyboard.press("Escape")
            page.keyboard.press("Control+P")
            page.wait_for_selector(".quick-input-widget:not([style*='display: none']) input")
            page.keyboard.insert_text(text)
            page.wait_for_timeout(1000)
            return bool(offered.count())

        self._wait(is_offered, lambda: f"{wanted} is not offered")
        page.keyboard.press("Enter")
        page.wait_for_selector(".quick-input-widget", state="hidden")

    def toggle_breakpoint(self) -> None:
        """Set one at the line of the cursor, once the editor has it."""
        shown = self.page.locator(".codicon-debug-breakpoint, .codicon-debug-breakpoint-unverified")

        def is_set() -> bool:
            if not shown.count():
                self.page.keyboard.press("F9")
                self.page.wait_for_timeout(1000)
            return bool(shown.count())

        self._wait(is_set, lambda: "no breakpoint is set")

    def rows(self, view: str) -> list[str]:
        """Return what the rows of a view of Run and Debug say: call-stack, variables, watch-expressions."""
        rows = self.page.locator(f".debug-{view} .monaco-list-row").all_inner_texts()
        return [re.sub(r"\s+", " ", row).strip() for row in rows]

    def unfold(self, view: str, text: str) -> None:
        """Show what is below a row, which the window may draw anew meanwhile."""
        row = self.page.locator(f".debug-{view} .monaco-list-row", has_text=text).first

        def is_open() -> bool:
            if row.get_attribute("aria-expanded") == "true":
                return True
            row.locator(".monaco-tl-twistie").click()
            self.page.wait_for_timeout(1000)
            return row.get_attribute("aria-expanded") == "true"

        self._wait(is_open, lambda: f"{text} does not open")

    def select(self, view: str, text: str, index: int = 0) -> None:
        """Click on a row."""
        self.page.locator(f".debug-{view} .monaco-list-row", has_text=text).nth(index).click()

    def wait_rows(self, view: str, condition, what: str) -> list[str]:
        """Wait until the rows of a view say what they should."""
        found: list[str] = []

        def holds() -> bool:
            found[:] = self.rows(view)
            return bool(condition(found))

        self._wait(holds, lambda: f"{what}: {found}")
        return found

    def _wait(self, condition, what) -> None:
        """Wait, and let the window work meanwhile."""

        def look() -> bool:
            self.page.wait_for_timeout(50)
            return condition()

        wait_until(look, STEP_S, what)
