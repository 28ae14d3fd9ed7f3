"""ADM U-Nets that draw without text: from noise alone or from a class; and opening any checkpoint that draws by itself.

Dhariwal & Nichol 2021 (arXiv 2105.05233). Their parts and their `sample` are named as those of TextToImage, so that a
panel treats all that draws alike; the name of a class stands where a prompt stands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from torch import Tensor

from studio.ml.diffusion.checkpoint import open_checkpoint
from studio.ml.diffusion.classifier import UnknownClass
from studio.ml.diffusion.denoiser import ClassDenoiser
from studio.ml.diffusion.glide import TextToImage, text2im_of
from studio.ml.diffusion.guidance import GradientFn, Scale, Unguided
from studio.ml.diffusion.model_folder import BadModelFolder, parse_config, weight_files
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampler import Resume, StepRecord
from studio.ml.diffusion.sampling import Sampling, run
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.unet import UNet, UNetConfig
from studio.ml.diffusion.weights import load_into, made_on, sha256_of


class PixelModel(ABC):
    """An ADM U-Net with its schedule; its kinds say what they draw by the `denoiser` they give."""

    def __init__(self, name: str, net: UNet, schedule: Schedule, image_size: int, *, sha256: str = "") -> None:
        self.name, self.sha256 = name, sha256
        self.net, self.schedule, self.image_size = net, schedule, image_size

    @property
    def device(self) -> torch.device:
        return next(self.net.parameters()).device

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(parameter.nbytes for parameter in self.net.parameters())

    @abstractmethod
    def denoiser(self, prompts: Sequence[str]) -> ClassDenoiser:
        """eps(x_t) of a batch, a picture for each of `prompts`."""

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        scale: float | Scale | None = None,
        negative: str = "",
        sampling: Sampling = Sampling(),
        cond_fn: GradientFn | None = None,
        resume: Resume | None = None,
        max_batch: int | None = None,
    ) -> Iterator[StepRecord]:
        """Step records of one batch, picture i from prompts[i] and seeds[i]; the last `x` are the pictures, in [-1, 1].

        Called as `TextToImage.sample` is, with its errors. cond_fn: classifier guidance, for one. scale, negative and
        max_batch change nothing: these networks know one condition only, or none.
        """
        if len(prompts) != len(seeds):
            raise ValueError(f"{len(prompts)} prompts and {len(seeds)} seeds were given; each picture needs one of both.")
        noise = NoiseSource.of_seeds(seeds, device=self.device)
        x = noise.initial((3, self.image_size, self.image_size))
        model = Unguided().of(self.denoiser(prompts))
        visited = sampling.schedule(self.schedule)
        return run(model, x, visited, noise, sampling, cond_fn=cond_fn, resume=resume)


class Unconditional(PixelModel):
    """Draws pictures from noise alone; prompts change nothing."""

    def denoiser(self, prompts: Sequence[str]) -> ClassDenoiser:
        return ClassDenoiser(self.net)


class ClassConditional(PixelModel):
    """Draws pictures of the classes it was trained on; `classes` are their names, in the network's order.

    Its prompts are classes, each by its name (upper or lower case alike) or its number. `sample` raises UnknownClass
    for any other.
    """

    def __init__(
        self,
        name: str,
        net: UNet,
        classes: tuple[str, ...],
        schedule: Schedule,
        image_size: int,
        *,
        sha256: str = "",
    ) -> None:
        super().__init__(name, net, schedule, image_size, sha256=sha256)
        self.classes = classes

    def denoiser(self, prompts: Sequence[str]) -> ClassDenoiser:
        return ClassDenoiser(self.net, self.labels(prompts))

    def labels(self, names: Sequence[str]) -> Tensor:
        """The classes y [B] of these prompts, as ClassifierGuidance takes them. Raises UnknownClass."""
        return torch.tensor([self.index(name) for name in names], device=self.device)

    def index(self, name: str) -> int:
        """The class of this name or number. Raises UnknownClass, which says what is spelled alike."""
        if name in self.classes:
            return self.classes.index(name)
        wanted = " ".join(name.split()).casefold()
        if wanted.isdecimal() and int(wanted) < len(self.classes):
            return int(wanted)
        names = [known.casefold() for known in self.classes]
        if wanted in names:
            return names.index(wanted)
        alike = [self.classes[names.index(near)] for near in get_close_matches(wanted, names, n=3)]
        hint = f"did you mean {' or '.join(f'“{near}”' for near in alike)}?" if alike else f"“{self.classes[0]}” is one."
        raise UnknownClass(
            f"“{name}” is none of the {len(self.classes)} classes that {self.name} draws; {hint} "
            f"A number from 0 to {len(self.classes) - 1} names a class, too."
        )


class PixelModelConfig(BaseModel):
    """config.json of a model that draws without text; `network` is its `UNetConfig`, the rest is for people."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Literal["unconditional", "class-conditional"]
    name: str
    image_size: int
    schedule: str
    steps: int = 1000
    network: dict[str, Any]
    classes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _classes_of_the_kind(self) -> PixelModelConfig:
        if bool(self.classes) != (self.kind == "class-conditional"):
            raise ValueError("classes are needed for the kind “class-conditional”, and for no other")
        return self


def load_unconditional(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Unconditional:
    """The model without classes in `folder`. Raises WeightsError, as `load_text_model`."""
    config, net, schedule, sha256 = _load(folder, "unconditional", device, dtype)
    return Unconditional(config.name, net, schedule, config.image_size, sha256=sha256)


def load_class_conditional(
    folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> ClassConditional:
    """The class-conditional model in `folder`. Raises WeightsError, as `load_text_model`."""
    config, net, schedule, sha256 = _load(folder, "class-conditional", device, dtype)
    return ClassConditional(config.name, net, config.classes, schedule, config.image_size, sha256=sha256)


def class_names(count: int) -> tuple[str, ...]:
    """What the classes of a published network are called until a person names them: by number, as its file does."""
    return tuple(f"class {i}" for i in range(count))


def load_released(
    path: Path, cache: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> TextToImage | Unconditional | ClassConditional:
    """A released network that draws by itself: a GLIDE base model or an ADM U-Net, with classes or without.

    Raises what `load_released_text2im` raises; a WeightsError says why another network cannot draw by itself.
    """
    checkpoint = open_checkpoint(path, cache)
    network = checkpoint.network
    if network.kind != "adm":
        return text2im_of(checkpoint, path, device=device, dtype=dtype)
    net, schedule = checkpoint.load(device=device, dtype=dtype), Schedule.named(network.schedule)
    count, size = network.config.num_classes, network.image_size
    if count is None:
        return Unconditional(network.title, net, schedule, size, sha256=checkpoint.sha256)
    return ClassConditional(network.title, net, class_names(count), schedule, size, sha256=checkpoint.sha256)


def _load(folder: Path, kind: str, device: str, dtype: torch.dtype) -> tuple[PixelModelConfig, UNet, Schedule, str]:
    """Config, network, schedule and digest of a model folder. Raises WeightsError."""
    config = parse_config(folder, PixelModelConfig)
    if config.kind != kind:
        raise BadModelFolder(f"The model in {folder} is of the kind “{config.kind}”; one of the kind “{kind}” is needed.")
    try:
        shape = UNetConfig.model_validate(config.network)
        schedule = Schedule.named(config.schedule, config.steps)
        with made_on("meta"):
            net = UNet(shape)
    except (ValidationError, ValueError, TypeError, RuntimeError) as error:
        raise BadModelFolder(f"config.json in {folder} describes no network that can be built: {error}") from error
    if len(config.classes) != (shape.num_classes or 0):
        raise BadModelFolder(
            f"config.json in {folder} names {len(config.classes)} classes for a network of {shape.num_classes or 0}."
        )
    files = weight_files(folder)
    load_into(net, files, device=device, dtype=dtype)
    net.eval().requires_grad_(False)
    # The faster layout for convolutions; torch's stubs lack this overload.
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return config, net, schedule, sha256_of(files)

