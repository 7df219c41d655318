from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from many_models.core.model_cache import Loaded, ModelCache


def load(model: str, size: int = 10) -> Callable[[], Loaded[str]]:
    return lambda: Loaded(model, size)


def fail() -> Loaded[str]:
    raise ValueError("no such file")


def never() -> Loaded[str]:
    raise AssertionError("it is in the cache, and was loaded all the same")


def test_a_model_is_loaded_once_and_then_comes_from_memory() -> None:
    cache: ModelCache[str] = ModelCache(100)
    assert cache.get("a", 1, load("model a")) == cache.get("a", 1, never) == "model a"
    counts = cache.counts()
    assert (counts.hits, counts.misses, counts.entries, counts.bytes) == (1, 1, 1, 10)


def test_another_stamp_means_another_model_which_replaces_the_first() -> None:
    cache: ModelCache[str] = ModelCache(100)
    cache.get("a", 1, load("old", 60))
    assert cache.get("a", 2, load("new", 70)) == cache.get("a", 2, never) == "new"
    assert cache.counts().bytes == 70
    assert cache.counts().evictions == 0


def test_the_least_recently_used_gives_way() -> None:
    cache: ModelCache[str] = ModelCache(30)
    for key in "abc":
        cache.get(key, 1, load(key))
    cache.get("a", 1, never)
    cache.get("d", 1, load("d"))
    assert [cache.get(key, 1, never) for key in "acd"] == ["a", "c", "d"]
    assert cache.get("b", 1, load("b again")) == "b again"
    assert cache.counts().evictions == 2


def test_pinned_models_stay_and_what_does_not_fit_beside_them_is_served_but_not_kept() -> None:
    cache: ModelCache[str] = ModelCache(30, pinned=["a", "b"])
    for key in "abcd":
        cache.get(key, 1, load(key))
    assert cache.get("a", 1, never) == "a"
    assert cache.get("large", 1, load("large", 20)) == "large"
    assert cache.get("d", 1, never) == "d"  # nobody was evicted for what cannot be kept
    assert (cache.counts().oversized, cache.counts().bytes) == (1, 30)


def test_a_random_walk_never_exceeds_the_bound() -> None:
    cache: ModelCache[str] = ModelCache(1_000, pinned=["1", "2"])
    draw = np.random.default_rng(0)
    for key, size in zip(draw.integers(0, 99, 3_000), draw.integers(1, 300, 3_000), strict=True):
        cache.get(str(key), 1, load(str(key), int(size)))
        assert 0 <= cache.counts().bytes <= 1_000
    assert cache.counts().evictions > 100


def test_who_asks_while_a_model_loads_waits_for_that_load() -> None:
    cache: ModelCache[str] = ModelCache(100)
    loading, go_on = threading.Event(), threading.Event()

    def slow() -> Loaded[str]:
        loading.set()
        assert go_on.wait(10)
        return Loaded("slow", 10)

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(cache.get, "a", 1, slow)
        assert loading.wait(10)
        others = [pool.submit(cache.get, "a", 1, never) for _ in range(2)]
        assert pool.submit(cache.get, "b", 1, load("b")).result(10) == "b"  # is not held up
        while cache.counts().shared < 2:
            pass
        go_on.set()
        assert [first.result(10), *(other.result(10) for other in others)] == ["slow"] * 3
    assert cache.counts().misses == 2


def test_a_failed_load_is_not_tried_again_before_its_time() -> None:
    now = [0.0]
    cache: ModelCache[str] = ModelCache(100, retry_seconds=5, clock=lambda: now[0])
    for load_it in (fail, never):
        with pytest.raises(ValueError, match="no such file"):
            cache.get("a", 1, load_it)
    assert cache.get("a", 2, load("another version")) == "another version"
    now[0] = 6.0
    assert cache.get("a", 1, load("mended")) == "mended"
    assert cache.counts().failures == 1
