"""The settings of agents with networks, apart from the agents: forms, presets and sweeps read them without torch.

Names and meanings are those of Stable-Baselines3 and its zoo, so that published settings can be taken as they are.
Hidden layers are written as text, "64, 64".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.ml.rl.errors import BadSetting
from studio.ml.rl.knobs import check, knob


def widths(text: str) -> tuple[int, ...]:
    """"64, 64" as (64, 64); empty text is no hidden layer. Raises BadSetting."""
    try:
        found = tuple(int(part) for part in text.replace(" ", "").split(",") if part)
    except ValueError:
        raise BadSetting(f"Hidden layers are whole numbers separated by commas, like 64, 64, not {text!r}.") from None
    if any(not 1 <= width <= 4096 for width in found) or len(found) > 8:
        raise BadSetting("There are at most 8 hidden layers of 1 to 4,096 units.")
    return found


def _rate(default: float) -> Any:
    return knob(default, "Learning rate", "Step size of the optimiser", low=1e-6, high=1.0, log=True)


def _gamma(default: float) -> Any:
    return knob(default, "Discount γ", "What a reward is worth one step later", low=0.0, high=1.0, step=0.001)


def _worlds(default: int) -> Any:
    return knob(default, "Parallel worlds", "Copies of the world stepped together", low=1, high=64, live=False)


def _decay() -> Any:
    return knob(False, "Learning rate falls to 0", "In a straight line over the run's steps")


def _entropy() -> Any:
    return knob(0.0, "Entropy bonus", "Weight that keeps the policy spread out", low=0.0, high=1.0, step=0.001)


def _value() -> Any:
    return knob(0.5, "Value weight", "Weight of the critic's loss", low=0.0, high=10.0, step=0.05, advanced=True)


def _max_grad_norm(default: float, high: float) -> Any:
    return knob(default, "Gradient norm", "Gradients are cut to this norm", low=0.01, high=high, advanced=True)


def _normalize_observations() -> Any:
    return knob(False, "Normalise observations", "By their running mean and deviation", live=False, advanced=True)


def _normalize_rewards() -> Any:
    return knob(False, "Normalise rewards", "By the running deviation of returns", live=False, advanced=True)


def _buffer_size(default: int) -> Any:
    return knob(default, "Replay buffer", "Transitions that are remembered", low=100, high=5_000_000, log=True, live=False)


def _learning_starts(default: int) -> Any:
    return knob(default, "Random steps first", "Steps taken before learning begins", low=0, high=1_000_000)


def _batch_size(default: int) -> Any:
    return knob(default, "Minibatch", "Transitions in one gradient step", low=1, high=4096, log=True)


def _train_freq(default: int) -> Any:
    return knob(default, "Steps between updates", "Environment steps of all worlds together", low=1, high=100_000, log=True)


def _gradient_steps() -> Any:
    return knob(1, "Gradient steps", "At each update; −1 is as many as there were steps", low=-1, high=10_000)


def _hidden(default: str) -> Any:
    return knob(default, "Hidden layers", "Widths of the hidden layers, separated by commas", live=False)


def _activation(*choices: str) -> Any:
    """The first is the default."""
    return knob(choices[0], "Activation", "Between layers", choices=choices, live=False, advanced=True)


@dataclass(frozen=True)
class PPOSettings:
    """Proximal policy optimisation (Schulman et al., 2017, arXiv 1707.06347)."""

    learning_rate: float = _rate(3e-4)
    decay: bool = _decay()
    worlds: int = _worlds(8)
    n_steps: int = knob(128, "Steps a rollout", "Of each parallel world, before each update", low=1, high=8192, log=True, live=False)
    batch_size: int = knob(256, "Minibatch", "Steps of the rollout in one gradient step", low=1, high=65536, log=True)
    epochs: int = knob(10, "Epochs", "How often each rollout is gone through", low=1, high=100)
    gamma: float = _gamma(0.99)
    gae_lambda: float = knob(0.95, "GAE λ", "From one-step (0) to whole-episode (1) advantages", low=0.0, high=1.0, step=0.01)
    clip: float = knob(0.2, "Clip range", "How far the ratio of policies may go from 1", low=0.01, high=1.0, step=0.01)
    clip_decay: bool = knob(False, "Clip range falls to 0", "In a straight line over the run's steps", advanced=True)
    clip_value: float = knob(0.0, "Value clip", "The same for the critic; 0 is off", low=0.0, high=100.0, advanced=True)
    entropy: float = _entropy()
    value: float = _value()
    max_grad_norm: float = _max_grad_norm(0.5, high=100.0)
    normalize_advantage: bool = knob(True, "Normalise advantages", "In each minibatch", advanced=True)
    target_kl: float = knob(0.0, "KL limit", "The epochs end when the policy has moved this far; 0 is off", low=0.0, high=1.0, advanced=True)
    normalize_observations: bool = _normalize_observations()
    normalize_rewards: bool = _normalize_rewards()
    hidden: str = _hidden("64, 64")
    activation: str = _activation("tanh", "relu")

    def __post_init__(self) -> None:
        check(self)
        widths(self.hidden)


@dataclass(frozen=True)
class A2CSettings:
    """Advantage actor-critic, the synchronous A3C (Mnih et al., 2016, arXiv 1602.01783)."""

    learning_rate: float = _rate(7e-4)
    decay: bool = _decay()
    worlds: int = _worlds(8)
    n_steps: int = knob(5, "Steps a rollout", "Of each parallel world, before each update", low=1, high=2048, log=True, live=False)
    gamma: float = _gamma(0.99)
    gae_lambda: float = knob(1.0, "GAE λ", "From one-step (0) to n-step (1) advantages", low=0.0, high=1.0, step=0.01)
    entropy: float = _entropy()
    value: float = _value()
    max_grad_norm: float = _max_grad_norm(0.5, high=100.0)
    normalize_advantage: bool = knob(False, "Normalise advantages", "In each update", advanced=True)
    optimiser: str = knob("rmsprop", "Optimiser", "RMSprop as in A3C, or Adam", choices=("rmsprop", "adam"), live=False, advanced=True)
    normalize_observations: bool = _normalize_observations()
    normalize_rewards: bool = _normalize_rewards()
    hidden: str = _hidden("64, 64")
    activation: str = _activation("tanh", "relu")

    def __post_init__(self) -> None:
        check(self)
        widths(self.hidden)


@dataclass(frozen=True)
class DQNSettings:
    """Deep Q-network (Mnih et al., 2015) with its later parts as switches."""

    learning_rate: float = _rate(1e-3)
    decay: bool = _decay()
    worlds: int = _worlds(1)
    gamma: float = _gamma(0.99)
    double: bool = knob(True, "Double", "The online network picks the next action, the target network rates it (arXiv 1509.06461)")
    dueling: bool = knob(False, "Dueling", "Value and advantages from separate streams (arXiv 1511.06581)", live=False)
    n_step: int = knob(1, "n-step returns", "Rewards summed before the bootstrap", low=1, high=50)
    prioritised: bool = knob(False, "Prioritised replay", "Surprising transitions are seen more often (arXiv 1511.05952)", live=False)
    priority_exponent: float = knob(0.6, "Priority exponent", "0 is uniform", low=0.0, high=1.0, step=0.05, advanced=True, needs=("prioritised", (True,)))
    correction: float = knob(0.4, "Importance correction", "At the beginning; it grows to 1 over the run", low=0.0, high=1.0, step=0.05, advanced=True, needs=("prioritised", (True,)))
    buffer_size: int = _buffer_size(50_000)
    learning_starts: int = _learning_starts(1_000)
    batch_size: int = _batch_size(64)
    train_freq: int = _train_freq(4)
    gradient_steps: int = _gradient_steps()
    target_update_interval: int = knob(500, "Target update", "Environment steps between copies into the target network", low=1, high=1_000_000, log=True)
    tau: float = knob(1.0, "Target mixing τ", "1 copies the weights, less moves them part of the way", low=1e-4, high=1.0, log=True, advanced=True)
    exploration_fraction: float = knob(0.1, "Exploration share", "Share of the run over which ε falls", low=0.0, high=1.0, step=0.01)
    exploration_initial_eps: float = knob(1.0, "First ε", "Share of random actions at the beginning", low=0.0, high=1.0, step=0.01)
    exploration_final_eps: float = knob(0.05, "Last ε", "Share of random actions from then on", low=0.0, high=1.0, step=0.01)
    loss: str = knob("huber", "Loss", "Of the TD error", choices=("huber", "squared"), advanced=True)
    max_grad_norm: float = _max_grad_norm(10.0, high=1000.0)
    hidden: str = _hidden("256, 256")
    activation: str = _activation("relu", "tanh")

    def __post_init__(self) -> None:
        check(self)
        widths(self.hidden)


@dataclass(frozen=True)
class SACSettings:
    """Soft actor-critic with automatic temperature (Haarnoja et al., 2018, arXiv 1812.05905)."""

    learning_rate: float = _rate(3e-4)
    decay: bool = _decay()
    worlds: int = _worlds(1)
    gamma: float = _gamma(0.99)
    tau: float = knob(0.005, "Target mixing τ", "How far the target critics follow at each gradient step", low=1e-4, high=1.0, log=True)
    automatic: bool = knob(True, "Automatic temperature", "The entropy is held at a target instead of weighted", live=False)
    temperature: float = knob(1.0, "Temperature α", "Weight of the entropy; the first one where it is automatic", low=0.0, high=100.0)
    target_entropy: float = knob(0.0, "Target entropy", "0 means minus the number of action dimensions", low=-100.0, high=100.0, advanced=True, needs=("automatic", (True,)))
    buffer_size: int = _buffer_size(100_000)
    learning_starts: int = _learning_starts(100)
    batch_size: int = _batch_size(256)
    train_freq: int = _train_freq(1)
    gradient_steps: int = _gradient_steps()
    hidden: str = _hidden("256, 256")
    activation: str = _activation("relu", "tanh")

    def __post_init__(self) -> None:
        check(self)
        widths(self.hidden)
