"""What a person asks for: a model, a length, and perhaps other sizes than the model's own. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from studio.host.request import Idle, Request, ui

PRESET, BUNDLED = "preset:", "bundled:"
"""What the name of a model begins with that is neither a folder nor a file."""
FIRST = f"{PRESET}gpt2"
MOST_TOKENS = 1 << 20

PRECISIONS: Mapping[str, str] = MappingProxyType(
    {
        "float32": "float32, 4 bytes a weight",
        "bfloat16": "bfloat16, 2 bytes",
        "float16": "float16, 2 bytes",
        "int8": "8-bit integers, 1 byte",
        "int4": "4-bit integers, half a byte",
    }
)
OPTIMISERS: Mapping[str, str] = MappingProxyType(
    {"sgd": "SGD", "momentum": "SGD with momentum", "adam": "Adam", "adam8": "Adam with 8-bit states"}
)
ATTENTIONS: Mapping[str, str] = MappingProxyType(
    {"plain": "Plain: scores are kept", "fused": "Fused: scores are never written"}
)
LARGEST: Mapping[str, int] = MappingProxyType({"width": 16_384, "layers": 256, "heads": 256})
"""What the form can hold; a model may be larger."""
_OTHER = "Other sizes (hypothetical)"
_TRAINING = "Training"


class AnatomyRequest(Request):
    """A model under one length, batch and precision. width, layers, heads of 0: as the model has them."""

    kind: ClassVar[str] = "anatomy"

    model: str = ui(FIRST, title="Model", widget="hidden", max_length=4096)
    stack: str = ui("", title="Stack", widget="hidden", max_length=500)
    tokens: int = ui(
        1024,
        title="Tokens T",
        help="Length of a sequence. A picture has as many tokens as patches, so T goes to the nearest square there.",
        ge=1,
        le=MOST_TOKENS,
        step=1,
        log=True,
    )
    batch: int = ui(1, title="Sequences B", help="How many at once.", ge=1, le=4096, step=1, log=True)
    precision: Literal["float32", "bfloat16", "float16", "int8", "int4"] = ui(
        "bfloat16",
        title="Precision",
        help="Of the weights in memory. Activations and caches are of 2 bytes unless the weights are float32.",
        widget="choice",
        choices=PRECISIONS,
    )
    attention: Literal["plain", "fused"] = ui(
        "fused",
        title="Attention",
        help="Operations are the same; memory and time are not. Plain attention holds all scores at once.",
        widget="choice",
        choices=ATTENTIONS,
    )
    width: int = ui(
        0, title="Width D", help="Of the residual stream.", ge=0, le=LARGEST["width"], step=64, group=_OTHER
    )
    layers: int = ui(0, title="Layers L", help="Of this stack.", ge=0, le=LARGEST["layers"], step=1, group=_OTHER)
    heads: int = ui(
        0,
        title="Heads H",
        help="They divide the width; shared heads of keys keep their share.",
        ge=0,
        le=LARGEST["heads"],
        step=1,
        group=_OTHER,
    )
    optimiser: Literal["sgd", "momentum", "adam", "adam8"] = ui(
        "adam", title="Optimiser", help="What it keeps for each parameter.", widget="choice", choices=OPTIMISERS,
        group=_TRAINING,
    )  # fmt: skip
    mixed: bool = ui(
        True,
        title="Mixed precision",
        help="16-bit weights and gradients, and a float32 master copy of the weights.",
        group=_TRAINING,
    )

    def without_effect(self) -> Mapping[str, Idle]:
        return {}
