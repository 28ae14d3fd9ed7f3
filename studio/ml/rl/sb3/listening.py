"""Where the learning of Stable-Baselines3 hands back: in its callback after each vector step, and in torch's hook after
each gradient step, since its updates, which take seconds, have no callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

FIGURES = {
    "train/loss": "loss", "train/policy_gradient_loss": "policy_loss", "train/policy_loss": "policy_loss",
    "train/value_loss": "value_loss", "train/actor_loss": "actor_loss", "train/critic_loss": "critic_loss",
    "train/approx_kl": "kl", "train/clip_fraction": "clip_fraction", "train/explained_variance": "explained_variance",
    "train/ent_coef": "temperature", "train/learning_rate": "learning_rate", "rollout/exploration_rate": "epsilon",
}
"""What it logs, as our curves call it; its entropy loss is minus the entropy."""


class Figures(Logger):
    """A logger that writes nothing and remembers the last figures by our names."""

    def __init__(self) -> None:
        super().__init__(None, [])
        self.figures: dict[str, float] = {}

    def record(self, key: str, value: Any, exclude: Any = None) -> None:
        super().record(key, value, exclude)
        if key == "train/entropy_loss":
            self.figures["entropy"] = -float(value)
        elif key in FIGURES and np.ndim(value) == 0:
            self.figures[FIGURES[key]] = float(value)


class AfterEachStep(BaseCallback):
    """Calls `stepped` after each vector step."""

    def __init__(self, stepped: Callable[[], None]) -> None:
        super().__init__()
        self._stepped = stepped

    def _on_step(self) -> bool:
        self._stepped()
        return True


def last_optimizer(model: Any) -> Any:
    """The optimiser that steps once in every gradient step, as late in it as there is one."""
    if getattr(model, "log_ent_coef", None) is not None or hasattr(model, "ent_coef_optimizer"):
        return model.actor.optimizer
    return model.critic.optimizer if hasattr(model, "critic") else model.policy.optimizer
