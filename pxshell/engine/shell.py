"""IPython on a rank: a kernel's shell whose every word goes through our outbox instead of ZeroMQ.

Imported with the first cell and not before. The shell belongs to the main thread; completion reads it from the side.
The kernel is ipykernel's base class: its IPython subclass imports debugpy, which patches the program it is imported in.
"""

from __future__ import annotations

import atexit
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import comm
from ipykernel.comm.comm import BaseComm
from ipykernel.comm.manager import CommManager
from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.kernelbase import Kernel
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core import page
from IPython.core.compilerop import CachingCompiler
from IPython.core.error import UsageError
from jupyter_client.session import Session
from traitlets import Any as AnyTrait
from traitlets import Instance, Type
from traitlets.config import Config

from pxshell.engine.error_text import text_of
from pxshell.engine.failures import describe
from pxshell.engine.formatting import RankDisplayFormatter
from pxshell.engine.loops import run_coroutine
from pxshell.engine.transforming import RankTransformer

__all__ = ["Ask", "RankKernel", "RankShell", "Speak", "make_shell"]

#: Takes (type, content, key, buffers).
Speak = Callable[[str, Mapping[str, Any], str, list[Any]], None]
#: Asks the front end: (prompt, is it a password).
Ask = Callable[[str, bool], str]


#: Where widgets go in a process that has no shell.
_COMM_OF_NOBODY = (comm.create_comm, comm.get_comm_manager)

#: What the compiler says of coroutines where there is none.
_NEEDS_LOOP = re.compile("'await'|'async |asynchronous")


class RankSession(Session):
    """A session without sockets: what ipykernel sends is said."""

    speak: Any = AnyTrait()

    def msg(
        self, msg_type: str, content: Any = None, parent: Any = None, header: Any = None, metadata: Any = None
    ) -> Any:
        """Make a message without the ids and times that nobody reads."""
        described = {"msg_type": msg_type, "msg_id": ""}
        message = {"header": described, "parent_header": {}, "content": content or {}, "metadata": metadata or {}}
        return message | described

    def send(
        self,
        stream: Any,
        msg_or_type: Any,
        content: Any = None,
        parent: Any = None,
        ident: Any = None,
        buffers: Any = None,
        track: bool = False,
        header: Any = None,
        metadata: Any = None,
    ) -> None:
        """Say a message, in its normal form."""
        message = msg_or_type if isinstance(msg_or_type, dict) else self.msg(msg_or_type, content, metadata=metadata)
        said, key = _normal(message["msg_type"], message["content"], message["metadata"])
        self.speak(message["msg_type"], said, key, list(buffers or message.get("buffers") or ()))


def _normal(type_: str, content: dict[str, Any], metadata: Any) -> tuple[dict[str, Any], str]:
    """Return the content without what differs from rank to rank, and the key of what must not fold."""
    said = {name: value for name, value in content.items() if name != "execution_count"}
    if type_.startswith("comm_"):
        return said | {"metadata": metadata or {}}, str(content.get("comm_id", ""))
    return said, str(said.get("transient", {}).get("display_id") or "")


class RankKernel(Kernel):
    """What libraries find as `get_ipython().kernel`."""

    implementation = "pxshell"
    implementation_version = "1"
    banner = ""
    language_info = {"name": "python", "mimetype": "text/x-python", "file_extension": ".py"}  # noqa: RUF012 - so declared by its base
    ask: Any = AnyTrait()
    shell: Any = AnyTrait()
    comm_manager: Any = AnyTrait()

    def _input_request(self, prompt: str, ident: Any, parent: Any, password: bool = False) -> str:
        return str(self.ask(prompt, password))


class RankDisplayHook(ZMQShellDisplayHook):
    """Says what the expressions of a cell are."""

    def quiet(self) -> bool:
        """Tell whether the cell ends in a semicolon; one without any need not be taken apart to know."""
        shell: Any = self.shell
        cells = shell.history_manager.input_hist_parsed
        return ";" in cells[-1] and bool(super().quiet()) if cells else False


class SessionCompiler(CachingCompiler):
    """Names cells as the session does, so that code and tracebacks are the same on all ranks."""

    def __init__(self) -> None:
        super().__init__()
        #: Name of the next cell; code that the cell compiles itself gets IPython's names.
        self.next_name = ""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        """Return the file name for a cell."""
        name, self.next_name = self.next_name, ""
        return name or super().get_code_name(raw_code, transformed_code, number)

    def cell_number(self, filename: str) -> int | None:
        """Return the number of the cell that was compiled under this name."""
        return self._filename_map.get(filename)


class RankShell(ZMQInteractiveShell):
    """IPython's shell in the namespace of the rank, or of the frame where it is paused."""

    compiler_class = AnyTrait(SessionCompiler)
    displayhook_class = Type(RankDisplayHook)
    input_transformer_manager = Instance(RankTransformer, ())

    @property
    def cells(self) -> SessionCompiler:
        """The compiler, which knows the cells by name."""
        compiler = self.compile
        assert isinstance(compiler, SessionCompiler)
        return compiler

    # What IPython does to a process that is its own, and must not do to somebody's program:

    def init_environment(self) -> None:
        """Leave the environment alone: the user's subprocesses inherit it."""

    def init_virtualenv(self) -> None:
        """Leave `sys.path` alone."""

    def init_user_ns(self) -> None:
        """Offer IPython's names; a name that the program has is the program's."""
        mine: dict[str, Any] = {}
        program, self.user_ns = self.user_ns, mine
        try:
            super().init_user_ns()
        finally:
            self.user_ns = program
        del mine["open"]
        for name, value in mine.items():
            program.setdefault(name, value)
        program["_oh"] = mine["_oh"]

    def init_display_formatter(self) -> None:
        """Take ours, which finds the same."""
        self.display_formatter = RankDisplayFormatter(parent=self)
        configurables: list[Any] = self.configurables
        configurables.append(self.display_formatter)

    def should_run_async(
        self, raw_cell: str, *, transformed_cell: str | None = None, preprocessing_exc_tuple: Any = None
    ) -> bool:
        """Tell whether a cell awaits; one without the words for it need not be compiled to know."""
        code = transformed_cell or ""
        if "await" not in code and "async" not in code:
            return False
        return bool(
            super().should_run_async(
                raw_cell, transformed_cell=transformed_cell, preprocessing_exc_tuple=preprocessing_exc_tuple
            )
        )

    def enable_gui(self, gui: Any = None) -> None:
        """Refuse event loops of windows."""
        if gui not in (None, "inline", "asyncio"):
            raise UsageError(f"a rank has no {gui} event loop: use %matplotlib inline")

    def ask_exit(self) -> None:
        """Tell where ranks are ended; `exit` in a front end is the front end's."""
        raise UsageError("exit ends a front end; a rank is ended by: %pxsignal TERM")

    def init_hooks(self) -> None:
        """Show what IPython would page."""
        super().init_hooks()
        self.set_hook("show_in_pager", page.as_hook(self._show), 90)

    def _show(self, text: Any, start: int = 0, screen_lines: int = 0, pager_cmd: Any = None) -> None:
        data = text if isinstance(text, dict) else {"text/plain": text}
        self.display_pub.publish({"text/plain": data.get("text/plain", "")})

    @contextmanager
    def _tee(self, channel: str) -> Iterator[None]:
        # From version 9 on IPython keeps all that a cell prints, for a history that nobody saves here: memory without
        # a bound. A private name of IPython's, as the one below.
        yield

    # Failures:

    def showtraceback(
        self,
        exc_tuple: Any = None,
        filename: str | None = None,
        tb_offset: int | None = None,
        exception_only: bool = False,
        running_compiled_code: bool = False,
    ) -> None:
        """Say an exception as one `error` message."""
        etype, value, traceback = self._get_exc_info(exc_tuple)
        if self._frame_globals is not None and isinstance(value, SyntaxError) and _NEEDS_LOOP.search(value.msg):
            value.msg = "a paused frame cannot await: its event loop stands still with it"
        self._say_error(describe(self, etype, value, traceback, exception_only=exception_only))

    def showsyntaxerror(self, filename: str | None = None, running_compiled_code: bool = False) -> None:
        """Say a syntax error, which has no frames of its own."""
        self.showtraceback()

    def showindentationerror(self) -> None:
        """Say it without IPython's advice on pasting."""
        self.showtraceback()

    def _say_error(self, content: dict[str, Any]) -> None:
        self._last_traceback = content["traceback"]
        if getattr(self.displayhook, "msg", None) is not None:
            self._last_traceback_during_displayhook = True
        self.kernel.session.send(None, "error", content)

    def _format_exception_for_storage(
        self, exception: Any, filename: Any = None, running_compiled_code: bool = False
    ) -> Any:
        # IPython would draw the traceback a second time, for a history that nobody keeps.
        return {"ename": type(exception).__name__, "evalue": text_of(exception), "traceback": []}

    # Where cells run:

    @property
    def user_global_ns(self) -> dict[str, Any]:
        """The globals of cells: of the frame, while paused."""
        return self._frame_globals if self._frame_globals is not None else self.user_module.__dict__

    _frame_globals: dict[str, Any] | None = None

    def move_out(self) -> None:
        """Be nobody's shell until `move_in`: what ran here is forgotten, and IPython is as if there were none."""
        atexit.unregister(self.atexit_operations)
        RankShell.clear_instance()
        RankKernel.clear_instance()
        comm.create_comm, comm.get_comm_manager = _COMM_OF_NOBODY
        history: Any = self.history_manager
        history.reset()
        self.last_execution_result = None
        for name in ("_", "__", "___"):
            setattr(self.displayhook, name, "")
        self.init_create_namespaces(ModuleType("__main__"))

    def move_in(self, module: ModuleType, speak: Speak, ask: Ask) -> None:
        """Be the shell of this process, as if it had been made here; see `make_shell`."""
        for one in (self, self.kernel):
            for kind in type(one)._walk_mro():  # noqa: SLF001 - `instance` makes one, and takes none that is there
                kind._instance = one  # noqa: SLF001 - as above
        self.kernel.ask = ask
        self.kernel.session.speak = speak
        self.init_create_namespaces(module, module.__dict__)
        self.init_user_ns()
        self.Completer.namespace = self.user_ns
        self.Completer.global_namespace = self.user_global_ns
        _take_comms(self.kernel)
        atexit.register(self.atexit_operations)

    @contextmanager
    def standing_in(self, namespace: Any) -> Iterator[None]:
        """Run cells in a frame's namespace; they cannot await, for their event loop stands still with them."""
        saved = (self.user_ns, self._frame_globals, self.autoawait)
        self._lend_names(namespace)
        self.user_ns, self._frame_globals, self.autoawait = namespace, namespace.globals, False
        self.Completer.namespace = namespace
        try:
            yield
        finally:
            self.user_ns, self._frame_globals, self.autoawait = saved
            self.Completer.namespace = self.user_ns

    def _lend_names(self, namespace: Any) -> None:
        history: Any = self.history_manager
        namespace["_oh"] = history.output_hist
        lent = {"In": history.input_hist_parsed, "Out": history.output_hist, "_ih": history.input_hist_parsed,
                "_dh": history.dir_hist, "get_ipython": self.get_ipython}  # fmt: skip
        for name, value in lent.items():
            if name not in namespace:
                namespace[name] = value


def make_shell(module: ModuleType, speak: Speak, ask: Ask) -> RankShell:
    """Make this process's shell.

    Args:
        module: The user's `__main__`.
        speak: Says what the shell says.
        ask: Answers `input()` and `getpass()`.
    """
    # Of a cell that raises SystemExit, which is told as any other failure: on a rank, none of these ends anything.
    warnings.filterwarnings("ignore", "To exit: use 'exit'", UserWarning, r"IPython\.core\.interactiveshell")
    config = Config()
    config.HistoryManager.enabled = False  # one SQLite file for all ranks would clash
    config.Completer.use_jedi = False
    config.InteractiveShell.banner1 = ""
    session = RankSession(key=b"unused: nothing leaves over sockets", speak=speak)
    kernel = RankKernel.instance(config=config, session=session, ask=ask)
    shell = RankShell.instance(parent=kernel, kernel=kernel, user_module=module, user_ns=module.__dict__)
    shell.loop_runner = run_coroutine
    speakers: tuple[Any, ...] = (shell.displayhook, shell.display_pub)
    for speaker in speakers:
        speaker.session = session
    kernel.shell = shell
    _take_comms(kernel)
    return shell


def _take_comms(kernel: RankKernel) -> None:
    """Let widgets and others that use the comm package reach the front end."""
    manager = CommManager(parent=kernel, kernel=kernel)
    comm.create_comm = BaseComm
    comm.get_comm_manager = lambda: manager
    kernel.comm_manager = manager
