"""What in an observation a network goes by: how steeply its choice, or its value, changes with each number of it.

The plain gradient (Simonyan, Vedaldi and Zisserman 2013, arXiv 1312.6034) of what `DeepLearner.score` says.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from studio.ml.rl.deep.base import DeepLearner, Of, one_thread


def saliency(agent: DeepLearner, of: Of = "action") -> NDArray[np.float32] | None:
    """|∂ score / ∂ observation| where world 0 now is: as its vector, or [height, width] of pixels (the largest channel).

    Of several scores the length of their slopes. None for states that are numbers: they have no parts. Changes nothing.
    """
    if agent.description.observation == "discrete":
        return None
    with one_thread():
        x = torch.from_numpy(agent.seen()).float().requires_grad_()
        squares = torch.zeros_like(x)
        for score in agent.score(x, of):
            (slope,) = torch.autograd.grad(score, x, retain_graph=True)
            squares += slope.square()
        result: NDArray[np.float32] = squares.sqrt()[0].numpy()
    return result.max(0) if agent.description.observation == "pixels" else result
