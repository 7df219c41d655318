from __future__ import annotations

import asyncio
import threading

import pytest

from many_models.adapters.serving.gate import DeadlineError, Gate, OverloadError


def test_work_is_done_in_a_prepared_thread_and_its_error_passes_through() -> None:
    prepared: list[str] = []
    gate = Gate(1, 4, 10, lambda: prepared.append(threading.current_thread().name))

    async def ask() -> None:
        assert await gate.run(lambda: threading.current_thread().name) == prepared[0]
        with pytest.raises(ZeroDivisionError):
            await gate.run(lambda: 1 // 0)

    asyncio.run(ask())
    gate.close()
    assert gate.inside == 0


def test_who_comes_while_enough_wait_is_turned_away_and_may_come_again() -> None:
    gate, go_on = Gate(1, 2, 10), threading.Event()

    async def ask() -> None:
        waiting = [asyncio.create_task(gate.run(go_on.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(OverloadError) as refused:
            await gate.run(lambda: True)
        assert refused.value.retry_seconds == 1
        go_on.set()
        assert await asyncio.gather(*waiting) == [True, True]
        assert await gate.run(lambda: "again") == "again"

    asyncio.run(ask())
    gate.close()
    assert gate.turned_away == 1


def test_what_waits_too_long_is_never_begun_and_keeps_its_place_until_then() -> None:
    gate, go_on, begun = Gate(1, 2, 0.05), threading.Event(), threading.Event()

    async def ask() -> None:
        tasks = [gate.run(go_on.wait), gate.run(begun.set)]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in found] == [DeadlineError, DeadlineError]
        assert gate.inside == 2
        go_on.set()
        while gate.inside:
            await asyncio.sleep(0.001)

    asyncio.run(ask())
    gate.close()
    assert not begun.is_set()
