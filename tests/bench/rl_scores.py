"""What the presets reach: `python -m tests.bench.rl_scores PROGRESS.jsonl` trains each over five seeds and judges it.

A preset's agent trains for its steps; then 100 episodes of its best actions count, from starts that it has not seen.
Every finished seed is a line in the file, and a second call goes on with what is missing. It runs at low priority, on
one thread, and prints the table of the help at its end (or at once with --table).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from studio.ml.rl import learners
from studio.ml.rl.evaluation import evaluate
from studio.ml.rl.plan import Plan
from studio.ml.rl.presets import Preset, presets
from studio.ml.rl.worlds import describe

SEEDS, EPISODES, STREAK, NICE = 5, 100, 20, 10


def main(arguments: Sequence[str]) -> int:
    """Measures what is missing, then prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rl_scores", description=__doc__)
    parser.add_argument("file", type=Path, help="where finished seeds are written, a JSON line each")
    parser.add_argument("--only", nargs="*", default=[], metavar="WORLD/AGENT", help="such as CartPole-v1/ppo (all)")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--table", action="store_true", help="print the table of what is there and measure nothing")
    options = parser.parse_args(arguments)
    chosen = [preset for preset in presets() if not options.only or name_of(preset) in options.only]
    if unknown := set(options.only) - {name_of(preset) for preset in presets()}:
        parser.error(f"there is no preset {', '.join(sorted(unknown))}; there are {', '.join(map(name_of, presets()))}")
    if not options.table:
        if hasattr(os, "nice"):
            os.nice(NICE)
        torch.set_num_threads(1)
        # Quick ones first, and every preset once before any a second time.
        todo = [(seed, preset) for seed in range(options.seeds) for preset in sorted(chosen, key=lambda p: p.steps)]
        for seed, preset in todo:
            if (name_of(preset), mark_of(preset), seed) not in finished(options.file):
                result = measure(preset, seed)
                append(options.file, json.dumps(result))
                took = f"{result['mean']:.1f} after {result['seconds']:.0f} s"
                print(f"{name_of(preset)} seed {seed}: {took}", flush=True)
    print(table(chosen, finished(options.file)))
    return 0


def name_of(preset: Preset) -> str:
    return f"{preset.world.id}/{preset.kind}"


def mark_of(preset: Preset) -> str:
    """Changes with anything that the result depends on, save the code."""
    plan = Plan(preset.world, preset.kind, preset.settings, 0, 1, preset.steps)
    return hashlib.blake2b(json.dumps(plan.to_json(), sort_keys=True).encode(), digest_size=6).hexdigest()


def finished(path: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Results by preset, mark and seed; a line that was cut off by the end of a process is measured again."""
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            told = json.loads(line)
            found[told["preset"], told["mark"], told["seed"]] = told
        except (ValueError, KeyError, TypeError):
            continue
    return found


def append(path: Path, line: str) -> None:
    """Adds a line, also after one that was cut off."""
    whole = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(("" if whole else "\n") + line + "\n")


def measure(preset: Preset, seed: int) -> dict[str, Any]:
    """One seed: trained, then evaluated. reached: steps and seconds until the last 20 episodes were solved ones."""
    threshold = describe(preset.world).threshold
    learner = learners.make(preset.kind, preset.world, preset.settings, seed, preset.steps)
    lately: deque[float] = deque(maxlen=STREAK)
    reached, began = None, time.process_time()
    while learner.steps < preset.steps:
        lately.extend(episode.total for episode in learner.advance().episodes)
        if reached is None and threshold is not None and len(lately) == STREAK and statistics.mean(lately) >= threshold:
            reached = [learner.steps, round(time.process_time() - began, 2)]
    seconds = time.process_time() - began
    for told in evaluate(learner.policy(), preset.world, seed, EPISODES):
        result = told
    learner.close()
    return {
        "preset": name_of(preset), "mark": mark_of(preset), "seed": seed, "steps": learner.steps,
        "seconds": round(seconds, 1), "mean": round(result.mean, 3), "deviation": round(result.deviation, 3),
        "training": round(statistics.mean(lately), 2) if lately else None, "reached": reached, "threshold": threshold,
    }  # fmt: skip


def table(chosen: Sequence[Preset], found: dict[tuple[str, str, int], dict[str, Any]]) -> str:
    """Markdown: a row for each preset that has a result."""
    lines = [
        "| world | agent | steps | mean return of 100 episodes, seed by seed | mean | solved | seconds, until solved |",
        "|---|---|---|---|---|---|---|",
    ]
    for preset in chosen:
        rows = [told for key, told in sorted(found.items()) if key[:2] == (name_of(preset), mark_of(preset))]
        if not rows:
            continue
        means = [row["mean"] for row in rows]
        threshold = rows[0]["threshold"]
        solved = "" if threshold is None else f"{sum(m >= threshold for m in means)} of {len(means)} (≥ {threshold:g})"
        took = f"{statistics.median(row['seconds'] for row in rows):.0f}"
        if reached := [row["reached"][1] for row in rows if row["reached"]]:
            took += f", {statistics.median(reached):.0f}"
        told = ", ".join(f"{mean:.4g}" for mean in means)
        title = learners.kind_of(preset.kind).title
        mean = f"{statistics.mean(means):.4g}"
        lines.append(f"| {preset.world.id} | {title} | {preset.steps:,} | {told} | {mean} | {solved} | {took} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
