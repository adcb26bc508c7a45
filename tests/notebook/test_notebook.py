"""`%load_ext pxshell` in a real notebook: a kernel of ipykernel's, driven over the Jupyter protocol."""

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from loaded import without_load
from nbclient import NotebookClient

from pxshell.cluster import list_clusters
from pxshell.testing.waiting import wait_until

pytestmark = [pytest.mark.shared_directories, pytest.mark.timeout(110)]

LIMIT_S = 60


class Notebook:
    """A kernel, and the cells that ran in it."""

    def __init__(self):
        self._client = NotebookClient(nbformat.v4.new_notebook(), timeout=LIMIT_S, allow_errors=True)
        self._client.create_kernel_manager()
        assert isinstance(self._client.km, KernelManager)

    def __enter__(self):
        self._client.start_new_kernel()
        self._client.start_new_kernel_client()
        return self

    def run(self, code):
        """Run a cell; return its text, and the names of the errors that it raised."""
        cell = nbformat.v4.new_code_cell(code)
        self._client.nb.cells.append(cell)
        self._client.execute_cell(cell, len(self._client.nb.cells) - 1)
        text = "".join(output.text for output in cell.outputs if output.output_type == "stream")
        return without_load(text), [output.ename for output in cell.outputs if output.output_type == "error"]

    def __exit__(self, *_):
        self._client._cleanup_kernel()


@pytest.fixture(scope="module")
def notebook(_module_is_clean):
    """A notebook in which the magics are loaded and two ranks run; the last test stops them."""
    with Notebook() as notebook:
        assert notebook.run("%load_ext pxshell") == ("", [])
        assert "%pxcluster start -n 4" in notebook.run("%px 1")[0]
        text, errors = notebook.run("%pxcluster start -n 2")
        assert (text.split(",")[1], errors) == (" 2 ranks", [])
        # A busy machine takes longer than the second after which a cell says for whom it waits.
        assert notebook.run(f"%pxconfig --progress-after {LIMIT_S}") == ("", [])
        try:
            yield notebook
        finally:
            notebook.run("%pxcluster stop")
    wait_until(lambda: not list_clusters(), LIMIT_S, "the cluster has ended")


def test_equal_answers_fold_in_a_notebook(notebook):
    """P4: one line for equal answers, the odd rank beside it."""
    assert notebook.run("%px 1 + 1") == ("[0-1]  2\n", [])
    assert notebook.run("%%px\nx = 10 * rank\nx") == ("[0]    0\n[1]    10\n", [])


def test_the_focus_of_a_notebook_is_where_its_cells_go(notebook):
    """%pxfocus, and back."""
    assert notebook.run("%pxfocus 1") == ("focus: 1 (of 0-1)\n", [])
    assert notebook.run("%px rank") == ("[1]    1\n", [])
    assert notebook.run("%pxfocus all") == ("focus: 0-1\n", [])


def test_every_cell_of_a_notebook_goes_to_the_ranks_while_autopx_is_on(notebook):
    """%autopx; the magics themselves, and %local, stay here."""
    assert notebook.run("%autopx") == ("%autopx enabled\n", [])
    assert notebook.run("rank + 1") == ("[0]    1\n[1]    2\n", [])
    assert notebook.run("%%local\nprint('here')") == ("here\n", [])
    assert notebook.run("%autopx") == ("%autopx disabled\n", [])
    assert notebook.run("print('here again')") == ("here again\n", [])


def test_failures_in_a_notebook_are_lines_and_no_tracebacks_of_ours(notebook):
    """P10: what a rank raises is shown with its rank; bad input is one line; the kernel goes on."""
    text, errors = notebook.run("%px 1 / rank")
    assert errors == []
    assert "[1]    1.0\n" in text
    assert "[0]    ZeroDivisionError: division by zero" in text
    assert notebook.run("%px -t 7 1")[0] == "rank 7 does not exist; there are 0-1 (in '7', at 1)\n"
    assert notebook.run("%px x = = 1")[0].startswith("not run: SyntaxError")
    assert notebook.run("print('on')") == ("on\n", [])


def test_values_go_to_the_ranks_of_a_notebook_and_come_back(notebook):
    """%pxpush, %px -o, %pxpull."""
    notebook.run("base = 20")
    assert notebook.run("%pxpush base") == ("base: on 0-1\n", [])
    assert notebook.run("%px -o sums base + rank")[1] == []
    assert notebook.run("print(sums)") == ("{0: 20, 1: 21}\n", [])


def test_stopping_ends_the_ranks_and_the_magics_say_how_to_start_again(notebook):
    """%pxcluster stop, and start again in the same notebook."""
    text, errors = notebook.run("%pxcluster stop")
    assert text.startswith("stopped: 0-1 have ended (")
    assert errors == []
    assert list_clusters() == []
    assert notebook.run("%px 1")[0] == "no cluster: %pxcluster start -n 4 [--mpi] | attach [NAME] | list | stop\n"
    assert notebook.run("%pxcluster start -n 2")[0].startswith("cluster ")
