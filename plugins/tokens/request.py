"""What a person asks for: one picture, and which of its attention is kept. Pure data, no torch, no Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Literal

from studio.host.request import Idle, Request, ui
from studio.models.fields import (
    Digest, Sampler, Waiting, digest_field, loras_field, model_field, offload_field, public_field, sampler_field,
    scale_field, scheduler_field, seed_field, steps_field, tiling_field,
)  # fmt: skip

Layers = Literal["all", "fine", "coarse"]
Heads = Literal["each", "mean"]

LAYERS: Mapping[str, str] = MappingProxyType(
    {"all": "All", "fine": "Only those with the finest maps", "coarse": "Only those with the coarsest maps"}
)
HEADS: Mapping[str, str] = MappingProxyType({"each": "Each by itself", "mean": "Only their mean"})
EXAMPLE_PROMPT = "a cat on a blue background"
_NAMED = 6


class TokensRequest(Request):
    """One run of text-to-image sampling with its attention written down."""

    kind: ClassVar[str] = "tokens"

    prompt: str = ui(
        EXAMPLE_PROMPT,
        title="Prompt",
        help="The sentence whose words are followed. An empty prompt has no words: only padding can be looked at.",
        widget="prompt",
        placeholder=EXAMPLE_PROMPT,
    )
    model: str = model_field(
        "emoji-base",
        "Which trained network draws: a bundled model, the folder or file of your own, or a public model. It must read "
        "text.",
    )
    guidance_scale: float = scale_field(
        3.0,
        "Guidance scale",
        "s in ε̂ = ε(x|∅) + s·(ε(x|y) − ε(x|∅)); 1 is unguided. The maps are always those of ε(x|y), the half that "
        "reads the prompt; s changes them only through the picture they look at.",
    )
    sampler: Sampler = sampler_field(
        "How the noise is removed: DPM-Solver++ 2M (fewest steps), DDIM (without noise) or DDPM (ancestral).",
        advanced=False,
    )
    steps: int = steps_field("Denoising steps; the maps of every one are kept. Time and memory grow in proportion.")
    seed: int = seed_field(
        4, "Number from which all noise is drawn. The same seed and settings give the same picture and maps."
    )
    layers: Layers = ui(
        "all",
        title="Layers kept",
        help="Large models have many layers; keeping the coarsest ones alone needs far less memory.",
        widget="choice",
        choices=LAYERS,
        advanced=True,
    )
    heads: Heads = ui(
        "each",
        title="Heads kept",
        help="Each attention head sees something else; keeping only their mean needs far less memory.",
        widget="choice",
        choices=HEADS,
        advanced=True,
    )
    scheduler: str = scheduler_field()
    loras: tuple[str, ...] = loras_field()
    offload: Waiting = offload_field()
    tiling: bool = tiling_field()
    public: bool = public_field()
    model_sha256: Digest = digest_field()

    @property
    def unconditional(self) -> bool:
        """True when there is no prompt: the empty text is the condition ∅ itself."""
        return not self.prompt.strip()

    @property
    def evaluations(self) -> int:
        """Network evaluations of a run of the studio's own models: ε(x|y) and ε(x|∅) at each step, ε(x|∅) alone without
        a prompt."""
        return self.steps * (1 if self.unconditional else 2)

    def without_effect(self) -> Mapping[str, Idle]:
        if self.public:
            idle = {"sampler": Idle("Public models have schedulers instead.", hidden=True)}
        else:
            ours = Idle("Only public models have it.", hidden=True)
            idle = dict.fromkeys(("scheduler", "loras", "offload", "tiling"), ours)
        if self.unconditional:
            idle["guidance_scale"] = Idle("Without a prompt there is nothing to guide towards.")
        return idle

    def smaller(self) -> list[tuple[str, TokensRequest]]:
        """The same run with fewer maps kept, each with what a button that asks for it says."""
        found: list[tuple[str, TokensRequest]] = []
        if self.heads == "each":
            found.append(("Keep only the mean of the heads", self.replace(heads="mean")))
        if self.layers != "coarse":
            found.append(("Keep only the coarsest layers", self.replace(layers="coarse")))
        if self.heads == "each" and self.layers != "coarse":
            found.append(("Keep the least", self.replace(heads="mean", layers="coarse")))
        return found


def quoted(words: Sequence[str]) -> str:
    """The first few words in quotes, as a sentence names them."""
    first = ", ".join(f"“{word[:30]}”" for word in words[:_NAMED])
    return f"{first} and {len(words) - _NAMED} more" if len(words) > _NAMED else first
