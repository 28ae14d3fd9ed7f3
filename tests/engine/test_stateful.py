"""Random sequences of submit, cancel, pause, resume, replace, fail and offload against a small independent model.

The model keeps each lane as a plain list in the order of service: the engine must pick exactly the task the list names.
"""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from studio.engine import (
    Cancelled,
    Done,
    Engine,
    Event,
    Failed,
    Log,
    Metric,
    Offload,
    Priority,
    Started,
    Task,
    TaskState,
)
from studio.engine.offload import Answer, Offloads

TERMINAL = {TaskState.DONE: Done, TaskState.FAILED: Failed, TaskState.CANCELLED: Cancelled}
ACTIONS = ["tick", "tick", "tick", "offload", "fail", "exit", "bad", "oom", "cancel_self", "pause_self"]
FINALLY = ["clean", "clean", "raise", "stubborn"]


class FakeCall:
    """An offloaded call that the test answers."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.killed = False
        self.answered = False
        self.paused = False

    def pause(self) -> None:
        assert not self.paused
        self.paused = True

    def resume(self) -> None:
        assert self.paused
        self.paused = False

    def kill(self) -> None:
        self.killed = True

    def join(self, timeout: float | None = None) -> bool:
        return True


class FakeOffloads(Offloads):
    """Offloads that never run by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[FakeCall] = []

    def start(self, offload: Offload, answer: Answer, name: str = "") -> FakeCall:
        self.calls.append(FakeCall(answer))
        return self.calls[-1]


@dataclass
class Model:
    """What the test expects of one task."""

    label: int
    lane: str
    priority: Priority
    owner: str
    key: str | None
    queue: str | None
    script: list[str]
    ending: str
    task: Task = field(init=False)
    state: TaskState = TaskState.QUEUED
    position: int = 0
    retried: bool = False
    begun: bool = False
    waiting: FakeCall | None = None
    failed_call: bool = False
    replaced: bool = False
    closed: int = 0
    opened: int = 0
    seen: list[Event] = field(default_factory=list)


class EngineMachine(RuleBasedStateMachine):
    """See the module docstring."""

    def __init__(self) -> None:
        super().__init__()
        clock = itertools.count()
        self.offloads = FakeOffloads()
        self.engine = Engine(device="cpu", clock=lambda: float(next(clock)), offloads=self.offloads)
        self.models: list[Model] = []
        self.service: dict[str, list[Model]] = {"compute": [], "quick": []}
        self.arrivals: dict[str, list[Model]] = {"compute": [], "quick": []}
        self.doomed: dict[str, list[Model]] = {"compute": [], "quick": []}
        self.trace: list[int] = []
        self.generators: list[weakref.ref[Any]] = []

    # -- the job: one trace entry per step ------------------------------------------------------------------------

    def job(self, model: Model, ctx: Any) -> Iterator[Any]:
        generator = self.body(model)
        self.generators.append(weakref.ref(generator))
        return generator

    def body(self, model: Model) -> Iterator[Any]:
        model.opened += 1
        try:
            for index, action in enumerate(model.script):
                self.trace.append(model.label)
                if action == "offload":
                    try:
                        answer = yield Offload(print)
                    except ConnectionError:
                        self.trace.append(model.label)
                        raise
                    assert answer == f"answer {model.label}"
                elif action == "fail":
                    raise ValueError("as told")
                elif action == "exit":
                    raise SystemExit(3)
                elif action == "oom":
                    raise MemoryError
                elif action == "bad":
                    yield 42
                else:
                    if action == "cancel_self":
                        assert model.task.cancel()
                    if action == "pause_self":
                        assert model.task.pause()
                    yield Metric("step", index, index)
            self.trace.append(model.label)
            return model.label
        finally:
            model.closed += 1
            if model.ending == "raise":
                raise RuntimeError("from finally")
            if model.ending == "stubborn" and model.state is TaskState.CANCELLED:
                yield Metric("late", 0, 0)

    # -- the model ------------------------------------------------------------------------------------------------

    def end(self, model: Model, state: TaskState) -> None:
        model.state = state
        model.waiting = None
        self.service[model.lane].remove(model)
        self.arrivals[model.lane].remove(model)

    def expected(self, lane: str) -> Model | None:
        """The run the lane must serve: first in service order among those of the highest priority that may run."""
        runnable = [m for m in self.service[lane] if m.state is not TaskState.PAUSED]
        candidates = []
        for model in runnable:
            rivals = [m for m in self.arrivals[lane] if m in runnable and m.queue == model.queue]
            if model.queue is not None:
                head = max(rivals, key=lambda m: (m.priority, m.begun, -self.arrivals[lane].index(m)))
                if head is not model:
                    continue
            if model.waiting is None:
                candidates.append(model)
        if not candidates:
            return None
        top = max(m.priority for m in candidates)
        return next(m for m in candidates if m.priority == top)

    def served(self, model: Model) -> None:
        """Book one step of `model`."""
        order = self.service[model.lane]
        order.remove(model)
        order.append(model)
        model.begun = True
        model.state = TaskState.RUNNING
        if model.failed_call:
            self.end(model, TaskState.FAILED)
            return
        if model.position == len(model.script):
            self.end(model, TaskState.FAILED if model.ending == "raise" else TaskState.DONE)
            return
        action = model.script[model.position]
        model.position += 1
        if action == "offload":
            model.waiting = self.offloads.calls[-1]
        elif action in ("fail", "exit", "bad"):
            self.end(model, TaskState.FAILED)
        elif action == "oom":
            # An error in `finally` takes the place of the MemoryError, which stays only its context.
            if model.retried or model.ending == "raise":
                self.end(model, TaskState.FAILED)
            else:
                model.retried, model.position = True, 0
                self.drop_pending(model)
        elif action == "cancel_self":
            self.end(model, TaskState.CANCELLED)
        elif action == "pause_self":
            model.state = TaskState.PAUSED

    @staticmethod
    def drop_pending(model: Model) -> None:
        """What was seen before a restart belongs to the first attempt."""
        model.seen.clear()

    # -- rules ----------------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        assert not self.engine.step("compute")
        assert not self.engine.step("quick")

    @rule(
        lane=st.sampled_from(["compute", "compute", "quick"]),
        priority=st.sampled_from(list(Priority)),
        owner=st.sampled_from(["panel", "panel", "other"]),
        key=st.sampled_from([None, "a", "a"]),
        queue=st.sampled_from([None, "line"]),
        front=st.booleans(),
        script=st.lists(st.sampled_from(ACTIONS), max_size=5),
        ending=st.sampled_from(FINALLY),
    )
    def submit(
        self, lane: str, priority: Priority, owner: str, key: str | None, queue: str | None, front: bool,
        script: list[str], ending: str,
    ) -> None:
        model = Model(len(self.models), lane, priority, owner, key, queue, script, ending)
        order, arrivals = self.service[lane], self.arrivals[lane]
        at = (0, 0) if front else (len(order), len(arrivals))
        for old in [m for m in self.models if key is not None and m.key == key and m.owner == owner]:
            if old.state.ended:
                continue
            if old.lane == lane and not front:
                at = (order.index(old), arrivals.index(old))
            self.doomed[old.lane].append(old)
            old.replaced = True
            old.seen.clear()
            self.end(old, TaskState.CANCELLED)
        order.insert(at[0], model)
        arrivals.insert(at[1], model)
        self.models.append(model)
        model.task = self.engine.submit(
            self.job, model, title=str(model.label), owner=owner, lane=lane, priority=priority, replace=key,
            front=front, queue=queue,
        )

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        model = data.draw(st.sampled_from(self.models))
        live = not model.state.ended
        assert model.task.cancel() is live
        if live:
            self.doomed[model.lane].append(model)
            self.end(model, TaskState.CANCELLED)

    @rule(owner=st.sampled_from(["other", "nobody"]))
    def cancel_owner(self, owner: str) -> None:
        live = [m for m in self.models if m.owner == owner and not m.state.ended]
        assert self.engine.cancel_owner(owner) == len(live)
        for model in live:
            self.doomed[model.lane].append(model)
            self.end(model, TaskState.CANCELLED)

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        model = data.draw(st.sampled_from(self.models))
        possible = model.state in (TaskState.QUEUED, TaskState.RUNNING)
        assert model.task.pause() is possible
        if possible:
            model.state = TaskState.PAUSED

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        model = data.draw(st.sampled_from(self.models))
        possible = model.state is TaskState.PAUSED
        assert model.task.resume() is possible
        if possible:
            model.state = TaskState.RUNNING if model.begun else TaskState.QUEUED

    @rule(lane=st.sampled_from(["compute", "compute", "compute", "quick"]), times=st.integers(1, 4))
    def step(self, lane: str, times: int) -> None:
        for _ in range(times):
            if self.doomed[lane]:
                assert self.engine.step(lane)
                for model in self.doomed[lane]:
                    assert model.task.wait(0)
                self.doomed[lane].clear()
                continue
            expected = self.expected(lane)
            before = len(self.trace)
            assert self.engine.step(lane) is (expected is not None)
            assert self.trace[before:] == ([] if expected is None else [expected.label])
            if expected is not None:
                self.served(expected)

    @precondition(lambda self: any(not call.answered for call in self.offloads.calls))
    @rule(data=st.data(), good=st.booleans())
    def answer(self, data: st.DataObject, good: bool) -> None:
        """Answer a call: also one whose task has ended meanwhile, whose answer must go nowhere."""
        call = data.draw(st.sampled_from([c for c in self.offloads.calls if not c.answered]))
        call.answered = True
        owner = next((m for m in self.models if m.waiting is call), None)
        assert call.killed is (owner is None)
        label = owner.label if owner is not None else -1
        if good:
            call.answer(f"answer {label}", None)
        else:
            call.answer(None, ConnectionError("lost"))
        if owner is not None:
            owner.waiting = None
            owner.failed_call = not good

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def drain(self, data: st.DataObject) -> None:
        model = data.draw(st.sampled_from(self.models))
        model.seen += model.task.mailbox.drain()

    # -- what must always hold ------------------------------------------------------------------------------------

    @invariant()
    def states_agree(self) -> None:
        for model in self.models:
            assert model.task.state is model.state, model

    @invariant()
    def events_are_in_order(self) -> None:
        for model in self.models:
            ends = [i for i, event in enumerate(model.seen) if isinstance(event, (Done, Failed, Cancelled))]
            assert ends in ([], [len(model.seen) - 1])
            if ends:
                assert type(model.seen[-1]) is TERMINAL[model.state]
            points = [event.x for event in model.seen if isinstance(event, Metric) and event.series == "step"]
            assert points == sorted(set(points))

    def teardown(self) -> None:
        assert self.engine.close()
        assert self.engine.wait_idle(0)
        for model in self.models:
            model.seen += model.task.mailbox.drain()
            if not model.state.ended:
                model.state = TaskState.CANCELLED
            assert model.task.state is model.state
            assert type(model.seen[-1]) is TERMINAL[model.state]
            assert sum(isinstance(event, (Done, Failed, Cancelled)) for event in model.seen) == 1
            if model.replaced:
                assert len(model.seen) == 1, "an event of a replaced task landed late"
            elif model.begun and model.opened == 1:
                assert isinstance(model.seen[0], Started)
            assert not any(isinstance(event, Metric) and event.series == "late" for event in model.seen)
            if model.retried and not model.replaced:
                assert sum(isinstance(event, Log) for event in model.seen) == 1
            assert model.closed == model.opened, "a generator was left open"
            assert model.task.mailbox.drain() == []
        self.states_agree()
        self.events_are_in_order()
        assert [ref for ref in self.generators if ref() is not None] == []
        assert all(call.killed or call.answered for call in self.offloads.calls)


class TestEngine(EngineMachine.TestCase):  # type: ignore[misc,name-defined]
    """Run the machine, without the cyclic collector: generators must die by their reference count alone."""

    settings = settings(max_examples=60, stateful_step_count=60, deadline=None)

    def setUp(self) -> None:
        super().setUp()
        gc.collect()
        gc.disable()

    def tearDown(self) -> None:
        gc.enable()
        super().tearDown()
