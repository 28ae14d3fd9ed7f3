"""What can go wrong with a public checkpoint, in words a person can act on, and what could be done as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Offer:
    """Something that would help: `text` for a button, `changes` to what was asked or to how the model is loaded.

    Keys of `changes` are parameters of `load_external` ("offload", "dtype", "tiling") or fields of `Asked` ("width",
    "height", "seeds"); a dtype is its name, "float16".
    """

    text: str
    changes: Mapping[str, object] = field(default_factory=dict)


class ExternalError(ValueError):
    """A public checkpoint that cannot be opened or run as asked; the message says why and what to do."""

    def __init__(self, text: str, offers: Sequence[Offer] = ()) -> None:
        super().__init__(text)
        self.offers = tuple(offers)


class PickleRefused(ExternalError):
    """Weights in a pickle, which may run code while it is read; `conversion` can make safetensors of them."""


class DeviceFull(ExternalError, MemoryError):
    """The device ran out of memory; `offers` are what needs less."""
