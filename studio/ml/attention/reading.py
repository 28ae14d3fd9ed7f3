"""Text to tokens that know which characters they stand for, by any tokenizer of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.ml.attention.errors import TooLong, WrongInput
from studio.ml.attention.values import Fit, Reading, Token


def read_text(
    tokenizer: Any, text: str, name: str, *, limit: int | None, fit: Fit = "refuse", special: bool = True
) -> tuple[list[int], Reading]:
    """Ids and their Reading. Raises WrongInput for an empty text, TooLong for more than `limit` tokens."""
    if not text.strip():
        raise WrongInput("The text is empty. Type a sentence first.")
    ids, spans, exact = _encoded(tokenizer, text, special, None, fit)
    if not ids:
        raise WrongInput("The tokenizer finds no token in this text. Type other words.")
    if limit is not None and len(ids) > limit:
        if fit == "refuse":
            raise TooLong(
                f"The text has {len(ids):,} tokens; this model reads {limit:,}. Keep its start, its end, or read "
                "it in windows.",
                len(ids), limit,
            )  # fmt: skip
        ids, spans, exact = _encoded(tokenizer, text, special, limit, fit)
    return ids, Reading(name, _tokens(tokenizer, ids, text, spans), text, offsets="exact" if exact else "pieces")


def read_ids(tokenizer: Any, ids: Sequence[int], name: str, *, text: str = "") -> Reading:
    """A Reading of ids that came without a text; the text is what they decode to, unless it is given."""
    text = text or str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))
    return Reading(name, _tokens(tokenizer, list(ids), text, pieces(tokenizer, ids, text)), text, offsets="pieces")


def token_of(tokenizer: Any, token: int) -> Token:
    """One token without a place in a text."""
    return Token(shown_id(tokenizer, token), token, special=token in set(tokenizer.all_special_ids))


def shown_id(tokenizer: Any, token: int) -> str:
    """What an id stands for, as it is shown."""
    name = tokenizer.convert_ids_to_tokens(token)
    if name is None:
        return f"[{token}]"  # models often have more ids than their tokenizer has tokens
    text = "" if token in set(tokenizer.all_special_ids) else str(
        tokenizer.decode([token], clean_up_tokenization_spaces=False)
    )
    return text if text.strip("\ufffd") else str(name)


def pieces(tokenizer: Any, ids: Sequence[int], text: str) -> list[tuple[int, int]]:
    """Spans found by looking for each decoded token after the one before; (-1, -1) where it is not there as written."""
    spans, cursor = [], 0
    lowered, special = text.lower(), set(tokenizer.all_special_ids)
    for token in ids:
        piece = "" if token in special else str(tokenizer.decode([token])).strip().removeprefix("##").lower()
        found = lowered.find(piece, cursor) if piece else -1
        # A match far ahead is another word that only looks alike.
        if found < 0 or found - cursor > 32 or len(lowered) != len(text):
            spans.append((-1, -1))
            continue
        cursor = found + len(piece)
        spans.append((found, cursor))
    return spans


def _encoded(
    tokenizer: Any, text: str, special: bool, limit: int | None, fit: Fit
) -> tuple[list[int], list[tuple[int, int]], bool]:
    """(ids, spans, whether the tokenizer told them itself), cut to `limit` tokens where one is given."""
    exact = bool(getattr(tokenizer, "is_fast", False))
    given: dict[str, Any] = {"add_special_tokens": special, "return_attention_mask": False, "verbose": False}
    side = tokenizer.truncation_side
    if limit is not None:
        given |= {"truncation": True, "max_length": limit}
        tokenizer.truncation_side = "left" if fit == "end" else "right"
    try:
        found = tokenizer(text, return_offsets_mapping=exact, **given)
    finally:
        tokenizer.truncation_side = side
    ids = [int(i) for i in found["input_ids"]]
    if exact:
        return ids, [(int(a), int(b)) if b > a else (-1, -1) for a, b in found["offset_mapping"]], True
    return ids, pieces(tokenizer, ids, text), False


def _tokens(tokenizer: Any, ids: Sequence[int], text: str, spans: Sequence[tuple[int, int]]) -> tuple[Token, ...]:
    special = set(tokenizer.all_special_ids)
    tokens = []
    for i, (token, (start, end)) in enumerate(zip(ids, spans, strict=True)):
        shared = i > 0 and start >= 0 and spans[i - 1] == (start, end)
        shown = text[start:end] if start >= 0 and not shared else shown_id(tokenizer, token)
        tokens.append(Token(shown, token, start, end, token in special))
    return tuple(tokens)
