"""What is kept of a run: the picture as it forms and each step's attention, as numpy, and its file `attention.npz`."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from studio.host.pictures import Pixels
from studio.ml.diffusion.attention_maps import AttentionMaps, Layer, StepMaps

ATTENTION_FILE = "attention.npz"
PADDING, PICTURE = "padding", "picture"
"""What stands behind the tokens in every list: all padding positions as one, and the picture's own share."""
MAX_FILE_BYTES = 128 << 20
Kind = Literal["joint", "cross"]
KINDS: Mapping[Kind, str] = MappingProxyType({"joint": "Joint attention", "cross": "Cross-attention"})


class AttentionUnreadable(ValueError):
    """An attention.npz that is damaged or not ours; the picture itself does not depend on it."""


@dataclass(frozen=True)
class Plan:
    """What a run will keep: layers with the heads kept of each, the text of each token, how many steps.

    kind: whether pixels look at text and picture in one softmax (joint), or at the text alone (cross).
    """

    layers: tuple[Layer, ...]
    pieces: tuple[str, ...]
    total: int
    kind: Kind = "joint"

    @property
    def badge(self) -> str:
        """What is captured, in a few words."""
        heads = [layer.heads for layer in self.layers]
        least, most = min(heads), max(heads)
        each = "mean of the heads" if most == 1 else f"{most} heads" if least == most else f"{least}–{most} heads"
        count = f"{len(self.layers)} layer{'s' if len(self.layers) > 1 else ''}"
        return f"{KINDS[self.kind]}, {count}, {each}"

    @property
    def names(self) -> tuple[str, ...]:
        """Tokens as they are shown, then padding and picture: the rows of every share."""
        return (*(piece.strip() or "␣" for piece in self.pieces), PADDING, PICTURE)

    @property
    def labels(self) -> tuple[str, ...]:
        """As `names`, but each once: a word that comes again carries its place in the prompt."""
        names = self.names
        return tuple(f"{name} ({i + 1})" if names.count(name) > 1 else name for i, name in enumerate(names))

    @property
    def layer_titles(self) -> tuple[str, ...]:
        """Layers as they are shown: which way, which block of the network, how many cells."""
        return tuple(f"{_place(layer.name)} · {layer.height}×{layer.width}" for layer in self.layers)


@dataclass(frozen=True, eq=False)
class TokenStep:
    """One denoising step: its maps, and x0 [H, W, 3], the picture the network then predicted."""

    maps: StepMaps
    x0: Pixels


@dataclass(frozen=True, eq=False)
class TokenRun:
    """A run, or the steps of it so far."""

    plan: Plan
    steps: tuple[TokenStep, ...]

    @cached_property
    def attention(self) -> AttentionMaps:
        """The maps of the steps, for averaging."""
        return AttentionMaps(self.plan.layers, len(self.plan.pieces), tuple(step.maps for step in self.steps))

    def to_npz(self) -> bytes:
        """Compressed npz: `maps<i>` float16 [steps, heads, tokens + 1, h, w] of each layer, padding last; `pieces`;
        `layers`, `sides` [layers, 2]; `t`, `x0` [steps, H, W, 3]; `total`; `kind` where it is not "joint"."""
        if not self.steps:
            raise ValueError("a run without steps has no attention")
        layers = self.plan.layers
        arrays: dict[str, NDArray[Any]] = {
            f"maps{i}": np.stack([step.maps.maps[i] for step in self.steps]) for i in range(len(layers))
        }
        if self.plan.kind != "joint":
            arrays["kind"] = np.array(self.plan.kind, np.str_)
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            pieces=np.array(self.plan.pieces, np.str_),
            layers=np.array([layer.name for layer in layers], np.str_),
            sides=np.array([(layer.height, layer.width) for layer in layers], np.int64),
            t=np.array([step.maps.t for step in self.steps], np.int64),
            x0=np.stack([step.x0 for step in self.steps]),
            total=np.array(self.plan.total),
            **arrays,
        )  # fmt: skip
        return buffer.getvalue()

    @classmethod
    def read(cls, path: Path) -> TokenRun:
        """Read an attention.npz. Raises AttentionUnreadable for a damaged, foreign or unreasonably large one."""
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MAX_FILE_BYTES:
                    limit = MAX_FILE_BYTES >> 20
                    raise AttentionUnreadable(f"“{path.name}” holds more than {limit} MiB; it is not one of ours.")
            with np.load(path, allow_pickle=False) as data:
                return _run({name: data[name] for name in data.files}, path.name)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            if isinstance(error, AttentionUnreadable):
                raise
            text = f"The attention of this picture cannot be read ({error}); the picture is whole."
            raise AttentionUnreadable(text) from error


_WAYS_OF_OURS: Mapping[str, str] = MappingProxyType({"input_blocks": "down", "output_blocks": "up"})
_WAYS: Mapping[str, str] = MappingProxyType(
    {"down_blocks": "down", "up_blocks": "up", "transformer_blocks": "block", "single_transformer_blocks": "single"}
)


def _place(name: str) -> str:
    """A layer's name in the checkpoint in words: "input_blocks.3.1" is "down 3"; in diffusers' networks
    "up_blocks.1.attentions.2.transformer_blocks.0.attn2" is "up 1.2.0", and "transformer_blocks.3.attn" "block 3"."""
    part, _, rest = name.partition(".")
    if part in _WAYS_OF_OURS:
        return f"{_WAYS_OF_OURS[part]} {rest.partition('.')[0]}"
    if part in _WAYS:
        return f"{_WAYS[part]} {'.'.join(re.findall(r'[0-9]+', name.rpartition('.')[0]))}"
    return "middle"


def _run(arrays: Mapping[str, NDArray[Any]], name: str) -> TokenRun:
    t, x0, names, sides = arrays["t"], arrays["x0"], arrays["layers"], arrays["sides"]
    pieces = tuple(str(piece) for piece in arrays["pieces"])
    maps = [arrays[f"maps{i}"] for i in range(len(names))]
    pictures = x0.ndim == 4 and x0.shape[-1] == 3 and x0.dtype == np.uint8
    fitting = 0 < len(t) == len(x0) and len(names) > 0 and sides.shape == (len(names), 2)
    sized = fitting and all(_is_maps(m, len(t), len(pieces), side) for m, side in zip(maps, sides, strict=True))
    kind: Any = str(arrays["kind"]) if "kind" in arrays else "joint"
    if not (pictures and sized and kind in KINDS):
        raise AttentionUnreadable(f"“{name}” is not a file of this panel; the picture is whole.")
    layers = tuple(Layer(str(layer), m.shape[1], *m.shape[3:]) for layer, m in zip(names, maps, strict=True))
    steps = tuple(TokenStep(StepMaps(i, int(t[i]), tuple(m[i] for m in maps)), x0[i]) for i in range(len(t)))
    return TokenRun(Plan(layers, pieces, int(arrays["total"]), kind), steps)


def _is_maps(maps: NDArray[Any], steps: int, tokens: int, side: NDArray[Any]) -> bool:
    """Whether these are maps of a layer of this size, with one head at least."""
    if maps.dtype != np.float16 or maps.ndim != 5 or not maps.shape[1]:
        return False
    return (maps.shape[0], *maps.shape[2:]) == (steps, tokens + 1, *side.tolist())
