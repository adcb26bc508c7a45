"""The table of subcommands, and the way from words to one of them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from pxshell.cli.parsing import Parser, split_program
from pxshell.errors import UsageError
from pxshell.version import __version__

__all__ = ["COMMANDS", "execute"]

#: Name → what it does; each is a module of this package with `add_arguments(parser)` and `execute(args)`.
COMMANDS = {
    "run": "run a script as N ranks, all reachable",
    "start": "start a cluster that outlives the terminal",
    "attach": "open the shell on a running cluster",
    "list": "list clusters, and programs that can be attached to",
    "status": "what each rank of a cluster does",
    "stacks": "where all ranks stand, also of a job that never loaded pxshell",
    "stop": "end a cluster",
    "debug": "a rank's debugger on stdin and stdout, for editors that start a command",
    "logs": "what ranks, node and controller wrote",
}


def execute(words: list[str]) -> int:
    """Run one command line.

    Raises:
        UsageError: it cannot be read.
    """
    name = words[0] if words and words[0] in COMMANDS else ""
    module = import_module(f"pxshell.cli.{name or 'shell'}")
    options, program = split_program(words[1:] if name else words)
    args = _parser(name, module).parse_args(options)
    args.program = program
    if program and not getattr(module, "takes_program", False):
        raise UsageError(_no_program(name, program))
    status: int = module.execute(args)
    return status


def _parser(name: str, module: ModuleType) -> Parser:
    if name:
        parser = Parser(prog=f"pxshell {name}", description=_sentence(COMMANDS[name]))
    else:
        table = "\n".join(f"  {command:8} {does}" for command, does in COMMANDS.items())
        parser = Parser(prog="pxshell", description="One prompt on all ranks.", epilog=f"commands:\n{table}")
        parser.add_argument("--version", action="version", version=f"pxshell {__version__}")
    module.add_arguments(parser)
    return parser


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _no_program(name: str, program: list[str]) -> str:
    command = f"pxshell {name}".strip()
    return f"{command} takes nothing after --; to run a script: pxshell run -n 4 -- {' '.join(program)}"
