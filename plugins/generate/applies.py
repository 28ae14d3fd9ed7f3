"""Which settings of a run have no effect with the others as they are, and why."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from studio.host.request import Idle
from studio.models.guiding import GuidanceKind

if TYPE_CHECKING:
    from studio_plugins.generate.request import GenerateRequest

_USED_BY: Mapping[str, tuple[GuidanceKind, ...]] = MappingProxyType(
    {
        "guidance_scale": ("classifier-free",),
        "clip_scale": ("clip", "clip-x0"),
        "clip_prompt": ("clip", "clip-x0"),
        "clip_model": ("clip", "clip-x0"),
        "classifier_scale": ("classifier",),
        "classifier_class": ("classifier",),
        "classifier_model": ("classifier",),
    }
)
_ACTS_WITHOUT_A_PROMPT = ("classifier_class", "clip_prompt")  # filling one in lets a network guide without a prompt
_SECOND_STAGE = ("upsample_sampler", "upsample_steps", "upsample_scale", "upsample_seed")
_OF_PUBLIC = ("width", "height", "scheduler", "loras", "offload", "tiling")
_OF_OURS = ("sampler", "eta", "guidance_course", "guidance_start", "guidance_stop", *_SECOND_STAGE)
_UNASKED = Idle("Unconditional: the text is kept and not used.")
_UNGUIDED = "Unconditional: nothing guides."


def idle_fields(request: GenerateRequest) -> dict[str, Idle]:
    """Field name → why it changes nothing. Fields of what was not chosen are left out of a form, others greyed."""
    idle = {**_of_guidance(request), **_of_second_stage(request)}
    if request.ignore_prompt:
        idle |= {"prompt": _UNASKED, "negative_prompt": Idle(_UNGUIDED, hidden=True), "guidance": Idle(_UNGUIDED)}
    elif "classifier-free" not in request.kinds:
        idle["negative_prompt"] = Idle("Only classifier-free guidance uses it.")
    if request.sampler != "ddim":
        idle["eta"] = Idle("Only DDIM uses it.")
    return idle | _of_model(request)


def _of_model(request: GenerateRequest) -> dict[str, Idle]:
    """What only public models have, and what they do not have."""
    if not request.public:
        return dict.fromkeys(_OF_PUBLIC, Idle("Only public models have it.", hidden=True))
    idle = dict.fromkeys(_OF_OURS, Idle("Public models do not have it.", hidden=True))
    idle |= dict.fromkeys(
        (name for name, by in _USED_BY.items() if "classifier-free" not in by),
        Idle("Public models know classifier-free guidance alone.", hidden=True),
    )
    return idle | {"upsample": Idle("Public models draw at their own size; set Width and Height instead.")}


def _of_guidance(request: GenerateRequest) -> dict[str, Idle]:
    chosen, acting = set(request.chosen_kinds), set(request.kinds)
    nothing = Idle("Empty prompt: there is nothing to guide towards.")
    if request.ignore_prompt:
        nothing = Idle(_UNGUIDED, hidden=True)
    idle: dict[str, Idle] = {}
    for name, by in _USED_BY.items():
        if not chosen & {*by}:
            idle[name] = Idle("This guidance was not chosen.", hidden=True)
        elif not acting & {*by} and (request.ignore_prompt or name not in _ACTS_WITHOUT_A_PROMPT):
            idle[name] = nothing
    for name in ("guidance_course", "guidance_start", "guidance_stop"):
        if not chosen:
            idle[name] = Idle("No guidance was chosen.", hidden=True)
        elif not acting:
            idle[name] = nothing
    if request.guidance_course == "constant":
        idle |= dict.fromkeys(("guidance_start", "guidance_stop"), Idle("Constant guidance always acts.", hidden=True))
    return idle


def _of_second_stage(request: GenerateRequest) -> dict[str, Idle]:
    if not request.upsampled:
        return dict.fromkeys(_SECOND_STAGE, Idle("There is no second stage.", hidden=True))
    idle = {}
    if request.upsample_sampler == "own":
        idle["upsample_steps"] = Idle("The up-sampler's own sampling says how many.", hidden=True)
    if request.unconditional:
        idle["upsample_scale"] = Idle("Without a prompt there is nothing to guide towards.")
    return idle
