"""What GLIDE's networks share: a U-Net that reads text, its tokenizer, its schedule, in one object."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol, Self

import torch
from torch import Tensor

from studio.ml.diffusion.denoiser import TextDenoiser, Velocity
from studio.ml.diffusion.noise import NoiseSource
from studio.ml.diffusion.schedule import Schedule
from studio.ml.diffusion.unet import Text2ImUNet, TextFeatures

_REMEMBERED_PROMPTS = 64


class Tokenizer(Protocol):
    """Text to integers: the word tokenizer of the bundled models or GPT-2's byte pairs."""

    @property
    def size(self) -> int: ...
    def encode(self, text: str, length: int) -> tuple[list[int], list[bool]]: ...
    def piece(self, token: int) -> str: ...
    def unknown(self, text: str) -> list[str]: ...
    def overflow(self, text: str, length: int) -> int: ...


class TextModel:
    """A text-conditional diffusion network, ready to be asked for eps; its kinds draw, enlarge or inpaint.

    name: the model's; sha256: of its weights; net and tokenizer: its parts; schedule: all steps it was trained on;
    image_size: pixels of its pictures; prediction: what the network was trained to return, "epsilon" or "v".
    """

    noise_image = 0
    """Which image's noise of each seed the model takes (see `NoiseSource`); a later stage takes another than the first."""

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

    @classmethod
    def of(cls, model: TextModel) -> Self:
        """The same network, schedule and remembered prompts, put to this kind's use."""
        made = cls.__new__(cls)
        made.__dict__.update(model.__dict__)
        return made

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

    def denoiser(
        self, prompts: Sequence[str], *, negative: str = "", inputs: Mapping[str, Tensor] | None = None
    ) -> TextDenoiser:
        """eps(x_t | prompt) and, as its unconditional side, eps(x_t | negative) for a batch; `inputs` as TextDenoiser's.

        A negative prompt takes the empty one's place, so guidance leads away from it.
        """
        return TextDenoiser(
            self.net, self.encode(prompts), self.encode([negative] * len(prompts)), inputs, self._velocity
        )

    def noise(self, prompts: Sequence[str], seeds: Sequence[int]) -> NoiseSource:
        """The noise of a batch. Raises ValueError unless each picture has a prompt and a seed; NoiseKeyError."""
        if len(prompts) != len(seeds):
            raise ValueError(
                f"{len(prompts)} prompts and {len(seeds)} seeds were given; each picture needs one of both."
            )
        return NoiseSource.of_seeds(seeds, image=self.noise_image, device=self.device)

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
