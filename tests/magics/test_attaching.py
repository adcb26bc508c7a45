"""`%pxdebug attach` and `%pxdebug detach`: what is typed, whom it offers, what is shown."""

import re

import pytest

from pxshell.ranks import RankSet
from pxshell.session.editors import AttachOptions
from pxshell.testing.scripted import replies

USAGE = "%pxdebug attach [RANKS] [--port P] [--write [--stdio]] [--together [--lockstep] | --sessions] [--timeout S]\n"

READ = {
    "attach": ("0-3", AttachOptions()),
    "attach 2": ("2", AttachOptions()),
    "attach 0-1 --port 4711 --write": ("0-1", AttachOptions(port=4711, write=True)),
    "attach --write 0-1": ("0-1", AttachOptions(write=True)),
    "attach 2 --write --stdio": ("2", AttachOptions(write=True, stdio=True)),
    "attach all --together --lockstep": ("0-3", AttachOptions(together=True, lockstep=True)),
    "attach --sessions --timeout 5": ("0-3", AttachOptions(sessions=True, idle_s=5.0)),
}
BAD = {
    "attach 7": "rank 7 does not exist; there are 0-3 (in '7', at 1)\n",
    "attach --port x": "'x' is no port; there are 1 to 65535\n",
    "attach --port 70000": "'70000' is no port; there are 1 to 65535\n",
    "attach --wait": f"what is '--wait'? {USAGE}",
    "attach 2 --port 5 --wait": f"what is '--wait'? {USAGE}",
    "attach 2 --lockstep": (
        "--lockstep is of one session for all ranks: %pxdebug attach RANKS --together --lockstep\n"
    ),
    "attach --together --sessions": "--together is one session for all ranks, --sessions one for each: choose\n",
    "attach --stdio": "--stdio is a kind of entry: %pxdebug attach RANKS --write --stdio\n",
    "attach --write --stdio --port 4711": "--stdio opens no port, so it goes without --port\n",
    "detach": "no port for editors is open\n",
    "detach 2": "no port for editors is open for 2\n",
}


@pytest.mark.parametrize("line", READ)
def test_ranks_and_options_are_read_in_any_order(magician, monkeypatch, line):
    asked = []
    monkeypatch.setattr(magician.session, "attach_editor", lambda *found: asked.append(found))
    assert magician.run(f"%pxdebug {line}") == ""
    ranks, options = READ[line]
    ((found, found_options),) = asked
    assert (found or magician.session.focus, found_options) == (RankSet.parse_folded(ranks), options)


@pytest.mark.parametrize("line", BAD)
def test_bad_input_gets_one_line(magician, line):
    """P10."""
    assert magician.run(f"%pxdebug {line}") == BAD[line]


def test_a_port_is_shown_and_closed(magician):
    answer = {"status": "ok", "root": "/"}
    magician.client.on("px_debug_prepare_request", replies("px_debug_prepare_reply", (None, answer)))
    text = magician.run("%pxdebug attach 2")
    assert re.fullmatch(
        r"2: editors may attach to 127\.0\.0\.1:\d+\.  VS Code: once more with --write, then Run and Debug\.  "
        r"End: %pxdebug detach\n",
        text,
    )
    assert magician.run("%pxdebug detach") == "2: no editor may attach any more\n"
