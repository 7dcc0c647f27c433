"""Lanes: work waits for its like only, and not for long."""

import asyncio
import threading

import pytest

from disentone.serve import lanes
from disentone.serve.lanes import Lane
from disentone.serve.problems import Busy


def test_what_would_wait_for_too_long_is_refused_at_once():
    """Of work that takes a second, three wait for two seconds at most; the other lane is free."""
    going, done = threading.Event(), []

    def work(number):
        going.wait(20)
        done.append(number)

    async def run():
        lane, other = Lane(1, patience=2.0, guess=1.0), Lane(1, patience=2.0, guess=1.0)
        tasks = []
        for number in range(4):
            tasks.append(asyncio.create_task(lane.run(work, number)))
            while number and lane.wait < number:  # the first begins, the others wait
                await asyncio.sleep(0)
        assert lane.wait == 3.0
        with pytest.raises(Busy, match="The server is busy: ask again in 3 s") as refused:
            await lane.run(work, 4)
        assert refused.value.seconds == 3
        assert await other.run(str, 7) == "7"
        going.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert done == [0, 1, 2, 3]


def test_what_has_waited_for_too_long_is_not_begun(monkeypatch):
    clock = iter((0.0, 3.0))
    monkeypatch.setattr(lanes.time, "perf_counter", lambda: next(clock))
    lane = Lane(1, patience=2.0, guess=0.001)
    with pytest.raises(Busy):
        asyncio.run(lane.run(pytest.fail))


def test_the_mean_follows_what_work_takes(monkeypatch):
    clock = iter((0.0, 0.0, 4.0))
    monkeypatch.setattr(lanes.time, "perf_counter", lambda: next(clock))
    lane = Lane(1, patience=2.0, guess=1.0)
    assert asyncio.run(lane.run(str, 7)) == "7"
    assert lane._mean == pytest.approx(0.9 * 1.0 + 0.1 * 4.0)
