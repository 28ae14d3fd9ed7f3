"""The schedulers that can be chosen for a pipeline: those of its authors' kind, made from its authors' settings.

A network trained to undo noise of the variance-preserving kind (Ho et al. 2020) runs with any solver of that kind; one
trained by flow matching (Lipman et al. 2023) needs those that take straight paths. All keep the training settings
(betas or shift, what is predicted, which timesteps) of the pipeline's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Choice:
    """A scheduler: its class in diffusers, and what differs from the settings of the pipeline's own."""

    class_name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


DIFFUSION = {
    "ddim": Choice("DDIMScheduler"),
    "ddpm": Choice("DDPMScheduler"),
    "pndm": Choice("PNDMScheduler", {"skip_prk_steps": True}),
    "euler": Choice("EulerDiscreteScheduler"),
    "euler_ancestral": Choice("EulerAncestralDiscreteScheduler"),
    "heun": Choice("HeunDiscreteScheduler"),
    "dpmpp_2m": Choice("DPMSolverMultistepScheduler"),
    "dpmpp_2m_karras": Choice("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "dpmpp_2m_sde": Choice("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "unipc": Choice("UniPCMultistepScheduler"),
}
"""Solvers of the variance-preserving kind by the names of their papers or of k-diffusion."""

FLOW = {
    "flow_euler": Choice("FlowMatchEulerDiscreteScheduler"),
    "flow_euler_karras": Choice("FlowMatchEulerDiscreteScheduler", {"use_karras_sigmas": True}),
    "flow_heun": Choice("FlowMatchHeunDiscreteScheduler"),
}
"""Solvers for networks trained by flow matching."""


def is_flow(scheduler: Any) -> bool:
    """Whether a scheduler takes straight paths from noise to picture."""
    return type(scheduler).__name__.startswith("FlowMatch")


def choices(scheduler: Any, *, own_sigmas: bool) -> dict[str, Choice]:
    """Name -> scheduler, of those that fit; empty where the pipeline's own is of another kind.

    own_sigmas: the pipeline sets the noise levels itself, as those do that pack latents; Heun's solver cannot follow.
    """
    if is_flow(scheduler):
        return {name: choice for name, choice in FLOW.items() if not (own_sigmas and name == "flow_heun")}
    fitting = {kind.__name__ for kind in scheduler.compatibles} if scheduler.has_compatibles else set()
    return {name: choice for name, choice in DIFFUSION.items() if choice.class_name in fitting}


def made(scheduler: Any, choice: Choice | None) -> Any:
    """A new scheduler as chosen, with the settings of the pipeline's own; None: of the same class."""
    import diffusers

    kind = getattr(diffusers, choice.class_name) if choice else type(scheduler)
    return kind.from_config(scheduler.config, **(choice.settings if choice else {}))
