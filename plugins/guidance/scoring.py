"""What three observers say of a step: CLIP, classifier and oracle. They only look; guidance does not depend on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from studio.host.pictures import Pixels
from studio_plugins.guidance.results import Verdict
from studio_plugins.guidance.trajectory import SCORES

if TYPE_CHECKING:
    from torch import Tensor

    from studio.ml.clip.model import NoisedClip
    from studio.ml.data.scenes import Scene
    from studio.ml.diffusion.classifier import NoisyClassifier
    from studio.ml.diffusion.sampler import StepRecord
    from studio.ml.evaluation.oracle import Oracle


class Scorer:
    """Scores x_t and the predicted x0 of N pictures of one prompt; a missing observer's scores are NaN.

    text: g(c) of the prompt [1, E]. target: the class asked for. scene: what the prompt asks the oracle for. Raises
    nothing of its own.
    """

    def __init__(
        self,
        clip: NoisedClip | None = None,
        text: Tensor | None = None,
        classifier: NoisyClassifier | None = None,
        target: str | None = None,
        oracle: Oracle | None = None,
        scene: Scene | None = None,
    ) -> None:
        self._clip, self._text = clip, text
        self._classifier, self._target = classifier, target
        self._oracle, self._scene = oracle, scene

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the weights of those who look, by kind."""
        looking = {"clip": self._clip, "classifier": self._classifier}
        return {kind: network.sha256 for kind, network in looking.items() if network is not None}

    def scores(self, record: StepRecord) -> NDArray[np.float32]:
        """[len(SCORES), N]."""
        import torch

        x0 = record.x0.float().clamp(-1, 1)
        t = torch.full((len(x0),), record.t, device=x0.device)
        found: list[Tensor] = []
        with torch.no_grad():
            found.append(self._cosine(record.x_t.float(), t))
            found.append(self._cosine(x0, torch.zeros_like(t)))
            found.append(self._probability(record.x_t.float(), t))
            found.append(self._sure(x0))
        scores: NDArray[np.float32] = torch.stack(found).cpu().numpy().astype(np.float32)
        assert len(scores) == len(SCORES)
        return scores

    def verdicts(self, pictures: Pixels) -> tuple[Verdict, ...]:
        """What finished pictures [N, H, W, 3] show."""
        import torch

        from studio.ml.evaluation.oracle import as_tensor

        x = as_tensor(pictures)
        with torch.no_grad():
            device = x if self._clip is None else x.to(self._clip.device)
            cosines = self._cosine(device, torch.zeros(len(x), dtype=torch.long, device=device.device)).tolist()
            sure = self._sure(x).tolist()
        judged = [(None, ())] * len(x) if self._oracle is None or self._scene is None else self._judged(x)
        return tuple(
            Verdict(shown, missing, _known(cosine), _known(s))
            for (shown, missing), cosine, s in zip(judged, cosines, sure, strict=True)
        )

    def _judged(self, x: Tensor) -> list[Any]:
        from studio.ml.evaluation.judge import judge

        assert self._oracle is not None and self._scene is not None
        found = []
        for reading in self._oracle.read(x):
            scene = self._scene if self._scene.background else replace(self._scene, background=reading.background)
            verdict = judge(scene, reading)
            wrong = tuple(name for name in ("nouns", "background", "relation", "size") if not getattr(verdict, name))
            found.append((verdict.all, tuple(_WORDS[name] for name in wrong)))
        return found

    def _cosine(self, x: Tensor, t: Tensor) -> Tensor:
        if self._clip is None or self._text is None:
            return _unknown(x)
        return (self._clip.encode_image(x, t).float() * self._text).sum(dim=1)

    def _probability(self, x: Tensor, t: Tensor) -> Tensor:
        if self._classifier is None or self._target is None:
            return _unknown(x)
        probability: Tensor = self._classifier(x, t).softmax(dim=1)[:, self._classifier.index(self._target)]
        return probability

    def _sure(self, x0: Tensor) -> Tensor:
        """How sure the oracle is of the object it is least sure of, among those asked for."""
        import torch
        import torch.nn.functional as F

        if self._oracle is None or self._scene is None:
            return _unknown(x0)
        heat = self._oracle(x0.to(next(self._oracle.parameters()).device)).heat.sigmoid()
        heat = heat * (heat == F.max_pool2d(heat, 3, 1, 1))
        asked = Counter(placed.noun for placed in self._scene.objects)
        sure = [
            heat[:, self._oracle.config.nouns.index(noun)].flatten(1).topk(number).values[:, -1]
            for noun, number in asked.items()
        ]
        return torch.stack(sure).amin(dim=0).to(x0.device)


_WORDS = {"nouns": "the things", "background": "the background", "relation": "where they are", "size": "the size"}


def _unknown(x: Tensor) -> Tensor:
    return x.new_full((len(x),), float("nan"))


def _known(value: float) -> float | None:
    return value if value == value else None
