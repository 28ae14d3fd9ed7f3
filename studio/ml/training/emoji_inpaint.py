"""Training task: GLIDE's inpainting model, by fine-tuning the text-to-image model (Nichol et al. 2021, sec. 3.3).

The network gets four more input channels, the known pixels and the mask. Their weights begin at zero, so that the first
step's network is the text-to-image model exactly, and learns from there what the known pixels say.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from studio.ml.data import captions, masks, scenes
from studio.ml.diffusion.glide import load_text2im
from studio.ml.diffusion.inpainting import Inpainter
from studio.ml.diffusion.sampling import Sampling
from studio.ml.diffusion.unet import InpaintText2ImUNet, Text2ImUNet, TextTokens
from studio.ml.diffusion.words import WordTokenizer
from studio.ml.training.diffusion_loss import HybridLoss
from studio.ml.training.emoji import PREVIEW_SCALE, PREVIEW_STEPS, EmojiBase
from studio.ml.training.task import Batch

_MASK_STREAM = 1
EVEN_SHARE = 0.3
"""Share of the loss that falls on the whole picture; the rest falls on the hole alone, however small it is."""
NOISY_FLOOR = 0.3
"""What the noisiest steps weigh at least: there the hole takes its colours from what surrounds it."""


class EmojiInpaint(EmojiBase):
    """Learn p(hole | caption, known pixels). `base` is the folder of the text-to-image model to start from.

    Where an object is erased, half the captions name that object alone, as a person does who fills a hole. Raises
    ValueError when the base was trained on another vocabulary, and what `load_text2im` raises.
    """

    name = "emoji-inpaint"
    kind = "inpaint"

    def __init__(self, base: Path, vocabulary: scenes.Vocabulary, *, seed: int = 0) -> None:
        self.base = load_text2im(base)
        network = {**self.base.net.config.model_dump(), **self.base.net.text.model_dump()}
        network["in_channels"] += 4
        super().__init__(self.base.image_size, vocabulary, network, seed=seed)
        known = self.base.tokenizer
        if not isinstance(known, WordTokenizer) or known.words != self.tokenizer.words:
            raise ValueError(f"{base.name} knows other words; train {self.name} from a base of the same vocabulary")
        self.objective = HybridLoss(self.schedule, floor=NOISY_FLOOR)

    def build(self) -> InpaintText2ImUNet:
        return widened(self.base.net)

    def sample(self, index: int) -> dict[str, Tensor]:
        """As the base's, and keep [1, H, W] bool."""
        example = super().sample(index)
        scene = self.scene(index, np.random.default_rng((self.seed, index)))
        rng = np.random.default_rng((self.seed, index, _MASK_STREAM))
        shape, placed = masks.draw_shape(rng), scene.objects[rng.integers(len(scene.objects))]
        if shape == "object" and example["mask"].any() and rng.random() < 0.5:
            example["tokens"], example["mask"] = self._encode(captions.caption(scenes.alone(placed, scene), rng))
        return {**example, "keep": torch.from_numpy(masks.draw(rng, shape, self.pixels, placed)[None])}

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        x0, t, noise, keep = batch["image"], batch["t"], batch["noise"], batch["keep"]
        x_t = self.objective.noised(x0, t, noise).contiguous(memory_format=torch.channels_last)
        output = network(x_t, t, TextTokens(batch["tokens"], batch["mask"]), image=x0, mask=keep)
        return self.objective(output, x0, x_t, t, noise, hole_weights(keep))

    @torch.no_grad()
    def preview(self, network: nn.Module) -> NDArray[np.uint8]:
        """Three rows: scenes, what is known of them, and what the network makes of it."""
        assert isinstance(network, InpaintText2ImUNet)
        rng = np.random.default_rng(1)
        kinds: tuple[scenes.Kind, ...] = (*("single",) * 6, *("relation",) * 4, "count", "trio")
        shown = [scenes.draw(rng, self.vocabulary, kind=kind, held=None) for kind in kinds]
        true = np.stack([scenes.render(scene, self.pixels) for scene in shown])
        keep = np.stack([masks.without_object(scene.objects[0], self.pixels) for scene in shown])[..., None]
        prompts = [captions.plain_caption(scenes.alone(scene.objects[0], scene)) for scene in shown]
        image = torch.from_numpy(true.transpose(0, 3, 1, 2)).float() / 127.5 - 1
        mask = torch.from_numpy(keep.transpose(0, 3, 1, 2))
        model = Inpainter(self.name, network, self.tokenizer, self.schedule, self.pixels, prediction="v")
        sampling = Sampling(steps=PREVIEW_STEPS)
        *_, last = model.sample(image, mask, prompts, range(len(shown)), scale=PREVIEW_SCALE, sampling=sampling)
        drawn = ((last.x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        rows = true, np.where(keep, true, np.uint8(128)), drawn
        return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)

    def _about(self) -> str:
        return (
            f"GLIDE's inpainting model, fine-tuned from `{self.base.name}` (sha256 {self.base.sha256[:12]}): besides "
            "the noisy picture it sees the known pixels and the mask, so that what it draws in a hole joins what "
            f"surrounds it. Pictures of {self.pixels}x{self.pixels}. With everything unknown it draws from text alone."
        )

    def _data(self) -> str:
        shapes = ", ".join(f"{shape} {share:.0%}" for shape, share in masks.SHAPES.items())
        return f"{super()._data()}\n\nErased in training (`studio.ml.data.masks`): {shapes}."


def widened(base: Text2ImUNet) -> InpaintText2ImUNet:
    """The inpainting network that computes what `base` does: its new input channels weigh nothing."""
    config = base.config.model_copy(update={"in_channels": base.config.in_channels + 4})
    network = InpaintText2ImUNet(config, base.text)
    weights = dict(base.state_dict())
    first = "input_blocks.0.0.weight"
    weights[first] = nn.functional.pad(weights[first], (0, 0, 0, 0, 0, 4))
    network.load_state_dict(weights)
    return network


def hole_weights(keep: Tensor) -> Tensor:
    """Weights of the pixels [B, 1, H, W], mean 1: EVEN_SHARE everywhere, the rest in the hole, where there is one."""
    hole = (~keep).float()
    share = hole.mean(dim=(1, 2, 3), keepdim=True)
    return torch.where(share > 0, EVEN_SHARE + (1 - EVEN_SHARE) * hole / share.clamp(min=1e-6), torch.ones_like(hole))
