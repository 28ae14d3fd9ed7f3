"""Proximal policy optimisation (Schulman et al. 2017, arXiv 1707.06347): many small steps, none of them far.

    r(θ) = π_θ(a|s) / π_old(a|s)
    L = −E min(r Â, clip(r, 1 − ε, 1 + ε) Â) + c₁ E (V − R)² − c₂ E H(π)

After each rollout every epoch goes through all of it once, in minibatches drawn anew.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from studio.ml.rl.deep.onpolicy import OnPolicy
from studio.ml.rl.deep.settings import PPOSettings
from studio.ml.rl.errors import BadCheckpoint
from studio.ml.rl.learner import Kept, Turn
from studio.ml.rl.worlds import Worlds, WorldSpec

FIGURES = ("loss", "policy_loss", "value_loss", "entropy", "kl", "clip_fraction")
Floats = NDArray[np.float32]


class Loss(NamedTuple):
    """L, what it is made of, and its slopes [m] by each sample's log-probability and value."""

    figures: dict[str, float]
    by_log_prob: Floats
    by_value: Floats


def loss_and_slopes(
    log_probs: Floats, values: Floats, entropy: float, numbers: Floats, settings: PPOSettings, clip: float
) -> Loss:
    """L of one minibatch of m, and its slopes written out; entropies have the slope −c₂/m.

    log_probs, values: [m] now. entropy: their mean. numbers: [4, m] as in `onpolicy.Batch`. The policy's slope by
    log π is −r Â, and 0 where the minimum takes the clipped ratio; the critic's is 2 c₁ (V − R), and 0 beyond its clip.
    """
    old_log_probs, old_values, advantages, returns = numbers
    m, c1, c2 = np.float32(len(values)), settings.value, settings.entropy
    if settings.normalize_advantage and len(advantages) > 1:
        advantages = (advantages - advantages.mean()) / (advantages.std(ddof=1) + np.float32(1e-8))
    log_ratio = log_probs - old_log_probs
    ratio = np.exp(log_ratio)
    far, clipped = ratio * advantages, np.minimum(np.maximum(ratio, 1 - clip), 1 + clip) * advantages
    policy_loss = -float(np.minimum(far, clipped).mean())
    by_log_prob = (np.where(far <= clipped, far, 0) / -m).astype(np.float32, copy=False)
    moved, errors = values - old_values, values - returns
    limit = settings.clip_value or np.inf
    if settings.clip_value > 0:
        errors = old_values + moved.clip(-limit, limit) - returns
    value_loss = float((errors * errors).mean())
    by_value = (np.where(np.abs(moved) <= limit, errors, 0) * (2 * c1 / m)).astype(np.float32, copy=False)
    # KL(old ‖ new) by the estimator of Schulman's note "Approximating KL divergence" that is never negative.
    kl = float((ratio - 1 - log_ratio).mean())
    figures = {
        "loss": policy_loss + c1 * value_loss - c2 * entropy, "policy_loss": policy_loss, "value_loss": value_loss,
        "entropy": entropy, "kl": kl, "clip_fraction": float((np.abs(ratio - 1) > clip).mean()),
        "ratio_low": float(ratio.min()), "ratio_high": float(ratio.max()),
    }  # fmt: skip
    return Loss(figures, by_log_prob, by_value)


class PPO(OnPolicy):
    """Proximal policy optimisation for discrete and continuous actions. Raises NetworkDiverged.

    The last turn of an update tells the means of its minibatches: "loss", "policy_loss", "value_loss", "entropy", "kl",
    "clip_fraction", and "explained_variance", "learning_rate", "clip_range".
    """

    kind = "ppo"
    settings: PPOSettings

    def __init__(
        self, spec: WorldSpec, settings: PPOSettings, seed: int, budget: int = 100_000, worlds: Worlds | None = None
    ) -> None:
        super().__init__(spec, settings, seed, budget, worlds)
        self._epoch = self._start = self._minibatches = 0
        self._explained: dict[str, float] = {}
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)
        self._sums: NDArray[np.float64] = np.zeros(len(FIGURES))

    def _optimizer(self, parameters: torch.nn.Parameter) -> torch.optim.Optimizer:
        return torch.optim.Adam([parameters], lr=self.settings.learning_rate, eps=1e-5, fused=True)

    def _begin_update(self) -> None:
        assert self.batch is not None
        self._epoch = self._start = self._minibatches = 0
        self._sums[:] = 0
        self._explained = self.batch.explained()
        self._shuffle()

    def _shuffle(self) -> None:
        assert self.batch is not None
        self._order = self.numpy_stream.permutation(len(self.batch))

    def _clip(self) -> float:
        """The clip range now: where it falls, in a straight line to 0 at the end of the budget."""
        return self.settings.clip * self._left() if self.settings.clip_decay else self.settings.clip

    def _update(self) -> Turn:
        settings, rate, clip = self.settings, self._rate(), self._clip()
        figures, moved_far = self._minibatch(rate, clip)
        self._sums += [figures[name] for name in FIGURES]
        self._minibatches += 1
        common = self._explained | {"learning_rate": rate, "clip_range": clip}
        self.last = figures | common | {"epoch": self._epoch}
        if moved_far or self._epoch >= settings.epochs:
            self._collect_again()
            means = (self._sums / self._minibatches).tolist()
            return Turn("update", (), dict(zip(FIGURES, means, strict=True)) | common)
        if self._start == 0:
            self._shuffle()
        return Turn("update")

    def _minibatch(self, rate: float, clip: float) -> tuple[dict[str, float], bool]:
        """One gradient step on the next minibatch, but none where the policy has moved too far; its figures."""
        settings, batch, start = self.settings, self.batch, self._start
        assert batch is not None
        self._start += settings.batch_size
        whole = settings.batch_size >= len(batch)
        rows = batch.rows(None if whole else torch.from_numpy(self._order[start : self._start]))
        if self._start >= len(batch):
            self._epoch, self._start = self._epoch + 1, 0
        observations, actions, numbers = rows
        policy, values = self.network(observations)
        log_probs = policy.log_prob(actions)
        with torch.set_grad_enabled(settings.entropy > 0):
            entropy = policy.entropy().mean()
        now = (log_probs.detach().numpy(), values.detach().numpy(), float(entropy.detach()))
        loss = loss_and_slopes(*now, numbers.numpy(), settings, clip)
        if not np.isfinite(list(loss.figures.values())).all():
            self._give_up("the loss")
        # As in Stable-Baselines3: half as far again as the limit says.
        if settings.target_kl > 0 and loss.figures["kl"] > 1.5 * settings.target_kl:
            return loss.figures, True
        slopes: list[tuple[Tensor, Any]] = [(log_probs, loss.by_log_prob), (values, loss.by_value)]
        if settings.entropy > 0:
            slopes.append((entropy, np.float32(-settings.entropy)))
        return loss.figures | {"gradient_norm": self._descend(slopes, rate)}, False

    def _keep_more(self) -> Kept:
        kept = super()._keep_more()
        place = {"epoch": self._epoch, "start": self._start, "minibatches": self._minibatches}
        arrays: dict[str, NDArray[Any]] = {"order": self._order.copy(), "sums": self._sums.copy()}
        return Kept(kept.data | {"update": place, "explained": dict(self._explained)}, kept.arrays | arrays)

    def _put_back_more(self, kept: Kept) -> None:
        super()._put_back_more(kept)
        place, arrays = kept.data["update"], kept.arrays
        self._epoch, self._start, self._minibatches = (int(place[k]) for k in ("epoch", "start", "minibatches"))
        self._order, self._sums = arrays["order"].copy(), arrays["sums"].copy()
        self._explained = dict(kept.data["explained"])
        if self.batch is not None and not np.array_equal(np.sort(self._order), np.arange(len(self.batch))):
            raise BadCheckpoint("This checkpoint's minibatches are not of its rollout.")
