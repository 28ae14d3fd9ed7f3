"""The published ADM classifiers as a table of configurations.

Source: guided-diffusion's sampling flags (arXiv 2105.05233): width 128, attention at 32, 16 and 8 pixels, heads of 64
channels, attention pooling; depth 4 for 64 pixels and 2 for the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.ml.diffusion.classifier import ClassifierConfig, EncoderUNet
from studio.ml.diffusion.weights import Shapes, made_on

IMAGENET_CLASSES = 1000
ATTENTION_PIXELS = (32, 16, 8)


@dataclass(frozen=True)
class ReleasedClassifier:
    """One published classifier: its shape and the schedule of the diffusion model it guides."""

    name: str
    title: str
    schedule: str
    config: ClassifierConfig

    def build(self, *, device: str = "meta") -> EncoderUNet:
        """The network without weights; on the meta device it takes no memory."""
        with made_on(device):
            return EncoderUNet(self.config)

    def shapes(self) -> Shapes:
        """Tensor names and shapes in the checkpoint's order."""
        return {name: tuple(value.shape) for name, value in self.build().state_dict().items()}


def released_classifiers() -> dict[str, ReleasedClassifier]:
    """Every published classifier by name."""
    classifiers = [
        _classifier(64, "squaredcos_cap_v2", depth=4, mult=(1, 2, 3, 4)),
        _classifier(128, "linear", depth=2, mult=(1, 1, 2, 3, 4)),
        _classifier(256, "linear", depth=2, mult=(1, 1, 2, 2, 4, 4)),
        _classifier(512, "linear", depth=2, mult=(0.5, 1, 1, 2, 2, 4, 4)),
    ]
    return {classifier.name: classifier for classifier in classifiers}


def _classifier(size: int, schedule: str, *, depth: int, mult: tuple[float, ...]) -> ReleasedClassifier:
    config = ClassifierConfig(
        image_size=size,
        out_channels=IMAGENET_CLASSES,
        model_channels=128,
        num_res_blocks=depth,
        attention_resolutions=tuple(size // pixels for pixels in ATTENTION_PIXELS),
        channel_mult=mult,
        num_head_channels=64,
    )
    return ReleasedClassifier(f"adm-{size}-classifier", f"ADM ImageNet {size}x{size} classifier", schedule, config)
