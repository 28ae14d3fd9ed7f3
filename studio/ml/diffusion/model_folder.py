"""Model folders: config.json, the weights beside it, and the text model they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.ml.diffusion.bpe import BpeTokenizer, TokenizerCorrupt, TokenizerMissing, load_bpe
from studio.ml.diffusion.sampling import Sampling
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.text_model import TextModel
from studio.ml.diffusion.unet import NETWORKS, split_config
from studio.ml.diffusion.weights import WeightsError, load_into, made_on, sha256_of
from studio.ml.diffusion.words import WordTokenizer


M = TypeVar("M", bound=TextModel)
C = TypeVar("C", bound=BaseModel)


class BadModelFolder(WeightsError):
    """A model folder whose config.json is missing or cannot be understood."""


class WordsConfig(BaseModel):
    """The vocabulary of a word tokenizer, as kept in config.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["words"]
    words: tuple[str, ...]
    phrases: dict[str, str] = {}

    def tokenizer(self, folder: Path) -> WordTokenizer:
        return WordTokenizer(self.words, self.phrases)


class BytePairsConfig(BaseModel):
    """GPT-2's byte pairs, in their two files beside config.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["gpt2"]

    def tokenizer(self, folder: Path) -> BpeTokenizer:
        """Raises BadModelFolder."""
        try:
            return load_bpe(folder)
        except (TokenizerMissing, TokenizerCorrupt) as error:
            raise BadModelFolder(str(error)) from error


class ModelConfig(BaseModel):
    """config.json of a text model; `kind` names its network, `network` is for `split_config`, the rest is for people.

    sampling: the sampler and steps that suit this model, where they are not its kind's.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Literal["text2im", "upsample", "inpaint", "upsample-inpaint"]
    name: str
    image_size: int
    schedule: str
    steps: int = 1000
    prediction: Literal["epsilon", "v"] = "epsilon"
    network: dict[str, Any]
    tokenizer: WordsConfig | BytePairsConfig = Field(discriminator="type")
    sampling: Sampling | None = None


def load_text_model(
    folder: Path, make: type[M], kind: str, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> M:
    """The model of this kind in `folder` (config.json, model*.safetensors), every tensor's name and shape checked.

    Raises BadModelFolder, CorruptWeights, WrongWeights or NotEnoughMemory (all WeightsError).
    """
    config = read_config(folder)
    if config.kind != kind:
        raise BadModelFolder(f"The model in {folder} is of the kind “{config.kind}”; one of the kind “{kind}” is needed.")
    files = weight_files(folder)
    tokenizer = config.tokenizer.tokenizer(folder)
    try:
        unet, text = split_config(config.network)
        schedule = Schedule.named(config.schedule, config.steps)
        with made_on("meta"):
            net = NETWORKS[kind](unet, text)
    except (ValidationError, ValueError, TypeError, RuntimeError) as error:
        raise BadModelFolder(f"config.json in {folder} describes no network that can be built: {error}") from error
    if tokenizer.size != text.n_vocab:
        raise BadModelFolder(f"config.json in {folder} has {tokenizer.size} words for a network of {text.n_vocab}.")
    load_into(net, files, device=device, dtype=dtype)
    net.eval().requires_grad_(False)
    # The faster layout for convolutions; torch's stubs lack this overload.
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return make(
        config.name, net, tokenizer, schedule, config.image_size, sha256=sha256_of(files), prediction=config.prediction
    )


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a model folder's weights, in order. Raises BadModelFolder when there are none."""
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise BadModelFolder(f"There are no weights (model*.safetensors) in {folder}.")
    return files


def read_config(folder: Path) -> ModelConfig:
    """config.json of a text model's folder. Raises BadModelFolder."""
    return parse_config(folder, ModelConfig)


def parse_config(folder: Path, schema: type[C]) -> C:
    """config.json of a model folder as `schema`. Raises BadModelFolder."""
    try:
        return schema.model_validate_json((folder / "config.json").read_bytes())
    except OSError as error:
        raise BadModelFolder(f"{folder} is no model folder: config.json cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise BadModelFolder(f"config.json in {folder} cannot be understood: {where}: {problem['msg']}") from error
