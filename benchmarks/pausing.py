"""What a pause costs: its latency, and the speed of a loop before, after and while armed.

Run: python benchmarks/pausing.py
"""

from __future__ import annotations

import queue
import statistics
import sys
import threading
import time

from pxshell.engine.pause_states import Paused, PauseEvent, Resumed
from pxshell.engine.paused_frame import PausedFrame
from pxshell.engine.pausing import Pauser

LINES = 2_000_000
PAUSES = 200


def loop(lines: int) -> float:
    """Return the seconds that a pure-Python loop of so many steps takes."""
    begin = time.perf_counter()
    total = 0
    for step in range(lines):
        total += helper(step)
    return time.perf_counter() - begin


def helper(step: int) -> int:
    """Be called, so that tracing of calls would show."""
    return step & 7


def median_loop() -> float:
    """Return the median of seven runs, in nanoseconds a step."""
    return statistics.median(loop(LINES) for _ in range(7)) / LINES * 1e9


def serve(paused: PausedFrame) -> None:
    """Wait for the end of the pause."""
    paused.wait_released()


def pause_often(pauser: Pauser, events: queue.SimpleQueue[PauseEvent], done: threading.Event) -> None:
    """Pause and resume, and print how long each took."""
    stops, goes = [], []
    for number in range(PAUSES):
        begin = time.perf_counter()
        pauser.request(str(number))
        assert isinstance(events.get(), Paused)
        middle = time.perf_counter()
        pauser.resume()
        assert isinstance(events.get(), Resumed)
        stops.append(middle - begin)
        goes.append(time.perf_counter() - middle)
    done.set()
    for name, times in (("request to paused", stops), ("resume to running", goes)):
        print(f"{name:>18}  median {statistics.median(times) * 1e3:6.2f} ms   worst {max(times) * 1e3:6.2f} ms")


def main() -> None:
    """Measure before, pause often, measure after."""
    events: queue.SimpleQueue[PauseEvent] = queue.SimpleQueue()
    pauser = Pauser(on_event=events.put, service=serve)
    print(f"Python {sys.version.split()[0]}, switch interval {sys.getswitchinterval() * 1e3:.0f} ms")
    before = median_loop()
    pauser.begin_user_code()
    done = threading.Event()
    user = threading.Thread(target=pause_often, args=(pauser, events, done))
    user.start()
    while not done.is_set():
        loop(1000)
    user.join()
    after = median_loop()
    pauser.end_user_code()
    print(f"{'loop':>18}  before {before:.1f}, after {after:.1f} ns a step ({(after / before - 1) * 100:+.1f} %)")


if __name__ == "__main__":
    main()
