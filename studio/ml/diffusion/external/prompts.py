"""A prompt as the networks of a pipeline see it: which of their columns is which piece of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.ml.diffusion.external.roles import parameters

NAMED = {"<|startoftext|>": "‹start›", "<|endoftext|>": "‹end›", "</s>": "‹end›", "<unk>": "‹unknown›"}


@dataclass(frozen=True)
class Text:
    """pieces: the tokens of the prompt, marks included; columns: where each stands; length: columns, padding too."""

    pieces: tuple[str, ...]
    columns: tuple[int, ...]
    length: int


def text_of(pipeline: Any, prompt: str) -> Text:
    """The prompt cut into tokens as the pipeline does it; of several readers, one after the other as they join."""
    pieces: list[str] = []
    columns: list[int] = []
    length = 0
    for tokenizer, places in _readers(pipeline):
        ids = tokenizer(prompt, truncation=True, max_length=places).input_ids
        pieces += [_shown(piece) for piece in tokenizer.convert_ids_to_tokens(ids)]
        columns += range(length, length + len(ids))
        length += places
    return Text(tuple(pieces), tuple(columns), length)


def _readers(pipeline: Any) -> Sequence[tuple[Any, int]]:
    """Tokenizers whose columns the network attends to, with how many they fill.

    SD 3 puts T5's columns behind CLIP's, which both CLIPs share; Flux attends to T5's alone; SDXL's two share theirs.
    """
    longest = parameters(pipeline).get("max_sequence_length")
    first = pipeline.tokenizer
    if getattr(pipeline, "tokenizer_3", None) is not None and longest is not None:
        return [(first, pipeline.tokenizer_max_length), (pipeline.tokenizer_3, longest.default)]
    second = getattr(pipeline, "tokenizer_2", None)
    return [(second or first, longest.default)] if longest is not None else [(first, first.model_max_length)]


def _shown(piece: str) -> str:
    """A token as people write it: without the marks of its vocabulary for the ends of words."""
    return NAMED.get(piece, piece.replace("</w>", "").replace("▁", ""))
