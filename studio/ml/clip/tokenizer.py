"""Text to the tokens that CLIP's text encoder reads: every prompt ends in a token of its own, where it is read."""

from __future__ import annotations

from studio.ml.diffusion.words import WordTokenizer


class EndedWords(WordTokenizer):
    """Words of a small closed language; id 0 ends the prompt (its mask is True there) and fills the rest."""

    def encode(self, text: str, length: int) -> tuple[list[int], list[bool]]:
        """Ids and mask, both `length` long; of the words at most `length` - 1 have room."""
        ids, used = super().encode(text, length - 1)
        return [*ids, 0], [True, *used]

    def overflow(self, text: str, length: int) -> int:
        """How many known words do not fit beside the end."""
        return super().overflow(text, length - 1)
