"""Models of the transformers library as Subjects."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from studio.ml.attention.capture import require_memory
from studio.ml.attention.errors import NotForThisModel, TooLong, WrongInput
from studio.ml.attention.folder import Folder
from studio.ml.attention.handed import HandedWeights
from studio.ml.attention.heads import FinalNorm, judged
from studio.ml.attention.listening import REGISTERED, Listener, listening
from studio.ml.attention.reading import read_ids, read_text, shown_id, token_of
from studio.ml.attention.seeing import patch_grid, read_picture, read_sound, seen_picture
from studio.ml.attention.subject import Prepared, Ran, Subject
from studio.ml.attention.values import Asked, Reading


class PublicModel(Subject):
    """A model of transformers. tokenizer, processor: None for what it does not read."""

    made: Any
    """The model with all that transformers gave it."""

    def __init__(self, folder: Folder, model: Any, tokenizer: Any = None, processor: Any = None) -> None:
        self.folder, self.tokenizer, self.processor = folder, tokenizer, processor
        self.model, self.made = model, model
        self.title, self.kind, self.takes = folder.title, folder.kind, folder.takes
        self.context = context_of(model.config, tokenizer)
        self.functional = model.config._attn_implementation == REGISTERED
        self._accepts = frozenset(inspect.signature(model.forward).parameters)

    @cached_property
    def _names(self) -> dict[int, str]:
        return {id(module): name for name, module in self.made.named_modules()}

    def names(self) -> Mapping[int, str]:
        return self._names

    def prepare(self, asked: Asked) -> Prepared:
        self._require_fitting(asked)
        if self.kind == "vision":
            pixels = read_picture(self.processor, asked.picture)
            grid = patch_grid(getattr(self.made.config, "vision_config", self.made.config).to_dict(), pixels)
            return Prepared({"pixel_values": self._put(pixels)}, {}, (), grid, seen_picture(self.processor, pixels))
        if self.kind == "clip":
            return self._prepare_pair(asked)
        if self.kind == "encoder-decoder":
            return self._prepare_both(asked)
        ids, reading = self._read(asked, "text")
        return Prepared({"input_ids": self._put(torch.tensor([ids]))}, {"text": (reading,)})

    def _require_fitting(self, asked: Asked) -> None:
        """Raise WrongInput for a picture given to a model of text, and the like."""
        if asked.picture is not None and "picture" not in self.takes:
            raise WrongInput(
                f"{self.title} reads text; it cannot look at a picture. Type a sentence, or open a vision model."
            )
        if asked.text and not self.takes & {"text", "captions"}:
            what = "looks at pictures" if "picture" in self.takes else "listens to sound"
            raise WrongInput(f"{self.title} {what}; it cannot read a text.")

    def _read(self, asked: Asked, name: str) -> tuple[list[int], Reading]:
        if asked.ids is None:
            return read_text(self.tokenizer, asked.text, name, limit=self.context, fit=asked.fit)
        if not asked.ids:
            raise WrongInput("There are no token ids.")
        self._require_room(len(asked.ids))
        return list(asked.ids), read_ids(self.tokenizer, asked.ids, name, text=asked.text)

    def whole(self, text: str) -> Reading:
        if self.tokenizer is None:
            raise NotForThisModel(f"{self.title} reads no text.")
        return read_text(self.tokenizer, text, "text", limit=None)[1]

    def _prepare_pair(self, asked: Asked) -> Prepared:
        captions = asked.captions or ((asked.text,) if asked.text else ())
        if not captions or not all(caption.strip() for caption in captions):
            raise WrongInput("Type at least one caption to compare the picture with; none of them may be empty.")
        pixels = read_picture(self.processor, asked.picture)
        read = [read_text(self.tokenizer, caption, "text", limit=self.context, fit=asked.fit) for caption in captions]
        # SigLIP was trained on texts of full length; CLIP hides what texts are filled up with.
        whole = self.folder.model_type.startswith("siglip")
        length = self.context if whole and self.context else max(len(ids) for ids, _ in read)
        fill = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([row + [fill] * (length - len(row)) for row, _ in read])
        given = {"input_ids": self._put(ids), "pixel_values": self._put(pixels)}
        if not whole:
            given["attention_mask"] = self._put(
                torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row, _ in read])
            )
        pad = replace(token_of(self.tokenizer, fill), special=True)
        readings = tuple(
            replace(reading, tokens=reading.tokens + (pad,) * (length - len(reading))) for _, reading in read
        )
        grid = patch_grid(self.made.config.vision_config.to_dict(), pixels)
        return Prepared(given, {"text": readings}, captions, grid, seen_picture(self.processor, pixels))

    def _prepare_both(self, asked: Asked) -> Prepared:
        config = self.made.config
        start = config.decoder_start_token_id if config.decoder_start_token_id is not None else config.bos_token_id
        ids, tokens, text = [int(start)], [token_of(self.tokenizer, int(start))], asked.target
        if text.strip():
            more, reading = read_text(self.tokenizer, text, "target", limit=self._room, special=False, fit=asked.fit)
            ids, tokens = ids + more, tokens + list(reading.tokens)
        target = Reading("target", tuple(tokens), text, offsets="exact" if self.tokenizer.is_fast else "pieces")
        given = {"decoder_input_ids": self._put(torch.tensor([ids]))}
        if "sound" in self.takes:
            given["input_features"] = self._put(read_sound(self.processor, asked.sound))
            return Prepared(given, {"target": (target,)})
        source, reading = self._read(asked, "source")
        given["input_ids"] = self._put(torch.tensor([source]))
        return Prepared(given, {"source": (reading,), "target": (target,)})

    def run(self, prepared: Prepared, listener: Listener, *, states: bool = False, cache: bool = False) -> Ran:
        given: dict[str, Any] = dict(prepared.arguments)
        if self.kind in ("causal", "encoder-decoder"):
            given |= {"use_cache": cache, **({"past_key_values": self._memory()} if cache else {})}
        return self._computed(given, prepared, listener, states)

    def extend(self, prepared: Prepared, before: Ran, listener: Listener, *, states: bool = False) -> Ran:
        past, encoded = before.cache
        if self.kind == "causal":
            given = {"input_ids": prepared.arguments["input_ids"][:, -1:]}
        else:
            given = {"decoder_input_ids": prepared.arguments["decoder_input_ids"][:, -1:], "encoder_outputs": encoded}
        return self._computed({**given, "use_cache": True, "past_key_values": past}, prepared, listener, states)

    def _computed(self, given: dict[str, Any], prepared: Prepared, listener: Listener, states: bool) -> Ran:
        if self.kind == "causal" and "logits_to_keep" in self._accepts:
            given["logits_to_keep"] = 1
        handed = None if self.functional else HandedWeights(self.made, listener, self._names)
        if handed is not None:
            require_memory(max(v.shape[1] for v in given.values() if isinstance(v, Tensor)), *self.size)
        norm = FinalNorm(self.made, self.kind) if states else None
        with ExitStack() as stack:
            stack.enter_context(listening(listener))
            for watcher in (handed, norm):
                if watcher is not None:
                    stack.enter_context(watcher)
            out = self.made(**given, output_hidden_states=states, **({"output_attentions": True} if handed else {}))
        answers, about = self._answers(out, prepared)
        kept = None
        if norm is not None:
            kept = norm.states(getattr(out, "decoder_hidden_states", None) or out.hidden_states)
        remembered = (getattr(out, "past_key_values", None), given.get("encoder_outputs") or _encoded(out))
        return Ran(answers, about, kept, handed.named(out) if handed else {}, remembered)

    def _answers(self, out: Any, prepared: Prepared) -> tuple[Tensor, tuple[str, ...]]:
        if self.kind == "clip":
            return out.logits_per_image, ("caption",)
        logits = getattr(out, "logits", None)
        if logits is None:
            return torch.zeros(0, 0), ()
        if self.kind in ("causal", "encoder-decoder"):
            return logits[0, -1:], ("next token",)
        if logits.dim() == 2:
            return logits[:1], ("class",)
        places = self.asked_places(prepared)
        return logits[0, places], tuple(f"{self.tokenizer.mask_token} at {place}" for place in places)

    def asked_places(self, prepared: Prepared) -> list[int]:
        """Where a text has gaps to be filled ([MASK]); none for models that fill no gaps."""
        mask = getattr(self.tokenizer, "mask_token_id", None)
        if mask is None or "MaskedLM" not in type(self.made).__name__:
            return []
        found: list[int] = (prepared.arguments["input_ids"][0] == mask).nonzero()[:, 0].tolist()
        return found

    def judge(self, prepared: Prepared, states: Tensor) -> Tensor:
        places = self.asked_places(prepared) if self.kind == "encoder" else None
        return judged(self.made, self.kind, prepared.arguments, states, places)

    def longer(self, prepared: Prepared, token: int) -> Prepared:
        argument, name = ("input_ids", "text") if self.kind == "causal" else ("decoder_input_ids", "target")
        ids = prepared.arguments[argument]
        self._require_room(ids.shape[1] + 1)
        reading = prepared.readings[name][0]
        more = replace(reading, tokens=(*reading.tokens, token_of(self.tokenizer, token)))
        given = {**prepared.arguments, argument: torch.cat([ids, ids.new_tensor([[token]])], dim=1)}
        return replace(prepared, arguments=given, readings={**prepared.readings, name: (more,)})

    @property
    def remembers(self) -> bool:
        """All that write, but for T5 with halves of different depth: its cache counts the encoder's layers (5.23)."""
        config = self.made.config
        if "past_key_values" not in self._accepts:
            return False
        even = getattr(config, "num_decoder_layers", None) in (None, getattr(config, "num_layers", None))
        return self.kind == "causal" or (
            self.kind == "encoder-decoder" and (even or "t5" not in self.folder.model_type)
        )

    def _memory(self) -> Any:
        # Without a configuration every layer keeps all it has read, so that rows of all steps fit together.
        from transformers import DynamicCache, EncoderDecoderCache

        return DynamicCache() if self.kind == "causal" else EncoderDecoderCache(DynamicCache(), DynamicCache())

    def cache_bytes(self, ran: Ran) -> int:
        past = ran.cache[0]
        parts = [past] if self.kind == "causal" else [past.self_attention_cache, past.cross_attention_cache]
        return sum(
            layer.keys.nbytes + layer.values.nbytes for part in parts for layer in part.layers if layer.keys is not None
        )

    def ends(self, token: int) -> bool:
        end = getattr(self.made.generation_config, "eos_token_id", None)
        end = self.made.config.eos_token_id if end is None else end
        return token in end if isinstance(end, list) else token == end

    def label(self, index: int, prepared: Prepared) -> str:
        if self.kind == "clip":
            return prepared.captions[index]
        if self.kind == "vision" or "Classification" in type(self.made).__name__:
            return str(self.made.config.id2label.get(index, index))
        return shown_id(self.tokenizer, index)

    def link(self) -> str:
        several = getattr(self.made.config, "problem_type", None) == "multi_label_classification"
        return "sigmoid" if several or self.folder.model_type.startswith("siglip") else "softmax"

    @property
    def size(self) -> tuple[int, int]:
        shapes = [self.made.config]
        if self.kind == "clip":
            shapes = [self.made.config.text_config, self.made.config.vision_config]
        layers = sum(_number(shape, "num_hidden_layers", "encoder_layers", "num_layers") for shape in shapes)
        return layers * (3 if self.kind == "encoder-decoder" else 1), max(
            _number(shape, "num_attention_heads", "num_heads") for shape in shapes
        )

    def _put(self, tensor: Tensor) -> Tensor:
        tensor = tensor.to(next(self.made.parameters()).dtype) if tensor.is_floating_point() else tensor
        return tensor.to(self.device)

    @property
    def _room(self) -> int | None:
        """Tokens a decoder may write after its first."""
        config = self.made.config
        most = getattr(config, "max_target_positions", None) or getattr(config, "max_position_embeddings", None)
        return None if most is None else int(most) - 1

    def _require_room(self, count: int) -> None:
        limit = self.context if self.kind != "encoder-decoder" or self._room is None else self._room + 1
        if limit is not None and count > limit:
            raise TooLong(f"{count:,} tokens are more than the {limit:,} that {self.title} reads.", count, limit)


def _encoded(out: Any) -> Any:
    last = getattr(out, "encoder_last_hidden_state", None)
    if last is None:
        return None
    from transformers.modeling_outputs import BaseModelOutput

    return BaseModelOutput(last_hidden_state=last)


def _number(config: Any, *names: str) -> int:
    """A whole number of a configuration by the first name that it has; of a list (Swin) the largest."""
    found = next((value for value in (getattr(config, name, None) for name in names) if value is not None), 1)
    return max(found) if isinstance(found, list | tuple) else int(found)


def context_of(config: Any, tokenizer: Any) -> int | None:
    """Most tokens a model reads: the least of what it has places for and what its tokenizer says; None for no limit."""
    text: Any = config.get_text_config()
    known: Sequence[Any] = [
        getattr(text, name, None) for name in ("max_position_embeddings", "n_positions", "max_seq_len")
    ]
    limits = [value for value in known if isinstance(value, int) and value > 0]
    if limits and text.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet", "data2vec-text"):
        limits = [min(limits) - text.pad_token_id - 1]  # places are counted from behind the padding
    said = getattr(tokenizer, "model_max_length", None)
    if isinstance(said, int) and 0 < said < 1 << 24:
        limits.append(said)
    return min(limits) if limits else None
