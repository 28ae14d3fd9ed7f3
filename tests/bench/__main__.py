"""`glassbox bench [NAME ...]`: measure the figures the studio promises and print each beside its limit.

Every bench runs in a fresh process, one after another: nothing that one loaded or warmed up helps the next.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

from tests.bench.figure import Figure

BENCHES = {
    "startup": "time to first paint and to ready",
    "lag": "how late the window answers while the engine works",
    "canvas": "painting at 4096 x 4096: latency, also while the engine draws, and memory",
    "responses": "cancel, and replace on the quick lane",
    "sampling": "our sampling loop against diffusers'",
    "gp_drag": "from a mouse move to the picture of a dragged Gaussian process, while a network trains",
    "accelerator": "our sampling against a diffusers pipeline, on the accelerator where there is one",
    "guidance": "cost of each kind of guidance against its arithmetic",
    "upsampling": "time to enlarge one picture",
    "gp": "Gaussian processes against scikit-learn and GPyTorch, and while a point is dragged",
    "attention": "capturing attention against a plain pass, and maps of long texts",
    "attention_view": "a frame of 1,024 heads, and of a map of 4,096 tokens while it is panned and zoomed",
    "rl": "agents against Stable-Baselines3 at equal settings, tables, worlds, and what watching costs",
    "rl_window": "four runs in a real window: its lag, a Gaussian process dragged beside them, the cost of watching",
    "quality": "few-step default against 100 DDPM steps, as the oracle sees it",
}


def main(arguments: Sequence[str]) -> int:
    """Run the named benches (all without a name); 1 when a figure is past its limit."""
    parser = argparse.ArgumentParser(prog="glassbox bench", description="; ".join(f"{k}: {v}" for k, v in BENCHES.items()))
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benches to run (all)")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(BENCHES))
    if unknown:
        parser.error(f"there is no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    if options.in_process:
        figures = importlib.import_module(f"tests.bench.{options.names[0]}").run()
        print(json.dumps([asdict(figure) for figure in figures]))
        return 0
    kept = True
    for name in options.names or BENCHES:
        print(f"{name}: {BENCHES[name]}", flush=True)
        for figure in _measured(name):
            print(f"  {figure}", flush=True)
            kept = kept and figure.ok
    return 0 if kept else 1


def _measured(name: str) -> list[Figure]:
    environment = {**os.environ, "QT_QPA_PLATFORM": os.environ.get("QT_QPA_PLATFORM", "offscreen")}
    command = [sys.executable, "-m", "tests.bench", name, "--in-process"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [Figure(**values) for values in json.loads(done.stdout.splitlines()[-1])]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
