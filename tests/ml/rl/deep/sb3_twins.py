"""Agents of Stable-Baselines3 brought to the weights and the rollout of ours."""

from __future__ import annotations

from typing import Any

from studio.ml.rl.deep.onpolicy import OnPolicy

_LAYERS = {
    "policy.1": "mlp_extractor.policy_net.0", "policy.3": "mlp_extractor.policy_net.2", "policy.5": "action_net",
    "value.1": "mlp_extractor.value_net.0", "value.3": "mlp_extractor.value_net.2", "value.5": "value_net",
}  # fmt: skip


class Twin:
    """theirs: an SB3 agent with `net_arch` of the same two layers."""

    def __init__(self, ours: OnPolicy, theirs: Any) -> None:
        from stable_baselines3.common.logger import Logger

        self.ours, self.theirs = ours, theirs
        self.names = {f"{a}.{kind}": f"{b}.{kind}" for a, b in _LAYERS.items() for kind in ("weight", "bias")}
        if ours.network.continuous:
            self.names["log_std"] = "log_std"
        own = ours.network.state_dict()
        assert set(own) == set(self.names)
        theirs.policy.load_state_dict(theirs.policy.state_dict() | {self.names[n]: own[n].clone() for n in own})
        theirs.set_logger(Logger(None, []))

    def train(self) -> dict[str, Any]:
        """Lets it learn from our rollout; what it logs."""
        buffer, rollout, settings = self.theirs.rollout_buffer, self.ours.rollout, self.ours.settings
        buffer.reset()
        buffer.observations[:], buffer.values[:] = rollout.observations, rollout.values
        buffer.actions[:], buffer.log_probs[:] = rollout.actions.reshape(buffer.actions.shape), rollout.log_probs
        buffer.advantages[:] = rollout.advantages(settings.gamma, settings.gae_lambda)
        buffer.returns[:] = buffer.advantages + buffer.values
        buffer.full, buffer.pos = True, settings.n_steps
        self.theirs.train()
        told: dict[str, Any] = self.theirs.logger.name_to_value
        return told

    def apart(self) -> float:
        """The largest difference of any weight."""
        own, theirs = self.ours.network.state_dict(), self.theirs.policy.state_dict()
        return max(float((theirs[self.names[name]] - own[name]).abs().max()) for name in own)
