"""`glassbox train RECIPE`: run a recipe on the CPU, one GPU, or several processes under torchrun."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from studio.ml.training.checkpoint import CheckpointError
from studio.ml.training.distributed import World, joined
from studio.ml.training.loop import TrainDone, TrainEvent, TrainPreview, TrainStep, train
from studio.ml.training.recipes import Recipe, recipes


def main(argv: Sequence[str]) -> int:
    """Parse the arguments, train, export; 0 on success, 2 with a message on an error a person can mend."""
    known = recipes()
    parser = argparse.ArgumentParser(prog="glassbox train", description="Train a model that ships with the studio.")
    parser.add_argument("recipe", choices=sorted(known), help="; ".join(f"{k}: {v.about}" for k, v in known.items()))
    parser.add_argument("--folder", type=Path, help="where checkpoints and logs go (default: runs/RECIPE); resumes if it is there")
    parser.add_argument("--out", type=Path, help="model folder to write at the end (default: FOLDER/model)")
    parser.add_argument("--steps", type=int, help="optimiser steps instead of the recipe's")
    parser.add_argument("--batch", type=int, help="pictures per step over all processes, instead of the recipe's")
    parser.add_argument("--precision", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--threads", type=int, help="CPU threads for torch")
    parser.add_argument("--workers", type=int, default=0, help="processes that render pictures")
    options = parser.parse_args(argv)
    recipe = known[options.recipe]
    changed = {key: getattr(options, key) for key in ("steps", "batch", "precision") if getattr(options, key) is not None}
    try:
        settings = type(recipe.settings).model_validate({**recipe.settings.model_dump(), **changed})
        if options.threads:
            torch.set_num_threads(options.threads)
        folder = options.folder or Path("runs") / options.recipe
        with joined(options.device) as world:
            _run(options.recipe, Recipe(recipe.task, settings, recipe.about), folder, options.out, world, options.workers)
    except (ValueError, CheckpointError, FloatingPointError, OSError) as error:
        print(f"glassbox train: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; run the same command to go on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _run(name: str, recipe: Recipe, folder: Path, out: Path | None, world: World, workers: int) -> None:
    task = recipe.task()
    folder.mkdir(parents=True, exist_ok=True)
    for event in train(task, recipe.settings, folder, world, workers=workers):
        if world.leads:
            _report(event, folder)
        if world.leads and isinstance(event, TrainDone):
            facts = {
                "Recipe": f"`glassbox train {name} --steps {recipe.settings.steps}`: {recipe.about}.\n\n"
                f"Settings: `{recipe.settings.model_dump_json()}`",
                "Training": f"{recipe.settings.steps * recipe.settings.batch:,} examples in {event.seconds / 60:.0f} minutes on "
                f"{_device_name(world)}, {world.size} process(es), torch {torch.__version__}; the moving average of the weights is kept.",
            }
            task.export(event.network, out or folder / "model", facts)
            print(f"model written to {out or folder / 'model'}")


def _report(event: TrainEvent, folder: Path) -> None:
    if isinstance(event, TrainStep):
        left = (event.total - event.step) / max(event.rate, 1e-9)
        numbers = "  ".join(f"{key} {value:.4f}" for key, value in event.metrics.items())
        print(f"{event.step}/{event.total}  {numbers}  {event.rate:.1f} examples/s", flush=True)
        line = {"step": event.step, "time": time.time(), "rate": event.rate, **event.metrics, "steps_left_per_rate": left}
        with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    elif isinstance(event, TrainPreview):
        Image.fromarray(event.picture).save(folder / f"preview-{event.step:07d}.png")


def _device_name(world: World) -> str:
    if world.device.type == "cuda":
        return torch.cuda.get_device_name(world.device)
    return f"{world.device.type} ({torch.get_num_threads()} threads)"
