"""What all subcommands parse alike."""

import pytest

from pxshell.cli.launching import add_launch_options, wants_start
from pxshell.cli.parsing import Parser, add_cell_options, split_program


def parse(*words):
    parser = Parser(prog="pxshell", description="")
    add_launch_options(parser)
    add_cell_options(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("cell", ["-u.max()", "--x", "%px -t 3 x", "", "=1", "a = 1; b", "-c"])
def test_a_cell_is_taken_verbatim(cell):
    """Whatever it begins with."""
    assert parse("-c", cell).cells == [cell]
    assert parse("--cell", cell).cells == [cell]


def test_cells_keep_their_order():
    """They run in the order in which they are given."""
    assert parse("-c", "1", "-n", "2", "-c", "3").cells == ["1", "3"]


def test_launch_args_are_taken_verbatim():
    """They begin with a dash nearly always."""
    assert parse("--launch-args", "--bind-to core").launch_args == "--bind-to core"
    assert parse("--launch-args", "-v").launch_args == "-v"


def test_a_bare_mpi_takes_no_word_with_it():
    """`--mpi -n 4` and `--mpi=openmpi`; the word after `--mpi` is not its own."""
    assert (parse("--mpi", "-n", "4").mpi, parse("--mpi", "-n", "4").mpi_flavour) == (True, "")
    args = parse("--mpi=openmpi", "-n", "4")
    assert (args.mpi, args.mpi_flavour, args.ranks) == (True, "openmpi", 4)


@pytest.mark.parametrize(
    ("words", "ours", "program"),
    [
        (["-n", "4", "--", "sim.py", "-n", "3"], ["-n", "4"], ["sim.py", "-n", "3"]),
        (["-c", "--", "--", "python", "-u", "sim.py"], ["-c", "--"], ["python", "-u", "sim.py"]),
        (["--", "a", "--", "b"], [], ["a", "--", "b"]),
        (["-n", "4"], ["-n", "4"], []),
    ],
)
def test_the_program_stands_after_the_first_dashes(words, ours, program):
    """Its options are its own; a cell that is `--` is a cell."""
    assert split_program(words) == (ours, program)


@pytest.mark.parametrize("words", [["-n", "2"], ["--mpi"], ["--launcher", "local"], ["--name", "x"]])
def test_options_of_a_start_mean_a_start(words):
    """Without any, `pxshell` attaches to what there is."""
    assert wants_start(parse(*words))
    assert not wants_start(parse("-c", "1"))
