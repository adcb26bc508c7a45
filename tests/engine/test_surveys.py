"""Questions about values at a real engine: idle, paused, busy, and whereabouts of its main thread."""

import numpy as np

from pxshell.testing.waiting import wait_until
from pxshell.values.picture import Picture
from pxshell.values.survey import blocks_in, elements_in
from pxshell.values.tolerance import Tolerance

LOOP = """
    import time
    import numpy as np
    __pxplot__ = {"u": "block"}
    def step(n):
        while True:
            time.sleep(0.01)
    def main():
        block = (slice(0, 4), slice(4, 8))
        u = np.arange(16.0).reshape(4, 4)
        print("on", flush=True)
        step(3)
    main()
"""


def survey(node, expression, place, **question):
    content = {"expression": expression, "places": [[place, "0"]], **question}
    return node.reply_to(node.request("px_survey_request", content))


def wait_in_loop(node):
    wait_until(lambda: node.ask("px_where_request").get("function") == "step", 30, "the loop is reached")


def test_an_idle_rank_describes_its_values(node):
    node.run("import numpy as np; w = {'a': np.arange(5000.0), 'n': 3}")
    leaves = survey(node, "w", "idle", ask="describe").data()["leaves"]
    assert [leaf["path"] for leaf in leaves] == ["", "['a']", "['n']"]
    reply = survey(node, "w", "idle", ask="blocks", path="['a']", **Tolerance().to_content())
    assert blocks_in(reply.data()).whole() == leaves[1]["digest"]
    reply = survey(node, "w", "idle", ask="elements", path="['a']", blocks=[1])
    assert list(elements_in(reply.buffers)) == list(np.arange(1024.0, 2048.0))


def test_what_the_expression_raises_is_an_answer(node):
    content = survey(node, "1 / 0", "idle", ask="describe").data()
    assert (content["status"], content["ename"]) == ("error", "ZeroDivisionError")
    content = survey(node, "'text'", "idle", ask="picture", limit=9).data()
    assert (content["status"], content["ename"]) == ("error", "ValueError")


def test_a_running_rank_is_looked_at_from_the_side_in_the_frame_that_knows_the_names(rig):
    """P6: `u` is main's, whichever function main has called; nothing stops."""
    rig.script(LOOP)
    rig.node.wait_text("on")
    reply = survey(rig.node, "u", "peek", ask="picture", limit=9, at="", is_placed=True)
    picture = Picture.from_content(reply.data(), reply.buffers)
    assert picture.rows[-1] == (12.0, 13.0, 14.0, 15.0)
    assert reply.data()["place"] == [[0, 4], [4, 8]]
    wait_in_loop(rig.node)
    assert survey(rig.node, "n", "peek", ask="describe").data()["leaves"][0]["text"] == "3"
    content = survey(rig.node, "nobody", "peek", ask="describe").data()
    assert (content["status"], content["ename"]) == ("error", "NameError")


def test_a_paused_rank_answers_in_its_frame(rig):
    rig.script(LOOP)
    rig.node.wait_text("on")
    wait_in_loop(rig.node)
    assert rig.node.ask("px_pause_request", {"pause": "p1", "mode": "line"})["outcome"] == "paused"
    content = survey(rig.node, "n", "frame:p1", ask="describe").data()
    assert content["leaves"] == [{"path": "", "kind": "int", "text": "3"}]
    assert survey(rig.node, "n", "idle", ask="describe").data()["status"] == "refused"


def test_a_busy_rank_says_where_it_is_and_since_when(rig):
    """P6."""
    rig.script(LOOP)
    rig.node.wait_text("on")
    wait_in_loop(rig.node)
    first = rig.node.ask("px_where_request")
    assert first["file"].endswith("sim.py")
    assert first["line"] in {6, 7}
    assert rig.node.ask("px_where_request")["seconds"] >= first["seconds"] >= 0
