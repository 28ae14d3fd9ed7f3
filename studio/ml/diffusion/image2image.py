"""Image to image: a run that begins on the way, at a picture noised to the level of one of its steps.

SDEdit (Meng et al. 2022, arXiv 2108.01073, Alg. 1): the noise covers what is finer than the strength allows, and the
rest of the way draws it anew. What the picture shows at large, a blob of colour, say, stays.
"""

from __future__ import annotations

import math

from torch import Tensor

from studio.ml.diffusion.noise import NoiseSource, noised
from studio.ml.diffusion.sampler import Resume
from studio.ml.diffusion.schedule import Schedule


class StrengthError(ValueError):
    """A strength that is no share of the way."""


def steps_done(strength: float, steps: int) -> int:
    """How many of a run's steps are left out at this strength: 0 at 1, all but one at least.

    Raises StrengthError outside of (0, 1].
    """
    if not 0 < strength <= 1:
        raise StrengthError(f"The strength must be above 0 (nothing new) and at most 1 (all new), not {strength:g}.")
    return min(steps - 1, steps - math.ceil(strength * steps - 1e-9))


def start_from(
    picture: Tensor, strength: float, visited: Schedule, schedule: Schedule, noise: NoiseSource
) -> Resume | None:
    """Where a run over `visited` begins with this picture [B, C, H, W] in [-1, 1] on the noise's device.

    x_t = sqrt(abar_t) picture + sqrt(1 - abar_t) eps, at the first step t not left out; eps is what would have been
    x_T, so that the picture has to do with the one drawn from the same seed alone. None at strength 1: such a run
    begins with noise. `schedule` has all steps that the network was trained on. Raises StrengthError.
    """
    done = steps_done(strength, len(visited))
    if not done:
        return None
    t = int(visited.timesteps[len(visited) - 1 - done])
    return Resume(done - 1, noised(picture, noise.initial(picture.shape[1:]), schedule, t), None)
