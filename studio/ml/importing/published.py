"""Every published checkpoint this studio imports, whatever its task, described in one way.

GLIDE (filtered): Nichol et al. 2021, arXiv 2112.10741. ADM and its classifiers: Dhariwal & Nichol 2021, arXiv
2105.05233. The tables are beside the networks; here is what an import needs to know of each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from studio.ml.clip import released as released_clip
from studio.ml.clip.released import ReleasedClip, ReleasedEncoder
from studio.ml.clip.text import TextConfig, TextEncoder
from studio.ml.clip.vision import ImageEncoder, VisionConfig
from studio.ml.diffusion import released, released_classifiers
from studio.ml.diffusion.classifier import EncoderUNet
from studio.ml.diffusion.released import ReleasedNetwork, UnknownCheckpoint
from studio.ml.diffusion.released_classifiers import ReleasedClassifier
from studio.ml.diffusion.unconditional import class_names
from studio.ml.diffusion.unet import Text2ImUNet, TextTokens, UNet
from studio.ml.diffusion.upsampling import FACTOR
from studio.ml.diffusion.weights import Shapes, differences

Vocabulary = Literal["", "gpt2", "clip"]
STEPS = 1000
"""Of every published model."""
_SHOWN = 5
_TASKS = {
    "text2im": "draws {0}×{0} pictures from text",
    "inpaint": "fills holes in {0}×{0} pictures from text",
    "upsample": "enlarges {1}×{1} pictures to {0}×{0}, guided by text",
    "upsample-inpaint": "enlarges {1}×{1} pictures to {0}×{0} and fills their holes, guided by text",
    "class-conditional": "draws {0}×{0} pictures of 1000 ImageNet classes",
    "unconditional": "draws {0}×{0} pictures from noise alone",
    "classifier": "tells the class of noisy {0}×{0} pictures, to guide others",
    "clip": "tells how well noisy {0}×{0} pictures fit a text, to guide others",
}


class Published(ABC):
    """A published network. kind: that of the model folder it makes; image_size: pixels of the pictures it sees.

    model, prefix: the folder it goes into and what its tensors are called there begins with; networks of the same
    `model` are halves of one, and `partners` names the others. vocabulary, tokens: the files it reads text with and
    how many tokens they must have. smallest: pixels of the smallest picture it can be tried on. guides: whether its
    gradient guides, which keeps activations.
    """

    name: str
    title: str
    kind: str
    image_size: int
    smallest: int
    vocabulary: Vocabulary = ""
    tokens: int = 0
    guides: bool = False
    model: str = ""
    prefix: str = ""
    partners: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """What it is for, in a few words."""
        return _TASKS[self.kind].format(self.image_size, self.image_size // FACTOR)

    @cached_property
    def shapes(self) -> Shapes:
        """Tensor names and shapes of the published file."""
        return {name: tuple(value.shape) for name, value in self.build().state_dict().items()}

    @property
    def parameters(self) -> int:
        """How many numbers the network has."""
        return sum(torch.Size(shape).numel() for shape in self.shapes.values())

    @abstractmethod
    def build(self) -> nn.Module:
        """The network without weights, on the meta device."""

    @abstractmethod
    def evaluate(self, net: nn.Module, x: Tensor, t: Tensor) -> Tensor:
        """One evaluation of `net` on pictures x [B, 3, H, W] at steps t [B], without any prompt or known pixels."""

    def part_of(self, model: Any) -> nn.Module:
        """This network within the loaded model of its folder."""
        net: nn.Module = model.net
        return net

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """What config.json of its model folder says."""


class PublishedUNet(Published):
    """A GLIDE network or an ADM U-Net."""

    def __init__(self, network: ReleasedNetwork) -> None:
        self.network = network
        self.name = self.model = network.name
        self.title, self.image_size = network.title, network.image_size
        classes = network.config.num_classes
        plain = "unconditional" if classes is None else "class-conditional"
        self.kind = plain if network.kind == "adm" else network.kind
        if network.text is not None:
            self.vocabulary, self.tokens = "gpt2", network.text.n_vocab
        self.smallest = 2 ** len(network.config.channel_mult)  # two pixels a side at the deepest level

    def build(self) -> nn.Module:
        return self.network.build()

    def evaluate(self, net: nn.Module, x: Tensor, t: Tensor) -> Tensor:
        assert isinstance(net, UNet)
        if not isinstance(net, Text2ImUNet):
            out: Tensor = net(x, t, torch.zeros_like(t) if net.config.num_classes is not None else None)
            return out
        ids = torch.zeros(len(x), net.text.text_ctx, dtype=torch.long, device=x.device)
        inputs = {"low_res": x[:, :, ::FACTOR, ::FACTOR]} if self.kind.startswith("upsample") else {}
        out = net(x, t, TextTokens(ids, ids.bool()), **inputs)
        return out

    def config(self) -> dict[str, Any]:
        shape = self.network.config.model_dump(mode="json")
        common = {
            "kind": self.kind,
            "name": self.title,
            "image_size": self.image_size,
            "schedule": self.network.schedule,
            "steps": STEPS,
        }
        if self.network.text is not None:
            text = self.network.text.model_dump(mode="json")
            return {**common, "network": {**shape, **text}, "tokenizer": {"type": "gpt2"}}
        count = self.network.config.num_classes
        return {**common, "network": shape, "classes": [] if count is None else list(class_names(count))}


class PublishedClassifier(Published):
    """A noise-aware ADM classifier."""

    kind = "classifier"
    guides = True

    def __init__(self, network: ReleasedClassifier) -> None:
        self.network = network
        self.name = self.model = network.name
        self.title, self.image_size = network.title, network.config.image_size
        self.smallest = self.image_size  # its last layer has a place for every pixel

    def build(self) -> nn.Module:
        return self.network.build()

    def evaluate(self, net: nn.Module, x: Tensor, t: Tensor) -> Tensor:
        assert isinstance(net, EncoderUNet)
        out: Tensor = net(x, t)
        return out

    def config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.title,
            "image_size": self.image_size,
            "schedule": self.network.schedule,
            "steps": STEPS,
            "classes": list(class_names(self.network.config.out_channels)),
            "network": self.network.config.model_dump(mode="json"),
        }


class PublishedEncoder(Published):
    """A half of GLIDE's noised CLIP; both make one model."""

    kind = "clip"
    model = "glide-clip"

    def __init__(self, half: ReleasedEncoder, clip: ReleasedClip) -> None:
        self.half, self.clip = half, clip
        assert isinstance(clip.image.config, VisionConfig)
        self.name, self.title = half.name, half.title
        self.image_size = self.smallest = clip.image.config.image_size
        self.partners = tuple(other.name for other in (clip.image, clip.text) if other.name != half.name)
        self.prefix = f"{half.half}."
        if isinstance(half.config, TextConfig):
            self.vocabulary, self.tokens = "clip", clip.tokens
        else:
            self.guides = True

    def build(self) -> nn.Module:
        return self.half.build()

    def evaluate(self, net: nn.Module, x: Tensor, t: Tensor) -> Tensor:
        if isinstance(net, ImageEncoder):
            out: Tensor = net(x, t)
            return out
        assert isinstance(net, TextEncoder)
        tokens = torch.zeros(len(x), net.config.context, dtype=torch.long, device=x.device)
        out = net(tokens, torch.ones(len(x), dtype=torch.long, device=x.device))
        return out

    def part_of(self, model: Any) -> nn.Module:
        half: nn.Module = getattr(model.net, self.half.half)
        return half

    def config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": released_clip.TITLE,
            "image_size": self.image_size,
            "schedule": released_clip.SCHEDULE,
            "steps": STEPS,
            "logit_scale": released_clip.LOGIT_SCALE,
            "vision": self.clip.image.config.model_dump(mode="json"),
            "text": self.clip.text.config.model_dump(mode="json"),
            "tokenizer": {"type": "clip"},
        }


def published() -> list[Published]:
    """Every network that can be imported. Make the list once for many files: its shapes are remembered."""
    clip = released_clip.released_clip()
    return [
        *(PublishedUNet(network) for network in released.released_networks().values()),
        *(PublishedClassifier(network) for network in released_classifiers.released_classifiers().values()),
        *(PublishedEncoder(half, clip) for half in (clip.image, clip.text)),
    ]


@dataclass(frozen=True)
class Closest:
    """The published network most like some tensors, and in what they differ."""

    network: Published
    differences: tuple[str, ...]


def closest(shapes: Mapping[str, tuple[int, ...]], among: Sequence[Published]) -> Closest:
    """The network with the fewest differences; the first of equals."""
    compared = [Closest(network, tuple(differences(network.shapes, shapes))) for network in among]
    return min(compared, key=lambda found: len(found.differences))


def identify(shapes: Mapping[str, tuple[int, ...]], among: Sequence[Published]) -> Published:
    """The network with exactly these tensor names and shapes. Raises UnknownCheckpoint."""
    found = closest(shapes, among)
    if not found.differences:
        return found.network
    first = found.differences[:_SHOWN]
    more = " …" if len(found.differences) > len(first) else ""
    raise UnknownCheckpoint(
        f"None of the published networks this studio imports. Closest is {found.network.title}, with "
        f"{len(found.differences)} differences: {'; '.join(first)}{more}"
    )
