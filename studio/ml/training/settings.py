"""Recipes as data: everything that determines a training run besides the task itself."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TrainSettings(BaseModel):
    """Hyper-parameters of one run. `batch` counts pictures over all processes; times are in optimiser steps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(ge=1)
    batch: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup: int = Field(default=200, ge=0)
    decay_share: float = Field(default=0.25, ge=0, le=1, description="last share of the run in which the rate falls to zero")
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, gt=0)
    ema: float = Field(default=0.999, ge=0, lt=1)
    precision: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    seed: int = 0
    checkpoint_every: int = Field(default=250, ge=1)
    sample_every: int = Field(default=1000, ge=1)

    def rate(self, step: int) -> float:
        """Learning rate at a step: linear warm-up, constant, linear decay to zero at the end."""
        decay = max(1, round(self.steps * self.decay_share))
        rising = (step + 1) / self.warmup if self.warmup else 1.0
        falling = (self.steps - step) / decay
        return self.learning_rate * max(0.0, min(1.0, rising, falling))

    def ema_decay(self, step: int) -> float:
        """Decay of the moving average at a step: short at first, so that the start is forgotten."""
        return min(self.ema, (1 + step) / (10 + step))
