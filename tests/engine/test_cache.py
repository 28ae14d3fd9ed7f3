"""The model cache: least recently used goes first, per device, in bytes; what is in use stays."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from studio.engine import ModelCache
from studio.engine import cache as cache_module
from studio.engine import devices


def block(nbytes: int) -> np.ndarray[Any, Any]:
    return np.zeros(nbytes, np.uint8)


def test_loads_once_and_counts_bytes() -> None:
    cache = ModelCache(1000)
    loads: list[int] = []

    def load() -> Any:
        loads.append(1)
        return block(100)

    first = cache.get("a", load)
    assert cache.get("a", load) is first and loads == [1]
    assert cache.bytes_by_device() == {"cpu": 100}


def test_least_recently_used_goes_first() -> None:
    cache = ModelCache(300)
    for key in "abc":
        cache.get(key, lambda: block(100))
    cache.get("a", lambda: block(100))
    cache.get("d", lambda: block(150))
    assert cache.keys() == ["a", "d"]
    assert cache.bytes_by_device() == {"cpu": 250}


def test_room_is_made_before_loading_when_the_size_is_known() -> None:
    cache = ModelCache(300)
    cache.get("a", lambda: block(200))
    seen: list[list[Any]] = []

    def load() -> object:
        seen.append(cache.keys())
        return object()

    cache.get("b", load, nbytes=200)
    assert seen == [[]] and cache.keys() == ["b"] and cache.bytes_by_device() == {"cpu": 200}


def test_what_a_task_uses_is_not_evicted_until_it_ends() -> None:
    cache = ModelCache(100)
    with cache.using("t1"):
        cache.get("a", lambda: block(80))
    with cache.using("t2"):
        cache.get("a", lambda: block(80))
    cache.get("b", lambda: block(80))
    cache.release("t1")
    assert cache.evict_idle() == 80 and cache.keys() == ["a"]
    cache.release("t2")
    assert cache.evict_idle() == 80 and cache.keys() == []


def test_a_model_larger_than_the_budget_stays_as_the_only_one() -> None:
    cache = ModelCache(100)
    cache.get("small", lambda: block(50))
    cache.get("big", lambda: block(500))
    assert cache.keys() == ["big"]


def test_budgets_are_per_device() -> None:
    cache = ModelCache({"cpu": 100, "cuda:0": 1000})
    cache.get("gpu", object, nbytes=900, device="cuda:0")
    cache.get("a", object, nbytes=90)
    cache.get("b", object, nbytes=90)
    assert cache.keys() == ["gpu", "b"]
    assert cache.bytes_by_device() == {"cuda:0": 900, "cpu": 90}


def test_default_budget_is_half_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    info = devices.DeviceInfo("x", "cpu", 200, 0, "float32")
    monkeypatch.setattr(cache_module.devices, "describe", lambda device: info)
    cache = ModelCache()
    for key in "abc":
        cache.get(key, lambda: block(50))
    assert cache.keys() == ["b", "c"]


def test_a_failing_loader_leaves_nothing_behind() -> None:
    cache = ModelCache(100)
    with pytest.raises(OSError, match="unreadable"):
        cache.get("a", lambda: (_ for _ in ()).throw(OSError("unreadable")))
    assert cache.keys() == []
    assert cache.get("a", lambda: "good", nbytes=1) == "good"


def test_threads_that_ask_together_load_once() -> None:
    cache = ModelCache(100)
    gate, loads, got = threading.Event(), [], []

    def load() -> object:
        loads.append(1)
        gate.wait(30)
        return object()

    threads = [threading.Thread(target=lambda: got.append(cache.get("a", load, nbytes=1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert len(loads) == 1 and len({id(value) for value in got}) == 1


def test_evict_and_clear() -> None:
    cache = ModelCache(100)
    cache.get("a", lambda: block(1))
    assert cache.evict("a") and not cache.evict("a")
    cache.get("b", lambda: block(1))
    cache.clear()
    assert cache.keys() == [] and cache.bytes_by_device() == {}


def test_modules_are_measured_with_shared_weights_once() -> None:
    import torch

    layer = torch.nn.Linear(10, 10, bias=False)
    norm = torch.nn.BatchNorm1d(4)
    model = torch.nn.ModuleList([layer, layer, norm])
    expected = 400 + 4 * 4 * 4 + 8
    assert cache_module.measure(model) == {"cpu": expected}

    class Bundle:
        def __init__(self) -> None:
            self.net = model
            self.again = model
            self.name = "bundle"

    assert cache_module.measure(Bundle()) == {"cpu": expected}
    assert cache_module.measure("nothing") == {"cpu": 0}
    assert cache_module.measure(torch.nn.Linear(10, 10, device="meta")) == {"meta": 440}
