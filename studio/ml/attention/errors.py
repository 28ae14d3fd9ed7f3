"""What can go wrong while attention is looked at, in words that say what to do."""

from __future__ import annotations


class AttentionError(ValueError):
    """Something a person can put right; the message says how."""


class NotAModelFolder(AttentionError):
    """A place that holds no transformers model that can be shown."""


class Incomplete(AttentionError):
    """A model folder without its weights, tokenizer or image processor. missing: the names of what is not there."""

    def __init__(self, text: str, missing: tuple[str, ...]) -> None:
        self.missing = missing
        super().__init__(text)


class RemoteCodeRefused(AttentionError):
    """A folder that wants to run Python code of its own."""


class PicklesRefused(AttentionError):
    """Weights in a pickle, which may run code while it is read."""


class Quantised(AttentionError):
    """Weights in a compressed form that cannot be computed with here. method: its name in the configuration."""

    def __init__(self, text: str, method: str) -> None:
        self.method = method
        super().__init__(text)


class BrokenWeights(AttentionError):
    """Weights that are not numbers, or do not belong to the model. names: the tensors."""

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(text)


class WrongInput(AttentionError):
    """An empty text, a picture for a model of text, or nothing that this model can read."""


class TooLong(AttentionError):
    """More tokens than the model can read, or than there is memory for. count, limit: tokens."""

    def __init__(self, text: str, count: int, limit: int) -> None:
        self.count, self.limit = count, limit
        super().__init__(text)


class NotForThisModel(AttentionError):
    """A question that this model, or this way of capturing it, cannot answer; the message says why."""
