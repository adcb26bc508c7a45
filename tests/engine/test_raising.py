"""A rank stops where an exception is raised, before it leaves a frame."""

from __future__ import annotations

import pytest

SIM = """
    import sys, time, json

    class Odd(ValueError): pass

    def fail(n):
        kept = n * 2
        try:
            if n == 3: raise Odd(f"n is {n}")
            if n == 4: json.loads("{")
            if n == 5: raise KeyError(n)
        finally:
            kept = None
        return kept

    def main():
        print("on", flush=True)
        while not hasattr(sys, "go"): time.sleep(0.01)
        for n in range(7):
            try:
                fail(n)
            except (ValueError, KeyError):
                pass
        print("end")

    main()
"""


def begin(rig, *types):
    """Start the program, say where to stop, and let it go on."""
    engine = rig.script(SIM)
    rig.node.attend(1)
    rig.node.wait_text("on")
    assert rig.node.ask("px_raise_request", {"types": list(types)}) == {"status": "ok"}
    rig.node.run("setattr(sys, 'go', 1)", place="peek")
    return engine


def resume(rig, state):
    assert rig.node.ask("px_resume_request", {"pause": state["pause"]})["outcome"] == "resumed"


def test_it_stops_in_the_frame_that_raises_before_its_finally(rig):
    """`--on-raise`: nothing has been unwound, and the program goes on as if nothing had been (P5)."""
    engine = begin(rig, "Odd")
    state = rig.node.wait_state("paused")
    assert (state["function"], state["reason"]) == ("fail", "raises Odd: n is 3")
    said = rig.node.run("n, kept", place=f"frame:{state['pause']}")
    assert said[0].data()["data"]["text/plain"] == "(3, 6)"
    resume(rig, state)
    done = engine.finish()
    assert done[0] == 0, done
    assert len({m.data()["pause"] for m in rig.node.said if m.type == "px_state"} - {""}) == 1
    assert rig.node.text() == "on\nend\n"


def test_classes_below_a_class_count_and_libraries_are_left_for_the_users_frame(rig):
    """A class is named by its name or with its module; json raises in its own frames, the stop is in the caller's."""
    begin(rig, "ValueError", "builtins.KeyError")
    seen = []
    for _ in range(3):
        state = rig.node.wait(
            lambda one: one.type == "px_state" and one.data()["activity"] == "paused" and one.data()["pause"] not in
            [known["pause"] for known in seen], "the next stop"
        ).data()  # fmt: skip
        seen.append(state)
        resume(rig, state)
    assert [state["function"] for state in seen] == ["fail"] * 3
    names = [state["reason"].partition(":")[0] for state in seen]
    assert names == ["raises Odd", "raises JSONDecodeError", "raises KeyError"]
    rig.node.wait_text("end\n")


@pytest.mark.parametrize("types", [["OSError"], []])
def test_other_exceptions_pass(rig, types):
    """And with no class at all, all do."""
    engine = begin(rig, *types)
    done = engine.finish()
    assert done[0] == 0, done
    assert not any(m.type == "px_state" and m.data()["activity"] == "paused" for m in rig.node.said)


def test_an_exception_is_stopped_at_each_time_it_is_raised_anew(rig):
    """A new exception may lie where the last one lay; the same one on its way up is no new one."""
    engine = begin(rig, "KeyError")
    state = rig.node.wait_state("paused")
    assert state["reason"] == "raises KeyError: 5"
    rig.node.ask("px_raise_request", {"types": []})
    resume(rig, state)
    done = engine.finish()
    assert done[0] == 0, done
