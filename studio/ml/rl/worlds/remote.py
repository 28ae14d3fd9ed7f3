"""Copies of a world in a process of their own: one that hangs, crashes or ends is an error here and nothing more."""

from __future__ import annotations

import multiprocessing
import signal
import weakref
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from studio.ml.rl import errors as rl_errors
from studio.ml.rl.errors import BadWorld, RLError
from studio.ml.rl.grid import GridWorld
from studio.ml.rl.worlds import errors
from studio.ml.rl.worlds.child import serve
from studio.ml.rl.worlds.description import Description
from studio.ml.rl.worlds.errors import WorldFailed, WorldHung
from studio.ml.rl.worlds.single import Frame, Moved
from studio.ml.rl.worlds.spec import WorldSpec
from studio.ml.rl.worlds.wire import pack, unpack

START, PATIENCE = 30.0, 10.0
"""Seconds that a world may take to open, and to answer one call."""
_GOODBYE = 0.5


class RemoteBank:
    """A `Bank` in one child process. It ends with this process, with `close`, and with the first call that hangs.

    Raises WorldHung, WorldFailed, and what opening the world there raises.
    """

    def __init__(self, spec: WorldSpec, count: int, *, start: float = START, patience: float = PATIENCE) -> None:
        self._spec, self._patience = spec, patience
        spawn = multiprocessing.get_context("spawn")
        self._door, theirs = spawn.Pipe()
        self._process = spawn.Process(
            target=serve, args=(theirs, spec.to_json(), count), name="glassbox world", daemon=True
        )
        with theirs:
            self._process.start()
        self._end = weakref.finalize(self, _end, self._process, self._door)
        try:
            self.description = _described(self._answer("open", start))
        except BaseException:
            self.close()
            raise

    def _ask(self, name: str, *arguments: Any) -> Any:
        if not self._end.alive:
            raise WorldFailed(f"{self._spec.title} runs no more; start it again.")
        try:
            self._door.send_bytes(pack([name, arguments]))
        except OSError as error:
            raise self._gone(name) from error
        return self._answer(name, self._patience)

    def _answer(self, name: str, seconds: float) -> Any:
        try:
            if not self._door.poll(seconds):
                self._process.kill()
                self._end()
                raise WorldHung(
                    f"{self._spec.title} did not answer {name} within {seconds:g} seconds; its process was ended."
                )
            answer = unpack(self._door.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._gone(name) from error
        except ValueError as error:
            if isinstance(error, RLError):
                raise
            self._end()
            raise WorldFailed(f"{self._spec.title} answered {name} with something unreadable: {error}.") from error
        if "error" in answer:
            raise _raised(answer["error"])
        return answer["answer"]

    def _gone(self, name: str) -> WorldFailed:
        self._process.join(_GOODBYE)
        code = self._process.exitcode
        self._end()
        how = f"with exit code {code}"
        if code is not None and code < 0:
            how = f"by {signal.Signals(-code).name}" if -code in set(signal.Signals) else f"by signal {-code}"
        return WorldFailed(f"The process of {self._spec.title} ended by itself {how} during {name}.")

    def reset(self, place: int, seed: int) -> Any:
        return self._ask("reset", place, seed)

    def step(self, actions: Sequence[Any]) -> list[Moved]:
        return [tuple(moved) for moved in self._ask("step", list(actions))]

    def act(self, place: int, action: Any) -> Moved:
        observation, reward, terminated, truncated = self._ask("act", place, action)
        return observation, reward, terminated, truncated

    def frame(self, place: int) -> Frame | None:
        frame = self._ask("frame", place)
        return None if frame is None else np.asarray(frame, dtype=np.uint8)

    def text(self, place: int) -> str:
        return str(self._ask("text", place))

    def keep(self, place: int) -> dict[str, Any] | None:
        kept: dict[str, Any] | None = self._ask("keep", place)
        return kept

    def put_back(self, place: int, kept: dict[str, Any]) -> None:
        self._ask("put_back", place, kept)

    def change(self, grid: GridWorld) -> None:
        raise BadWorld(f"{self._spec.title} runs in a process of its own and cannot be edited there.")

    def close(self) -> None:
        self._end()


def _end(process: BaseProcess, door: Connection) -> None:
    """Lets the child go, and ends it if it does not."""
    door.close()
    process.join(_GOODBYE)
    if process.is_alive():
        process.kill()
        process.join()
    process.close()


def _described(told: dict[str, Any]) -> Description:
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in told.items()}
    return Description(**fields)


def _raised(told: dict[str, Any]) -> RLError:
    """The error of the other side: its kind and words, without what its constructor would make of them."""
    kind = vars(errors).get(told["kind"]) or vars(rl_errors).get(told["kind"])
    kind = kind if isinstance(kind, type) and issubclass(kind, RLError) else WorldFailed
    error = kind.__new__(kind)
    error.args = (told["message"],)
    error.__dict__.update({"details": "", **told["fields"]} if isinstance(error, WorldFailed) else told["fields"])
    return error
