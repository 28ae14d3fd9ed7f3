"""Any algorithm of Stable-Baselines3 behind the door to everything that learns.

Its `learn()` runs in a thread of its own that moves only while `advance()` waits for it: it hands back after every
vector step and after every gradient step. It draws from the global random streams; they are lent to it for that time.
"""

from __future__ import annotations

import copy
import json
import warnings
import weakref
from dataclasses import asdict
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from studio.ml.rl.deep.base import NetworkDiverged, one_thread
from studio.ml.rl.errors import BadCheckpoint, BadSetting, RLError
from studio.ml.rl.knobs import needs_new_run
from studio.ml.rl.learner import Kept, Look, Phase, Policy, Turn
from studio.ml.rl.sb3.handover import Handover
from studio.ml.rl.sb3.settings import SB3Settings, algorithm_class, arguments, rate
from studio.ml.rl.sb3.streams import Streams
from studio.ml.rl.worlds import Worlds, WorldSpec

_ENDLESS = 2**62
_SMALL = 36
"""Pixels smaller than this do not go through its convolutions; it reads them as numbers."""
_GOOD_EVERY = 256
"""Gradient steps between two copies of weights that were finite."""
_SHARE = 0.8
_MISFITS = (AttributeError, KeyError, IndexError, TypeError, ValueError, RuntimeError)
_COUNTS = ("_n_updates", "_n_calls", "_episode_num")
_BUFFERS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


class SB3Failed(RLError):
    """Stable-Baselines3 stopped with an error of its own."""


class SB3Learner:
    """An agent of Stable-Baselines3. budget: the steps over which its schedules fall. See `DeepLearner` for the rest.

    `put_back` goes on with the kept weights, optimisers, replay buffer and streams, but a rollout or update that was
    under way begins anew: `exact_resume` is False. Raises MissingPackage, BadSetting.
    """

    kind = "sb3"
    exact_resume = False

    def __init__(
        self, spec: WorldSpec, settings: SB3Settings, seed: int, budget: int = 100_000, worlds: Worlds | None = None
    ) -> None:
        made = algorithm_class(settings.algorithm)
        self.spec, self.settings, self.seed, self.budget = spec, settings, seed, max(1, budget)
        self.on_policy = settings.on_policy
        self.worlds = Worlds(spec, settings.worlds, seed) if worlds is None else worlds
        self.description = self.worlds.description
        self.phase: Phase = "collect"
        self.updates = self._good_at = 0
        self._streams = Streams()
        try:
            self._build(made)
        except BaseException:
            if worlds is None:
                self.worlds.close()
            raise
        self._good = self._parameters()
        self._begin()

    def _build(self, made: Any) -> None:
        from studio.ml.rl.sb3.listening import Figures, last_optimizer
        from studio.ml.rl.sb3.venv import OurWorlds

        described = self.description
        pixels = described.observation == "pixels" and min(described.shape[1:]) >= _SMALL
        given = arguments(self.settings, made, pixels, described.size)
        self._fits(given.get("buffer_size", 0))
        self.venv = OurWorlds(self.worlds)
        self.logger = Figures()
        with self._streams.borrowed(), one_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice about minibatches and devices, to be read in its own documents
            try:
                self.model = made(env=self.venv, seed=self.seed % 2**32, device="cpu", verbose=0, **given)
            except (AssertionError, TypeError, ValueError, KeyError, RuntimeError) as error:
                name = self.settings.algorithm
                raise BadSetting(f"{name} does not take this world or these arguments: {error}") from error
            self.model.set_logger(self.logger)
            # It would let them fall over the steps of one `learn()`; ours has no end.
            self.model._update_current_progress_remaining = partial(_progress, self.model, self.budget)
        self._hooked = last_optimizer(self.model)

    def _fits(self, slots: int) -> None:
        shape, item = self.description.shape, 1 if self.description.observation == "pixels" else 4
        needed = 2 * prod(shape) * item * int(slots)
        if needed > _SHARE * psutil.virtual_memory().available:
            raise BadSetting(
                f"A replay buffer of {slots:,} transitions would take {needed / 2**30:.1f} GiB. "
                "Choose a smaller buffer_size."
            )

    def _begin(self) -> None:
        """A thread for `learn()`, which starts with the first `advance`."""
        work = partial(_learn, self.model, self._hooked)
        self._handover = Handover(work, f"Stable-Baselines3 {self.settings.algorithm}")
        self._stop = weakref.finalize(self, self._handover.stop)

    @property
    def steps(self) -> int:
        return int(self.model.num_timesteps)

    def advance(self) -> Turn:
        """A step in each world, or a gradient step. Raises RLError."""
        try:
            with self._streams.borrowed(), one_thread():
                phase = self._handover.advance()
        except RLError:
            raise
        except Exception as error:
            if not self._finite():
                self._bring_back()
                raise NetworkDiverged("a weight") from error
            raise SB3Failed(f"{self.settings.algorithm} of Stable-Baselines3 stopped: {error}") from error
        if phase is None:
            raise SB3Failed("This agent is closed or has stopped with an error. Start a new run.")
        self.phase = phase
        if phase == "update":
            self.updates += 1
            return Turn("update", (), dict(self.logger.figures))
        if self.updates - self._good_at >= _GOOD_EVERY:
            self._check()
        return Turn("collect", self.venv.episodes, dict(self.logger.figures))

    def _check(self) -> None:
        if not self._finite():
            self._bring_back()
            raise NetworkDiverged("a weight")
        self._good, self._good_at = self._parameters(), self.updates

    def _finite(self) -> bool:
        return all(bool(torch.isfinite(tensor).all()) for tensor in self.model.policy.state_dict().values())

    def _bring_back(self) -> None:
        self._stop()
        self._set_parameters(self._good)
        self._good_at = self.updates
        self._begin()

    def change(self, settings: Any) -> None:
        """Other settings from the next step on. Raises BadSetting naming those that need a new run."""
        if not isinstance(settings, SB3Settings):
            raise BadSetting(f"These are no settings of an agent of Stable-Baselines3: {type(settings).__name__}.")
        if fixed := needs_new_run(self.settings, settings):
            raise BadSetting(f"This cannot change in a run, only in a new one: {', '.join(fixed)}.")
        model = self.model
        # The rate lies in a schedule made at the beginning; setting the attribute alone changes nothing.
        model.learning_rate = rate(settings)
        model._setup_lr_schedule()
        holders: list[Any] = [model, getattr(model, "rollout_buffer", None), getattr(model, "replay_buffer", None)]
        for holder in holders:
            if hasattr(holder, "gamma"):
                holder.gamma = settings.gamma
        if settings.batch_size and hasattr(model, "batch_size"):
            model.batch_size = settings.batch_size
        self.settings = settings

    def _epsilon(self) -> float:
        return float(getattr(self.model, "exploration_rate", 0.0))

    def look(self, *, frame: bool = False) -> Look:
        """What is to be seen now; draws nothing from the streams."""
        from studio.ml.rl.sb3.policies import say

        venv = self.venv
        observation = venv.reset()[0]
        with one_thread():
            net = say(self.model.policy, observation, self._epsilon()).look(self.logger.figures)
        action = None if venv.action is None else venv.action.copy() if venv.action.ndim else int(venv.action)
        return Look(
            self.steps, venv.episode, venv.time, venv.total, self.phase, np.array(observation),
            self.worlds.frame(0) if frame else None, self.worlds.text(0) if self.description.seen == "ansi" else "",
            self.spec.grid, action, venv.reward, net=net,
        )

    def policy(self) -> Policy:
        from studio.ml.rl.sb3.policies import Frozen

        return Frozen(self.model.policy, self._epsilon())

    def write_zip(self, path: Path) -> None:
        """As its own `save` does, so that its own `load` reads it. Raises OSError."""
        # Pickled along, our own schedule would drag the whole model and its worlds into the file.
        self.model.save(path, exclude=["_update_current_progress_remaining"])

    def keep(self) -> Kept:
        """Weights, optimisers, replay buffer, streams and worlds; not what is under way."""
        model, venv = self.model, self.venv
        observations = venv.reset()
        worlds, streams = self.worlds.keep(), self._streams.keep()
        data = {
            "kind": self.kind, "settings": asdict(self.settings), "seed": self.seed, "budget": self.budget,
            "steps": self.steps, "updates": self.updates, "phase": self.phase, "last": dict(self.logger.figures),
            "worlds": worlds.data, "streams": streams.data,
            "watched": [venv.episode, venv.time, venv.total, venv.reward],
            "counts": {name: getattr(model, name) for name in _COUNTS if hasattr(model, name)},
            "spaces": json.loads(json.dumps(model.action_space.np_random.bit_generator.state, default=int)),
        }
        arrays = self._parameters() | {"observations": observations}
        for folder, kept in (("worlds", worlds), ("streams", streams)):
            arrays |= {f"{folder}/{name}": array for name, array in kept.arrays.items()}
        buffer = getattr(model, "replay_buffer", None)
        if buffer is not None:
            data["buffer"] = [buffer.pos, buffer.full]
            filled = buffer.buffer_size if buffer.full else buffer.pos
            arrays |= {f"buffer/{n}": getattr(buffer, n)[:filled].copy() for n in _BUFFERS if hasattr(buffer, n)}
        return Kept(data, arrays)

    def put_back(self, kept: Kept) -> None:
        """Goes on from `kept`, not exactly (see the class). Raises BadCheckpoint and then is as it was."""
        if kept.data.get("kind") != self.kind or kept.data.get("seed") != self.seed:
            raise BadCheckpoint(f"This checkpoint is not of an agent of Stable-Baselines3 with seed {self.seed}.")
        before = self.keep()
        self._stop()
        try:
            self._put_back(kept)
        except BaseException as error:
            self._put_back(before)
            if isinstance(error, _MISFITS) and not isinstance(error, BadCheckpoint):
                raise BadCheckpoint(f"This checkpoint does not fit this agent: {error}.") from error
            raise
        finally:
            self._begin()

    def _put_back(self, kept: Kept) -> None:
        data, arrays, model, venv = kept.data, kept.arrays, self.model, self.venv
        settings = SB3Settings(**data["settings"])
        if fixed := needs_new_run(self.settings, settings):
            raise BadCheckpoint(f"This checkpoint was made with other settings: {', '.join(fixed)}.")
        observations = arrays["observations"]
        if observations.shape != venv.reset().shape:
            raise BadCheckpoint(f"Observations of this checkpoint are {observations.shape}, which is another world's.")
        self._set_parameters(arrays)
        self._streams.put_back(Kept(data["streams"], _under(arrays, "streams/")))
        self._put_back_buffer(data, arrays)
        self.worlds.put_back(Kept(data["worlds"], _under(arrays, "worlds/")))
        self.change(settings)
        venv.observations, venv.episodes = observations.copy(), ()
        venv.episode, venv.time, venv.total, venv.reward = data["watched"]
        model.action_space.np_random.bit_generator.state = data["spaces"]
        for name, count in data["counts"].items():
            setattr(model, name, count)
        model.num_timesteps, self.updates, self.phase = int(data["steps"]), int(data["updates"]), data["phase"]
        model._last_obs, model._last_episode_starts = observations.copy(), np.zeros(venv.num_envs, bool)
        _progress(model, self.budget, model.num_timesteps, 0)
        if hasattr(model, "exploration_schedule"):
            model.exploration_rate = model.exploration_schedule(model._current_progress_remaining)
        self.logger.figures = dict(data["last"])
        self._good, self._good_at = self._parameters(), self.updates

    def _put_back_buffer(self, data: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        buffer = getattr(self.model, "replay_buffer", None)
        if buffer is None:
            return
        for name, array in _under(arrays, "buffer/").items():
            whole = getattr(buffer, name)
            whole[: len(array)] = array
        buffer.pos, buffer.full = int(data["buffer"][0]), bool(data["buffer"][1])

    def _parameters(self) -> dict[str, NDArray[Any]]:
        """Every weight and optimiser state, copied, by name."""
        found: dict[str, NDArray[Any]] = {}
        for part, states in self.model.get_parameters().items():
            if "state" in states and "param_groups" in states:
                for index, state in states["state"].items():
                    for key, value in state.items():
                        found[f"optimizer/{part}/{index}/{key}"] = value.detach().numpy().copy()
            elif isinstance(states, dict):
                found |= {f"network/{part}/{name}": tensor.detach().numpy().copy() for name, tensor in states.items()}
        temperature = getattr(self.model, "log_ent_coef", None)
        return found if temperature is None else found | {"temperature": temperature.detach().numpy().copy()}

    def _set_parameters(self, arrays: dict[str, NDArray[Any]]) -> None:
        found = copy.deepcopy(self.model.get_parameters())
        for part, states in found.items():
            if "state" in states and "param_groups" in states:
                states["state"] = {}
                for name, array in _under(arrays, f"optimizer/{part}/").items():
                    index, _, key = name.partition("/")
                    states["state"].setdefault(int(index), {})[key] = torch.from_numpy(array.copy())
            else:
                found[part] = {n: torch.from_numpy(a.copy()) for n, a in _under(arrays, f"network/{part}/").items()}
        self.model.set_parameters(found)
        if "temperature" in arrays:
            with torch.no_grad():
                self.model.log_ent_coef.copy_(torch.from_numpy(arrays["temperature"].copy()))

    def close(self) -> None:
        """Ends its thread where it waits and lets go of the worlds."""
        self._stop()
        self.worlds.close()


def _learn(model: Any, optimizer: Any, handover: Handover) -> None:
    """What runs in the thread: everything from here on happens while somebody waits in `advance`."""
    from studio.ml.rl.sb3.listening import AfterEachStep

    hook = optimizer.register_step_post_hook(lambda *_: handover.hand_back("update"))
    try:
        model.learn(_ENDLESS, AfterEachStep(lambda: handover.hand_back("collect")), reset_num_timesteps=False)
    finally:
        hook.remove()


def _progress(model: Any, budget: int, steps: int, _total: int) -> None:
    model._current_progress_remaining = max(0.0, 1.0 - steps / budget)


def _under(arrays: dict[str, NDArray[Any]], folder: str) -> dict[str, NDArray[Any]]:
    return {name[len(folder):]: array for name, array in arrays.items() if name.startswith(folder)}
