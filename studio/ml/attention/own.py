"""The studio's own models as Subjects: attention is written out in `studio.ml.nn`; `attend` is where to listen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.attention.errors import NotForThisModel, TooLong, WrongInput
from studio.ml.attention.listening import Call, Listener
from studio.ml.attention.seeing import required
from studio.ml.attention.subject import Prepared, Ran, Subject
from studio.ml.attention.values import Asked, Fit, Kind, Reading, SiteKind, Takes, Token
from studio.ml.language.causal import CausalModel, load_causal
from studio.ml.language.encoder_decoder import EncoderDecoderModel, load_encoder_decoder
from studio.ml.language.tokenizer import END, START, TextTokenizer
from studio.ml.nn.attention import MultiHeadAttention, scaled_dot_product
from studio.ml.nn.layers import LayerCache
from studio.ml.nn.stacks import Causal, Decoder, Encoder, new_cache
from studio.ml.vision.vit import VisionModel, load_vit

_KINDS = ("causal", "encoder-decoder", "vision")


def is_own(place: Path) -> bool:
    """Whether a folder holds a model of the studio that attends."""
    try:
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get(
        "kind"
    ) in _KINDS and "network" in config and "model_type" not in config


def open_own(place: Path, *, device: str = "cpu") -> Subject:
    """Raises WeightsError for a folder that is damaged."""
    kind = json.loads((place / "config.json").read_text(encoding="utf-8"))["kind"]
    if kind == "causal":
        return OwnCausal(load_causal(place, device=device))
    if kind == "vision":
        return OwnVision(load_vit(place, device=device))
    return OwnEncoderDecoder(load_encoder_decoder(place, device=device))


class OwnModel(Subject):
    """What they share. tokenizer: of those that read."""

    tokenizer: TextTokenizer

    def __init__(self, title: str, kind: Kind, takes: frozenset[Takes], context: int | None, model: nn.Module) -> None:
        self.title, self.kind, self.takes, self.context, self.model = title, kind, takes, context, model
        self._names = {id(module): name for name, module in model.named_modules()}

    def names(self) -> Mapping[int, str]:
        return self._names

    @property
    def size(self) -> tuple[int, int]:
        found = [module for module in self.model.modules() if isinstance(module, MultiHeadAttention)]
        return len(found), max(module.heads for module in found)

    @contextmanager
    def heard(self, listener: Listener) -> Iterator[None]:
        """While inside, every attention tells the listener; afterwards they are as before."""
        found = [
            (name, module) for name, module in self.model.named_modules() if isinstance(module, MultiHeadAttention)
        ]
        before = [module.attend for _, module in found]
        try:
            for name, module in found:
                module.attend = partial(_attend, listener, self._kind_of(name))
            yield
        finally:
            for (_, module), attend in zip(found, before, strict=True):
                module.attend = attend

    def _kind_of(self, name: str) -> SiteKind:
        if "cross_attention" in name:
            return "cross"
        return "causal" if self.kind == "causal" or ".decoder." in f".{name}." else "self"

    @property
    def remembers(self) -> bool:
        return self.kind != "vision"

    def ends(self, token: int) -> bool:
        return token == END

    def cache_bytes(self, ran: Ran) -> int:
        layers: list[LayerCache] = ran.cache[0]
        return sum(layer.nbytes for layer in layers)

    def label(self, index: int, prepared: Prepared) -> str:
        return self.tokenizer.piece(index)

    def _read(self, text: str, name: str, *, start: bool, end: bool, fit: Fit = "refuse") -> tuple[list[int], Reading]:
        """Ids and their Reading. Raises WrongInput for unknown words alone, TooLong."""
        assert self.context is not None
        tokens = list(self.whole(text, name, start=start, end=end).tokens)
        if len(tokens) > self.context:
            if fit == "refuse":
                raise TooLong(
                    f"The text has {len(tokens):,} tokens; this model reads {self.context:,}. Keep its start, its "
                    "end, or read it in windows.",
                    len(tokens), self.context,
                )  # fmt: skip
            tokens = tokens[: self.context] if fit == "start" else tokens[:1] + tokens[len(tokens) - self.context + 1 :]
        return [token.id for token in tokens], Reading(name, tuple(tokens), text, offsets="exact")

    def whole(self, text: str, name: str = "text", *, start: bool = True, end: bool = False) -> Reading:
        if "text" not in self.takes:
            raise NotForThisModel(f"{self.title} reads no text.")
        found = self.tokenizer.encode(text, start=start, end=end)
        if len(found) == int(start) + int(end) and text.strip():
            raise WrongInput(
                f"This model knows none of these words: {', '.join(found.unknown[:5])}. Its help lists those it knows."
            )
        tokens = [
            Token(piece, token, *(span if span[1] > span[0] else (-1, -1)), special=token in (START, END))
            for token, piece, span in zip(found.ids, found.pieces, found.offsets, strict=True)
        ]
        return Reading(name, tuple(tokens), text, offsets="exact")

    def longer(self, prepared: Prepared, token: int) -> Prepared:
        name = "ids" if self.kind == "causal" else "target"
        reading_name = "text" if self.kind == "causal" else "target"
        ids = prepared.arguments[name]
        if self.context is not None and ids.shape[1] + 1 > self.context:
            raise TooLong(
                f"{self.title} reads {self.context:,} tokens and cannot write further.", ids.shape[1] + 1, self.context
            )
        reading = prepared.readings[reading_name][0]
        more = replace(
            reading, tokens=(*reading.tokens, Token(self.tokenizer.piece(token), token, special=token in (START, END)))
        )
        given = {**prepared.arguments, name: torch.cat([ids, ids.new_tensor([[token]])], dim=1)}
        return replace(prepared, arguments=given, readings={**prepared.readings, reading_name: (more,)})

    def _require_text(self, asked: Asked) -> None:
        if asked.picture is not None:
            raise WrongInput(
                f"{self.title} reads text; it cannot look at a picture. Type a sentence, or open a vision model."
            )
        if not asked.text.strip() and asked.ids is None:
            raise WrongInput("The text is empty. Type a sentence first.")


class OwnCausal(OwnModel):
    """A bundled causal model."""

    def __init__(self, own: CausalModel) -> None:
        super().__init__(own.name, "causal", frozenset({"text"}), own.length, own.net)
        self.tokenizer, self._net = own.tokenizer, own.net

    def prepare(self, asked: Asked) -> Prepared:
        self._require_text(asked)
        if asked.ids is not None:
            tokens = tuple(Token(self.tokenizer.piece(i), i, special=i in (START, END)) for i in asked.ids)
            if len(tokens) > self._net.config.length:
                raise TooLong(
                    f"{len(tokens):,} tokens are more than this model reads.", len(tokens), self._net.config.length
                )
            ids, reading = list(asked.ids), Reading("text", tokens, asked.text)
        else:
            ids, reading = self._read(asked.text, "text", start=True, end=False, fit=asked.fit)
        return Prepared({"ids": torch.tensor([ids], device=self.device)}, {"text": (reading,)})

    def run(self, prepared: Prepared, listener: Listener, *, states: bool = False, cache: bool = False) -> Ran:
        memory = new_cache(self._net.config.transformer.layers) if cache else None
        return self._ran(prepared.arguments["ids"], listener, states, memory)

    def extend(self, prepared: Prepared, before: Ran, listener: Listener, *, states: bool = False) -> Ran:
        return self._ran(prepared.arguments["ids"][:, -1:], listener, states, before.cache[0])

    def _ran(self, ids: Tensor, listener: Listener, states: bool, memory: list[LayerCache] | None) -> Ran:
        with self.heard(listener), _watched(self._net.layers) as seen:
            logits = self._net(ids, memory)
        return Ran(logits[0, -1:], ("next token",), seen.states(slice(-1, None)) if states else None, cache=(memory,))

    def judge(self, prepared: Prepared, states: Tensor) -> Tensor:
        return (states @ self._net.embedding.T)[:, -1:]


class OwnEncoderDecoder(OwnModel):
    """A bundled encoder-decoder."""

    def __init__(self, own: EncoderDecoderModel) -> None:
        super().__init__(own.name, "encoder-decoder", frozenset({"text", "target"}), own.length, own.net)
        self.tokenizer, self._net = own.tokenizer, own.net

    def prepare(self, asked: Asked) -> Prepared:
        self._require_text(asked)
        source, reading = self._read(asked.text, "source", start=False, end=True, fit=asked.fit)
        target, written = self._read(asked.target, "target", start=True, end=False, fit=asked.fit)
        given = {
            "source": torch.tensor([source], device=self.device), "target": torch.tensor([target], device=self.device)
        }
        return Prepared(given, {"source": (reading,), "target": (written,)})

    def run(self, prepared: Prepared, listener: Listener, *, states: bool = False, cache: bool = False) -> Ran:
        memory = new_cache(self._net.config.decoder.layers) if cache else None
        with self.heard(listener):
            encoded = self._net.encode(prepared.arguments["source"])
        return self._ran(prepared.arguments["target"], encoded, listener, states, memory)

    def extend(self, prepared: Prepared, before: Ran, listener: Listener, *, states: bool = False) -> Ran:
        memory, encoded = before.cache
        return self._ran(prepared.arguments["target"][:, -1:], encoded, listener, states, memory)

    def _ran(
        self, ids: Tensor, encoded: tuple[Tensor, Tensor], listener: Listener, states: bool, memory: list[
            LayerCache
        ] | None
    ) -> Ran:
        with self.heard(listener), _watched(self._net.transformer.decoder) as seen:
            logits = self._net.decode(ids, *encoded, memory)
        kept = seen.states(slice(-1, None)) if states else None
        return Ran(logits[0, -1:], ("next token",), kept, cache=(memory, encoded))

    def judge(self, prepared: Prepared, states: Tensor) -> Tensor:
        return (states @ self._net.embedding.T)[:, -1:]


class OwnVision(OwnModel):
    """A bundled vision transformer."""

    def __init__(self, own: VisionModel) -> None:
        super().__init__(own.name, "vision", frozenset({"picture"}), None, own.net)
        self._net, self._classes = own.net, own.classes

    def prepare(self, asked: Asked) -> Prepared:
        if asked.text:
            raise WrongInput(f"{self.title} looks at pictures; it cannot read a text.")
        side = self._net.config.image_size
        seen = _scaled(required(asked.picture), side)
        x = torch.from_numpy(seen.copy()).permute(2, 0, 1)[None].to(self.device, torch.float32) / 127.5 - 1
        grid = (self._net.config.side, self._net.config.side)
        return Prepared({"x": x}, {}, (), grid, seen)

    def run(self, prepared: Prepared, listener: Listener, *, states: bool = False, cache: bool = False) -> Ran:
        with self.heard(listener), _watched(self._net.encoder) as seen:
            logits = self._net(prepared.arguments["x"])
        return Ran(logits[:1], ("class",), seen.states(slice(None)) if states else None)

    def longer(self, prepared: Prepared, token: int) -> Prepared:
        self.require("causal", "encoder-decoder", what="Writing on")
        raise AssertionError

    def judge(self, prepared: Prepared, states: Tensor) -> Tensor:
        logits: Tensor = self._net.head(states[:, 0])
        return logits[:, None]

    def label(self, index: int, prepared: Prepared) -> str:
        return self._classes[index]


def _attend(
    listener: Listener, kind: SiteKind, module: MultiHeadAttention, query: Tensor, key: Tensor, value: Tensor,
    mask: Tensor | None, scale: float,
) -> Tensor:  # fmt: skip
    """As `MultiHeadAttention.attend` is called; with nothing switched off, exactly what it computes."""
    while mask is not None and mask.dim() < 4:
        mask = mask[None]

    def plain() -> Tensor:
        # Contiguous, so that W^O is given this very memory and can be known by it.
        return scaled_dot_product(module, query, key, value, mask, scale).transpose(1, 2).contiguous()

    call = Call(query, key, value, mask, None, scale, False, kernel=False, kind=kind)
    return listener.attend(module, call, plain).transpose(1, 2)


class _watched:
    """Inside, keeps what goes into the first layer of a stack and what comes out of each."""

    def __init__(self, stack: Causal | Decoder | Encoder) -> None:
        self._stack = stack
        self._seen: list[Tensor] = []

    def __enter__(self) -> _watched:
        first = self._stack.layers[0]
        self._hooks = [first.register_forward_pre_hook(lambda module, given: self._seen.append(given[0]))]
        self._hooks += [
            layer.register_forward_hook(
                lambda module, given, out: self._seen.append(out)
            ) for layer in self._stack.layers
        ]
        return self

    def __exit__(self, *error: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def states(self, places: slice) -> Tensor:
        """[L + 1, T, D]: of some places, after the norm behind the last layer."""
        return torch.stack([self._stack.norm(state[0, places]) for state in self._seen])


def _scaled(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """uint8 [h, w, 3] -> [side, side, 3], the middle square."""
    from PIL import Image

    image = Image.fromarray(picture)
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    if image.size != (side, side):
        image = image.crop((left, top, left + short, top + short)).resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image, np.uint8)
