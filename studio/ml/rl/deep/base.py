"""What all deep agents share: worlds, streams, one thread while they compute, last good weights, keeping and looking.

An agent puts every weight it has (targets too) in `network` and every optimiser in `optimizers`, and computes in
`_advance`. What else its future depends on it adds in `_keep_more` and takes back in `_put_back_more`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import blake2b
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.rl.deep.networks import parameters_of
from studio.ml.rl.errors import BadCheckpoint, BadSetting, Diverged
from studio.ml.rl.knobs import needs_new_run
from studio.ml.rl.learner import Kept, Look, NetLook, Phase, Policy, Turn
from studio.ml.rl.worlds import Stepped, Worlds, WorldSpec

Arrays = Mapping[str, NDArray[Any]]
Of = Literal["action", "value"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: small networks gain nothing from more, and sums then never depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def stream_seed(seed: int, name: str) -> int:
    """The seed (63 bits) of the stream `name` of a run with `seed`."""
    return int.from_bytes(blake2b(f"{seed} {name}".encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, name: str) -> torch.Generator:
    """A stream of torch that begins from `stream_seed`."""
    return torch.Generator().manual_seed(stream_seed(seed, name))


class NetworkDiverged(Diverged):
    """A loss or weight that is no finite number. The agent has its last good weights and may go on."""

    def __init__(self, what: str, setting: str = "learning rate") -> None:
        super(Diverged, self).__init__(
            f"Training diverged: {what} is not a finite number. The last good weights are back in place. "
            f"Lower the {setting}, then go on."
        )


class LastGood:
    """Weights and optimiser states to go back to when an update breaks them."""

    def __init__(self, network: nn.Module, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        self._network, self._optimizers = network, optimizers
        self.remember()

    def _tensors(self) -> list[Tensor]:
        states = [state for optimizer in self._optimizers.values() for state in optimizer.state.values()]
        moments = [state[key] for state in states for key in sorted(state) if isinstance(state[key], Tensor)]
        return [*self._network.parameters(), *self._network.buffers(), *moments]

    def remember(self) -> None:
        """Takes what is there now as good."""
        self._copies = [tensor.detach().clone() for tensor in self._tensors()]

    def bring_back(self) -> None:
        """Puts back what was good; an optimiser that had not yet stepped then begins anew."""
        tensors = self._tensors()
        with torch.no_grad():
            for tensor, good in zip(tensors, self._copies, strict=False):
                tensor.copy_(good)
            for stepped_since in tensors[len(self._copies) :]:
                stepped_since.zero_()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is good, by number."""
        return {str(index): good.numpy().copy() for index, good in enumerate(self._copies)}

    def put_back(self, arrays: Arrays) -> None:
        """Takes what `arrays` gave, once network and optimisers are back. Raises ValueError where it does not fit."""
        copies = [torch.from_numpy(arrays[str(index)].copy()) for index in range(len(arrays))]
        tensors = self._tensors()
        if len(copies) > len(tensors) or any(c.shape != t.shape for c, t in zip(copies, tensors, strict=False)):
            raise ValueError("its last good weights are of another network")
        self._copies = copies


class DeepLearner(ABC):
    """A `Learner` with networks. seed decides all; nothing is drawn from any global stream.

    budget: the environment steps that the run is planned for, over which schedules fall. count: parallel worlds.
    worlds: those to learn in, made from `spec` where none are given. torch_stream and numpy_stream are its only
    sources of chance besides the worlds' own.
    """

    kind: ClassVar[str]
    on_policy: ClassVar[bool]
    network: nn.Module
    optimizers: dict[str, torch.optim.Optimizer]

    def __init__(
        self, spec: WorldSpec, settings: Any, seed: int, budget: int, count: int, worlds: Worlds | None = None
    ) -> None:
        self.spec, self.settings, self.seed, self.budget = spec, settings, seed, max(1, budget)
        self.worlds = Worlds(spec, count, seed) if worlds is None else worlds
        self.description = self.worlds.description
        self.count = count
        self.steps = self.updates = 0
        self.phase: Phase = "collect"
        self.last: dict[str, float] = {}
        self.torch_stream = generator(seed, "torch")
        self.numpy_stream = np.random.Generator(np.random.PCG64(stream_seed(seed, "numpy")))
        self.observations: NDArray[Any] = self.worlds.reset()
        self._episode, self._time, self._total, self._reward = 0, 0, 0.0, 0.0
        self._action: Any = None

    def advance(self) -> Turn:
        """One bounded step on one thread. Raises RLError."""
        with one_thread():
            return self._advance()

    @abstractmethod
    def _advance(self) -> Turn: ...

    def step_worlds(self, actions: NDArray[Any]) -> Stepped:
        """One step of every world; `observations` are then those to act on next. actions: [count] or [count, k]."""
        stepped = self.worlds.step(actions)
        self.observations = stepped.observations
        self.steps += self.count
        self._reward = float(stepped.rewards[0])
        self._action = actions[0].copy()
        self._time, self._total = self._time + 1, self._total + self._reward
        if stepped.terminated[0] or stepped.truncated[0]:
            self._episode, self._time, self._total = self._episode + 1, 0, 0.0
        return stepped

    def change(self, settings: Any) -> None:
        """Other settings from the next step on. Raises BadSetting naming those that need a new run."""
        if type(settings) is not type(self.settings):
            raise BadSetting(f"These are no settings of {self.kind}: {type(settings).__name__}.")
        if fixed := needs_new_run(self.settings, settings):
            raise BadSetting(f"This cannot change in a run, only in a new one: {', '.join(fixed)}.")
        self.settings = settings

    def look(self, *, frame: bool = False) -> Look:
        """What is to be seen now; draws nothing from the streams."""
        action = self._action if self._action is None or self._action.ndim else int(self._action)
        with one_thread(), torch.inference_mode():
            return Look(
                self.steps, self._episode, self._time, self._total, self.phase, self.observations[0].copy(),
                self.worlds.frame(0) if frame else None, self.worlds.text(0) if self.description.seen == "ansi" else "",
                self.spec.grid, action, self._reward, net=self._net_look(),
            )

    @abstractmethod
    def _net_look(self) -> NetLook: ...

    def seen(self) -> NDArray[Any]:
        """What the network is given of world 0 now, [1, *shape]."""
        return self.observations[:1]

    @abstractmethod
    def score(self, observations: Tensor, of: Of) -> Tensor:
        """What its choice or its value hangs on, for `saliency`: [m] numbers of one observation [1, *shape] of floats."""

    @abstractmethod
    def policy(self) -> Policy: ...

    def keep(self) -> Kept:
        """All of it, in plain data and arrays."""
        worlds, states = self.worlds.keep(), {n: o.state_dict() for n, o in self.optimizers.items()}
        data = {
            "kind": self.kind, "settings": asdict(self.settings), "seed": self.seed, "budget": self.budget,
            "steps": self.steps, "updates": self.updates, "phase": self.phase, "last": dict(self.last),
            "numpy_stream": self.numpy_stream.bit_generator.state, "worlds": worlds.data,
            "watched": [self._episode, self._time, self._total, self._reward],
            "optimizers": {
                name: {
                    "rates": [group["lr"] for group in told["param_groups"]],
                    "parts": {str(index): sorted(state) for index, state in told["state"].items()},
                }
                for name, told in states.items()
            },
        }
        arrays = {f"network/{name}": array for name, array in parameters_of(self.network).items()}
        arrays |= {f"worlds/{name}": array for name, array in worlds.arrays.items()}
        arrays |= {
            f"optimizer/{name}/{index}/{key}": value.numpy().copy()
            for name, told in states.items() for index, state in told["state"].items() for key, value in state.items()
        }
        arrays["torch_stream"] = self.torch_stream.get_state().numpy().copy()
        arrays["observations"] = self.observations.copy()
        if self._action is not None:
            arrays["action"] = np.array(self._action)
        more = self._keep_more()
        return Kept(data | more.data, arrays | more.arrays)

    def put_back(self, kept: Kept) -> None:
        """Goes on where `kept` was taken. Raises BadCheckpoint and then is as it was."""
        if kept.data.get("kind") != self.kind or kept.data.get("seed") != self.seed:
            raise BadCheckpoint(f"This checkpoint is not of {self.kind} with seed {self.seed}.")
        before = self.keep()
        try:
            self._put_back(kept)
        except BadCheckpoint:
            self._put_back(before)
            raise
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            self._put_back(before)
            raise BadCheckpoint(f"This checkpoint does not fit this agent: {error}.") from error

    def _put_back(self, kept: Kept) -> None:
        data, arrays = kept.data, kept.arrays
        settings = type(self.settings)(**data["settings"])
        if fixed := needs_new_run(self.settings, settings):
            raise BadCheckpoint(f"This checkpoint was made with other settings: {', '.join(fixed)}.")
        state = {name: torch.from_numpy(array) for name, array in under(arrays, "network/").items()}
        self.network.load_state_dict(state)
        for name, optimizer in self.optimizers.items():
            told, stored = optimizer.state_dict(), data["optimizers"][name]
            told["state"] = {
                int(index): {p: torch.from_numpy(arrays[f"optimizer/{name}/{index}/{p}"].copy()) for p in parts}
                for index, parts in stored["parts"].items()
            }
            for group, rate in zip(told["param_groups"], stored["rates"], strict=True):
                group["lr"] = rate
            optimizer.load_state_dict(told)
            for parameter, state in optimizer.state.items():
                if any(part.ndim and part.shape != parameter.shape for part in state.values()):
                    raise BadCheckpoint("The optimiser of this checkpoint is that of another network.")
        self.torch_stream.set_state(torch.from_numpy(arrays["torch_stream"].copy()))
        self.numpy_stream.bit_generator.state = data["numpy_stream"]
        observations = arrays["observations"]
        if observations.shape != self.observations.shape or observations.dtype != self.observations.dtype:
            raise BadCheckpoint(f"The observations of this checkpoint have another shape: {observations.shape}.")
        self.worlds.put_back(Kept(data["worlds"], under(arrays, "worlds/")))
        self.observations = observations.copy()
        self.settings, self.steps, self.updates = settings, int(data["steps"]), int(data["updates"])
        self.budget = int(data["budget"])
        self.phase, self.last = data["phase"], dict(data["last"])
        self._episode, self._time, self._total, self._reward = data["watched"]
        self._action = arrays["action"].copy() if "action" in arrays else None
        self._put_back_more(kept)

    @abstractmethod
    def _keep_more(self) -> Kept:
        """What else its future depends on, such as buffers."""

    @abstractmethod
    def _put_back_more(self, kept: Kept) -> None:
        """Takes back what `_keep_more` gave; may raise KeyError or ValueError where it does not fit."""

    def close(self) -> None:
        """Lets go of the worlds."""
        self.worlds.close()


def under(arrays: Arrays, folder: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with `folder`, by the rest of their names."""
    return {name[len(folder) :]: array for name, array in arrays.items() if name.startswith(folder)}
