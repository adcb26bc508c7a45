"""What a rank answers when it is asked where it stands, in each state."""

from pxshell.testing.waiting import wait_until

LOOPS = """
import time
def main():
    step = 0
    print("on")
    while True:
        step += 1
        time.sleep(0.001)
main()
"""


def step(rig):
    return int(rig.node.peek("step"))


def functions(reply):
    return [entry[2] for entry in reply["entries"] if entry[3]]


def test_an_idle_rank_says_so(node):
    """P6: it has no stack of the user's."""
    reply = node.ask("px_stacks_request")
    assert (reply["entries"], reply["end"][4]) == ([], "idle")


def test_a_paused_rank_shows_the_users_stack_and_nothing_of_ours(rig):
    rig.script(LOOPS)
    rig.node.wait_text("on")
    assert rig.node.ask("px_pause_request", {"pause": "p", "mode": "line"})["outcome"] == "paused"
    reply = rig.node.ask("px_stacks_request", {"full": False})
    assert (functions(reply), reply["end"][4]) == (["<module>", "main"], "paused")
    assert len(reply["entries"]) == 2


def test_a_rank_that_asks_its_user_shows_where_it_asks(rig):
    """The frames in which pxshell waits for the answer are not the user's business."""
    rig.start()
    rig.node.wait_state("idle")
    rig.node.cell("def asks():\n    return input('name? ')\nasks()", allow_stdin=True)
    rig.node.wait(lambda message: message.type == "input_request", "the question")
    reply = rig.node.ask("px_stacks_request", {"full": False})
    assert functions(reply)[-1] == "asks"
    assert not [entry for entry in reply["entries"] if "pxshell" in entry[0]]


def test_to_a_brief_question_a_rank_says_only_whether_it_has_moved(rig):
    """P5: the watchdog's question costs no stack; each who watches has a count of its own."""
    rig.script("import threading\nprint('on')\nthreading.Event().wait()")
    rig.node.wait_text("on")
    brief = {"brief": True, "watch": "w"}
    first = rig.node.ask("px_stacks_request", brief)
    assert first["entries"] == []
    wait_until(lambda: rig.node.ask("px_stacks_request", brief)["end"][6] > 2, 30, "it stands still")
    assert rig.node.ask("px_stacks_request", {"watch": "other"})["end"][6] == 0
    assert "end" not in rig.node.ask("px_stacks_request", {})


def test_a_rank_that_works_has_moved_at_each_look(rig):
    rig.script(LOOPS)
    rig.node.wait_text("on")
    looks = []
    for _ in range(3):
        before = step(rig)
        wait_until(lambda before=before: step(rig) > before, 30, "there is another step")
        looks.append(rig.node.ask("px_stacks_request", {"watch": "w"})["end"][6])
    assert looks == [0, 0, 0]


def test_a_deep_stack_is_told_within_its_limit(rig):
    """P7: bounded, and said."""
    rig.script("""
        import threading
        def deeper(n):
            if n: return deeper(n - 1)
            print("on")
            threading.Event().wait()
        deeper(900)
    """)
    rig.node.wait_text("on")
    entries = rig.node.ask("px_stacks_request", {"full": False})["entries"]
    assert len(entries) == 200
    assert "frames" in next(entry[2] for entry in entries if not entry[0])
