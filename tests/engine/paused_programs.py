"""Programs whose result must not depend on pauses: (name, function). Each runs some ten thousand lines of Python."""

from __future__ import annotations

import asyncio
import functools
import json
import queue
import threading
from contextlib import contextmanager
from dataclasses import dataclass

N = 3000


def loops():
    total, seen = 0, []
    for i in range(4 * N):
        total += i % 7
        if i % 1000 == 0:
            seen.append(total)
    return total, seen


def recursion():
    def fib(n):
        if n < 2:
            return n
        return fib(n - 1) + fib(n - 2)

    return fib(17)


def generators():
    def numbers(n):
        try:
            for i in range(n):
                got = yield i
                if got:
                    yield -got
        finally:
            closed.append(n)

    closed = []
    total = 0
    for n in range(200):
        source = numbers(n)
        for value in source:
            total += value
            if value == 20:
                total += source.send(value)
                source.close()
    delegated = list(delegate(numbers(500)))
    return total, closed, delegated


def delegate(source):
    yield "first"
    yield from source
    yield "last"


def closures():
    def counter():
        count = 0

        def bump(by=1):
            nonlocal count
            count += by
            return count

        return bump

    bumps = [counter() for _ in range(5)]
    for i in range(N):
        bumps[i % 5](i)
    return [bump(0) for bump in bumps]


def comprehensions():
    rows = [[x * y for x in range(30)] for y in range(60)]
    flat = {f"{x}": [y for y in row if y % 3] for x, row in enumerate(rows)}
    return sum(sum(v) for v in flat.values()), sorted({x % 11 for row in rows for x in row})


def exceptions():
    log = []
    for i in range(N):
        try:
            try:
                if i % 3 == 0:
                    raise ValueError(i)
                if i % 5 == 0:
                    _ = [][i]
            except ValueError as error:
                raise KeyError(i) from error
            finally:
                log.append(i % 13)
        except KeyError as error:
            log.append(error.args[0] + error.__cause__.args[0])
        except LookupError:
            log.append(-1)
    return sum(log), len(log)


def raises():
    try:
        loops()
        raise ZeroDivisionError("the end")
    finally:
        loops()


def callbacks():
    words = [str((i * 7919) % 1000) for i in range(N)]

    def key(word):
        length = len(word)
        return length, word

    def compare(a, b):
        less = a < b
        return (a > b) - less

    return sorted(words, key=key)[:50], sorted(words, key=functools.cmp_to_key(compare))[-50:]


def library_callbacks():
    class Thing:
        def __init__(self, i):
            self.i = i

    def default(thing):
        value = thing.i * 2
        return {"i": value}

    text = json.dumps([Thing(i) for i in range(N)], default=default)
    return json.loads(text, object_hook=lambda d: d["i"])[-1]


def classes():
    made = []
    for i in range(200):

        class Made:
            number = i
            square = number * number

            @property
            def both(self):
                return self.number + self.square

        made.append(Made().both)

    @dataclass
    class Point:
        x: int
        y: int = 3

    return sum(made), sum(Point(i).x for i in range(500))


def coroutines():
    async def worker(inbox, outbox):
        while (item := await inbox.get()) is not None:
            await asyncio.sleep(0)
            await outbox.put(item * 2)

    async def ticks(n):
        for i in range(n):
            await asyncio.sleep(0)
            yield i

    async def main():
        inbox, outbox = asyncio.Queue(), asyncio.Queue()
        tasks = [asyncio.create_task(worker(inbox, outbox)) for _ in range(3)]
        for i in range(400):
            await inbox.put(i)
        for _ in tasks:
            await inbox.put(None)
        await asyncio.gather(*tasks)
        ticked = [i async for i in ticks(300)]
        return sum(outbox.get_nowait() for _ in range(outbox.qsize())), sum(ticked)

    return asyncio.run(main())


def threads():
    inbox, results = queue.Queue(maxsize=5), []
    lock = threading.Lock()

    def work():
        while (item := inbox.get()) is not None:
            with lock:
                results.append(item * item)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for i in range(1000):
        inbox.put(i)
    for _ in workers:
        inbox.put(None)
    for worker in workers:
        worker.join()
    return sum(results), len(results)


def contexts():
    events = []

    @contextmanager
    def managed(name):
        events.append(name)
        try:
            yield name * 2
        except RuntimeError:
            events.append("handled")
        finally:
            events.append(-name)

    for i in range(800):
        with managed(i) as double:
            if i % 4 == 0:
                raise RuntimeError
            events.append(double)
    return events.count("handled"), sum(e for e in events if e != "handled")


PROGRAMS = [
    loops,
    recursion,
    generators,
    closures,
    comprehensions,
    exceptions,
    raises,
    callbacks,
    library_callbacks,
    classes,
    coroutines,
    threads,
    contexts,
]
