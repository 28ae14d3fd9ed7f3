"""Agents apart from their training: no more than what they act by, as arrays and as files that load as a policy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studio.ml.rl.errors import BadCheckpoint, BadSetting
from studio.ml.rl.files import read_pair, write_pair
from studio.ml.rl.learner import Kept, Learner, Policy
from studio.ml.rl.learners import kind_of, make
from studio.ml.rl.plan import Plan
from studio.ml.rl.tabular import TabularLearner, TablePolicy

NAME = "agent"


@dataclass(frozen=True, slots=True, eq=False)
class Agent:
    """A loaded agent. plan: of the run that it comes from. steps: it had made when it was taken."""

    policy: Policy
    plan: Plan
    steps: int


def weights(learner: Learner) -> Kept | None:
    """What a learner acts by, copied; None for agents of other libraries, which have files of their own."""
    data = {"steps": learner.steps}
    if isinstance(learner, TabularLearner):
        policy = learner.policy()
        return Kept(data | {"episode": policy.episode}, {"values": np.array(policy.values)})
    network = getattr(learner, "network", None)
    if network is None:
        return None
    from studio.ml.rl.deep.networks import parameters_of

    arrays = {f"network/{name}": array for name, array in parameters_of(network).items()}
    for moments in _moments(learner):
        arrays |= {f"seen/{name}": np.asarray(array) for name, array in moments.arrays().items()}
    return Kept(data, arrays)


def policy_of(plan: Plan, kept: Kept) -> Policy:
    """The policy that `weights` were taken of. Raises BadCheckpoint, and whatever making its learner does."""
    if not all(np.isfinite(array).all() for array in kept.arrays.values()):
        raise BadCheckpoint("This agent holds values that are no finite numbers; take an earlier one.")
    try:
        if kind_of(plan.kind).family == "tabular":
            values = kept.arrays["values"]
            if values.ndim != 2:
                raise BadCheckpoint(f"A table has a row for each state, and this one has shape {values.shape}.")
            return TablePolicy(values.tolist(), plan.settings.policy(), int(kept.data["episode"]))
        return _network_policy(plan, kept)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, (BadCheckpoint, BadSetting)):
            raise
        raise BadCheckpoint(f"These weights do not fit {plan.kind} in {plan.world.title}: {error}.") from error


def _network_policy(plan: Plan, kept: Kept) -> Policy:
    import torch

    learner: Any = make(plan.kind, plan.world, plan.settings, plan.seed, plan.steps)
    try:
        learner.network.load_state_dict({n: torch.from_numpy(a.copy()) for n, a in _under(kept, "network/").items()})
        for moments in _moments(learner):
            moments.put_back(_under(kept, "seen/"))
        learner.steps = int(kept.data["steps"])
        policy: Policy = learner.policy()
    finally:
        learner.close()
    return policy


def _moments(learner: Any) -> list[Any]:
    """The running means by which a deep agent brings observations to a usual size, where it does."""
    from studio.ml.rl.deep.normalise import Moments

    return [value for value in vars(learner).values() if isinstance(value, Moments)]


def _under(kept: Kept, folder: str) -> dict[str, Any]:
    return {name.removeprefix(folder): array for name, array in kept.arrays.items() if name.startswith(folder)}


def export(plan: Plan, kept: Kept, folder: Path) -> None:
    """agent.safetensors and agent.json in `folder`. Raises OSError."""
    write_pair(folder, NAME, {"plan": plan.to_json(), "agent": kept.data}, kept.arrays)


def load(folder: Path) -> Agent:
    """What `export` wrote. Raises BadCheckpoint, and MissingPackage where its world is not installed."""
    data, arrays = read_pair(folder, NAME)
    try:
        plan, kept = Plan.from_json(data["plan"]), Kept(dict(data["agent"]), arrays)
        return Agent(policy_of(plan, kept), plan, int(kept.data["steps"]))
    except (KeyError, TypeError, BadSetting) as error:
        raise BadCheckpoint(f"“{folder / NAME}.json” does not describe an agent ({error}); choose another.") from error
