"""GLIDE's noised CLIP (Nichol et al. 2021, sec. 2.4): one space for prompts and for pictures at every noise level."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from studio.ml.clip.blocks import unit
from studio.ml.clip.text import TextConfig, TextEncoder
from studio.ml.clip.tokenizer import ClipTokenizer, EndedWords, load_clip_tokenizer
from studio.ml.clip.vision import ImageEncoder, VisionConfig
from studio.ml.diffusion.bpe import TokenizerCorrupt, TokenizerMissing
from studio.ml.diffusion.model_folder import BadModelFolder, WordsConfig, parse_config, weight_files
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.text_model import Tokenizer
from studio.ml.diffusion.weights import load_into, made_on, sha256_of


class ClipNetwork(nn.Module):
    """Both encoders as one module, for training and storing. Raises ValueError when they do not belong together."""

    def __init__(self, vision: VisionConfig, text: TextConfig) -> None:
        super().__init__()
        if vision.embedding != text.embedding:
            raise ValueError(f"pictures are embedded in {vision.embedding} dimensions, text in {text.embedding}")
        self.image_encoder = ImageEncoder(vision)
        self.text_encoder = TextEncoder(text)

    def embed_images(self, x: Tensor, t: Tensor) -> Tensor:
        """x_t [B, 3, H, W] in [-1, 1] at steps t [B] -> unit vectors [B, E]."""
        return unit(self.image_encoder(x, t))

    def embed_texts(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """tokens [B, L], lengths [B] -> unit vectors [B, E]."""
        return unit(self.text_encoder(tokens, lengths))


class NoisedClip:
    """A CLIP that knows noise, ready to be asked how well a text fits x_t.

    name: the model's; sha256: of its weights; net and tokenizer: its parts; schedule: the noise its pictures had in
    training; logit_scale: what turns cosines into logits (100 for the released one).
    """

    def __init__(
        self,
        name: str,
        net: ClipNetwork,
        tokenizer: Tokenizer,
        schedule: Schedule,
        *,
        logit_scale: float = 100.0,
        sha256: str = "",
    ) -> None:
        self.name, self.net, self.tokenizer, self.schedule = name, net, tokenizer, schedule
        self.logit_scale, self.sha256 = logit_scale, sha256

    @property
    def image_encoder(self) -> ImageEncoder:
        return self.net.image_encoder

    @property
    def text_encoder(self) -> TextEncoder:
        return self.net.text_encoder

    @property
    def image_size(self) -> int:
        """Pixels of a side of the pictures it sees."""
        return self.image_encoder.config.image_size

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
        return self.tokenizer.overflow(prompt, self.text_encoder.config.context)

    @torch.no_grad()
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """g(c) of plain prompts: unit vectors [B, E] in float32. For weights and several prompts see `prompts.py`."""
        encoded = [self.tokenizer.encode(prompt, self.text_encoder.config.context) for prompt in prompts]
        tokens, used = (torch.tensor(part, device=self.device) for part in zip(*encoded, strict=True))
        return self.net.embed_texts(tokens, used.sum(dim=1))

    def encode_image(self, x: Tensor, t: Tensor) -> Tensor:
        """f(x_t): x [B, 3, H, W] in [-1, 1], t [B] steps of the schedule -> unit vectors [B, E] in float32.

        Differentiable in x. Raises ValueError for pictures of another size.
        """
        return self.net.embed_images(x, t)

    def similarity(self, x: Tensor, t: Tensor, text: Tensor) -> Tensor:
        """f(x_t) . g(c) of every picture with every text: x [B, 3, H, W], t [B], text [N, E] -> cosines [B, N]."""
        return self.encode_image(x, t) @ text.T


class _EndedWordsConfig(WordsConfig):
    """Words whose prompts end in a token of their own."""

    def tokenizer(self, folder: Path) -> EndedWords:
        return EndedWords(self.words, self.phrases)


class _BytePairsConfig(BaseModel):
    """CLIP's byte pairs, in their file beside config.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["clip"]

    def tokenizer(self, folder: Path) -> ClipTokenizer:
        """Raises BadModelFolder."""
        try:
            return load_clip_tokenizer(folder)
        except (TokenizerMissing, TokenizerCorrupt) as error:
            raise BadModelFolder(str(error)) from error


class ClipConfig(BaseModel):
    """config.json of a noised CLIP; what is not named here is for people."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Literal["clip"]
    name: str
    image_size: int
    schedule: str
    steps: int = 1000
    logit_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 100.0
    vision: VisionConfig
    text: TextConfig
    tokenizer: Annotated[_EndedWordsConfig | _BytePairsConfig, Field(discriminator="type")]


def load_clip(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> NoisedClip:
    """The noised CLIP in `folder` (config.json, model*.safetensors), every tensor's name and shape checked.

    Raises BadModelFolder, CorruptWeights, WrongWeights or NotEnoughMemory (all WeightsError).
    """
    config = parse_config(folder, ClipConfig)
    tokenizer = config.tokenizer.tokenizer(folder)
    try:
        schedule = Schedule.named(config.schedule, config.steps)
        with made_on("meta"):
            net = ClipNetwork(config.vision, config.text)
    except (ValueError, RuntimeError) as error:
        raise BadModelFolder(f"config.json in {folder} describes no network that can be built: {error}") from error
    _check(folder, config, tokenizer)
    files = weight_files(folder)
    load_into(net, files, device=device, dtype=dtype)
    net.eval().requires_grad_(False)
    return NoisedClip(
        config.name, net, tokenizer, schedule, logit_scale=config.logit_scale, sha256=sha256_of(files)
    )


def _check(folder: Path, config: ClipConfig, tokenizer: Tokenizer) -> None:
    """Raise BadModelFolder unless the parts of the configuration agree."""
    seen, told = config.vision.image_size, config.vision.timesteps
    if (seen, told) != (config.image_size, config.steps):
        raise BadModelFolder(
            f"config.json in {folder} speaks of {config.image_size} pixels and {config.steps} steps, its network of "
            f"{seen} pixels and {told} steps."
        )
    rows = config.text.vocabulary
    # the released table of tokens has rows to spare
    if tokenizer.size > rows or (tokenizer.size < rows and config.tokenizer.type == "words"):
        raise BadModelFolder(f"config.json in {folder} has {tokenizer.size} tokens for a network of {rows}.")
