"""Text to picture: network, tokenizer and schedule in one object, from a model folder or a released checkpoint."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from studio.ml.diffusion.bpe import load_bpe
from studio.ml.diffusion.checkpoint import Checkpoint, open_checkpoint
from studio.ml.diffusion.denoiser import TextDenoiser, Velocity
from studio.ml.diffusion.guidance import ClassifierFree, GradientFn, GuidedModel, Unguided
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.sampler import StepRecord, ddim, ddpm, dpmpp_2m
from studio.ml.diffusion.schedule import Respacing, Schedule
from studio.ml.diffusion.unet import Text2ImUNet, TextFeatures, split_config
from studio.ml.diffusion.weights import WeightsError, load_into, sha256_of
from studio.ml.diffusion.words import WordTokenizer

SamplerName = Literal["dpmpp_2m", "ddim", "ddpm"]
DEFAULT_STEPS: Mapping[str, int] = {"dpmpp_2m": 20, "ddim": 50, "ddpm": 100}
"""Samplers by name, with a number of steps that serves each."""

_REMEMBERED_PROMPTS = 64


class Tokenizer(Protocol):
    """Text to integers: the word tokenizer of the bundled models or GPT-2's byte pairs."""

    @property
    def size(self) -> int: ...
    def encode(self, text: str, length: int) -> tuple[list[int], list[bool]]: ...
    def unknown(self, text: str) -> list[str]: ...
    def overflow(self, text: str, length: int) -> int: ...


class BadModelFolder(WeightsError):
    """A model folder whose config.json is missing or cannot be understood."""


class WordsConfig(BaseModel):
    """The vocabulary of a word tokenizer, as kept in config.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["words"]
    words: tuple[str, ...]
    phrases: dict[str, str] = {}


class ModelConfig(BaseModel):
    """config.json of a text-to-image model; `network` is for `split_config`, unknown keys are for people."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Literal["text2im"]
    name: str
    image_size: int
    schedule: str
    steps: int = 1000
    prediction: Literal["epsilon", "v"] = "epsilon"
    network: dict[str, Any]
    tokenizer: WordsConfig


class TextToImage:
    """Draws pictures from prompts.

    name: the model's; sha256: of its weights; net and tokenizer: its parts; schedule: all steps it was trained on;
    image_size: pixels; prediction: what the network was trained to return, "epsilon" or "v".
    """

    def __init__(
        self,
        name: str,
        net: Text2ImUNet,
        tokenizer: Tokenizer,
        schedule: Schedule,
        image_size: int,
        *,
        sha256: str = "",
        prediction: str = "epsilon",
    ) -> None:
        self.name, self.sha256 = name, sha256
        self._velocity = Velocity(schedule, next(net.parameters()).device) if prediction == "v" else None
        self.net, self.tokenizer, self.schedule, self.image_size = net, tokenizer, schedule, image_size
        self._encoded: OrderedDict[str, TextFeatures] = OrderedDict()

    @property
    def device(self) -> torch.device:
        return next(self.net.parameters()).device

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(parameter.nbytes for parameter in self.net.parameters())

    def unknown(self, prompt: str) -> list[str]:
        """Words of the prompt that the model has never seen and leaves out."""
        return self.tokenizer.unknown(prompt)

    def overflow(self, prompt: str) -> int:
        """How many words or tokens at the end of the prompt do not fit and are left out."""
        return self.tokenizer.overflow(prompt, self.net.text.text_ctx)

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> TextFeatures:
        """Text features of a batch; each prompt runs through the transformer once, by itself, and is remembered."""
        rows = [self._encode_one(prompt) for prompt in prompts]
        return TextFeatures(*(torch.cat(part) for part in zip(*rows, strict=True)))

    def denoiser(self, prompts: Sequence[str], *, inputs: Mapping[str, Tensor] | None = None) -> TextDenoiser:
        """eps(x_t | prompt), eps(x_t | empty prompt) for a batch; `inputs` as `TextDenoiser`'s."""
        return TextDenoiser(self.net, self.encode(prompts), self.encode([""] * len(prompts)), inputs, self._velocity)

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        scale: float = 3.0,
        sampler: SamplerName = "dpmpp_2m",
        steps: int | None = None,
        respacing: Respacing | None = None,
        eta: float = 0.0,
        guided: bool = True,
        max_batch: int | None = None,
        cond_fn: GradientFn | None = None,
    ) -> Iterator[StepRecord]:
        """Step records of one batch, picture i from prompts[i] and seeds[i]; the last `x` are the pictures, in [-1, 1].

        An empty prompt is unconditional. scale: eps_u + scale (eps_c - eps_u); guided=False computes eps_c alone.
        steps: network evaluations, spaced as suits the sampler, or `respacing` as in `Schedule.respace`. eta: DDIM's
        noise. max_batch: largest batch the network is given; guidance doubles it. Everything is checked before this
        returns; raises ValueError (also its kinds ScheduleError and NoiseKeyError).
        """
        if len(prompts) != len(seeds):
            raise ValueError(
                f"{len(prompts)} prompts and {len(seeds)} seeds were given; each picture needs one of both."
            )
        if sampler not in DEFAULT_STEPS:
            raise ValueError(f"Unknown sampler {sampler!r}; known are {', '.join(DEFAULT_STEPS)}.")
        noise = NoiseSource.of_seeds(seeds, device=self.device)
        if respacing is None:
            respacing = default_respacing(sampler, DEFAULT_STEPS[sampler] if steps is None else steps)
        schedule = self.schedule.respace(respacing)
        guidance = ClassifierFree(scale, max_batch=max_batch) if guided else None
        return self._steps(prompts, noise, schedule, guidance, sampler, eta, cond_fn)

    def _steps(
        self,
        prompts: Sequence[str],
        noise: NoiseSource,
        schedule: Schedule,
        guidance: ClassifierFree | None,
        sampler: SamplerName,
        eta: float,
        cond_fn: GradientFn | None,
    ) -> Iterator[StepRecord]:
        denoiser = self.denoiser(prompts)
        model: GuidedModel = Unguided().of(denoiser) if guidance is None else guidance.of(denoiser)
        x = noise.initial((3, self.image_size, self.image_size))
        if sampler == "dpmpp_2m":
            yield from dpmpp_2m(model, x, schedule, cond_fn=cond_fn)
        elif sampler == "ddim":
            yield from ddim(model, x, schedule, noise, eta=eta, cond_fn=cond_fn)
        else:
            yield from ddpm(model, x, schedule, noise, cond_fn=cond_fn)

    def _encode_one(self, prompt: str) -> TextFeatures:
        if prompt in self._encoded:
            self._encoded.move_to_end(prompt)
            return self._encoded[prompt]
        ids, mask = self.tokenizer.encode(prompt, self.net.text.text_ctx)
        features = self.net.encode_text(
            torch.tensor([ids], device=self.device), torch.tensor([mask], device=self.device)
        )
        self._encoded[prompt] = features
        if len(self._encoded) > _REMEMBERED_PROMPTS:
            self._encoded.popitem(last=False)
        return features


def default_respacing(sampler: SamplerName, steps: int) -> str:
    """Where `steps` evaluations do most good: even in log-SNR for DPM-Solver++, even in t for DDIM and DDPM."""
    if sampler == "dpmpp_2m" or steps == 1:
        return f"logsnr{steps}"
    return str(steps)


def load_text2im(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> TextToImage:
    """The model in `folder`: config.json and model*.safetensors, every tensor's name and shape checked.

    Raises BadModelFolder, CorruptWeights, WrongWeights or NotEnoughMemory (all WeightsError).
    """
    config = read_config(folder)
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise BadModelFolder(f"There are no weights (model*.safetensors) in {folder}.")
    tokenizer = WordTokenizer(config.tokenizer.words, config.tokenizer.phrases)
    try:
        unet, text = split_config(config.network)
        schedule = Schedule.named(config.schedule, config.steps)
        with torch.device("meta"):
            net = Text2ImUNet(unet, text)
    except (ValidationError, ValueError, TypeError, RuntimeError) as error:
        raise BadModelFolder(f"config.json in {folder} describes no network that can be built: {error}") from error
    if tokenizer.size != text.n_vocab:
        raise BadModelFolder(f"config.json in {folder} has {tokenizer.size} words for a network of {text.n_vocab}.")
    load_into(net, files, device=device, dtype=dtype)
    net.eval().requires_grad_(False)
    # The faster layout for convolutions; torch's stubs lack this overload.
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return TextToImage(
        config.name, net, tokenizer, schedule, config.image_size, sha256=sha256_of(files), prediction=config.prediction
    )


def read_config(folder: Path) -> ModelConfig:
    """config.json of a model folder. Raises BadModelFolder."""
    try:
        return ModelConfig.model_validate_json((folder / "config.json").read_bytes())
    except OSError as error:
        raise BadModelFolder(f"{folder} is no model folder: config.json cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise BadModelFolder(f"config.json in {folder} cannot be understood: {where}: {problem['msg']}") from error


def load_released_text2im(
    path: Path, cache: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> TextToImage:
    """A released GLIDE base checkpoint (plain, or inpainting: with nothing known it draws from text alone).

    GPT-2's vocabulary must lie beside it. Raises what `open_checkpoint`, `load_bpe` and `load_into` raise, or
    WeightsError where the checkpoint is another network.
    """
    return text2im_of(open_checkpoint(path, cache), path, device=device, dtype=dtype)


def text2im_of(
    checkpoint: Checkpoint, path: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> TextToImage:
    """As `load_released_text2im`, from a checkpoint already opened; `path` is what messages call it."""
    network = checkpoint.network
    if network.kind not in ("text2im", "inpaint"):
        raise WeightsError(
            f"{path.name} is {network.title}, which does not draw from text alone; open a 64x64 GLIDE base model."
        )
    tokenizer = load_bpe(checkpoint.beside)
    net = checkpoint.load(device=device, dtype=dtype)
    assert isinstance(net, Text2ImUNet)
    if tokenizer.size != net.text.n_vocab:
        raise WeightsError(
            f"The vocabulary beside {path.name} has {tokenizer.size} tokens, not GPT-2's {net.text.n_vocab}."
        )
    schedule = Schedule.named(network.schedule)
    return TextToImage(network.title, net, tokenizer, schedule, network.image_size, sha256=checkpoint.sha256)
