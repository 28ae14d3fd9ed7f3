"""The training loop on a tiny task: it learns, resumes exactly, and shares work among processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from studio.ml.training import checkpoint
from studio.ml.training.command import main
from studio.ml.training.distributed import World
from studio.ml.training.loop import TrainDone, TrainPreview, TrainSaved, TrainStep, train
from studio.ml.training.settings import TrainSettings

ALONE = World(0, 1, torch.device("cpu"))
SETTINGS = TrainSettings(steps=30, batch=8, learning_rate=0.02, warmup=3, precision="float32", checkpoint_every=10, sample_every=30)


class Line:
    """Fit y = 2 x1 - x2 with dropout, so that the loop's random numbers matter."""

    name = "line"

    def build(self):
        return nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.1), nn.Linear(8, 1))

    def sample(self, index):
        x = torch.from_numpy(np.random.default_rng(index).standard_normal(2).astype(np.float32))
        return {"x": x, "y": 2 * x[:1] - x[1:]}

    def loss(self, network, batch):
        error = (network(batch["x"]) - batch["y"]).square().mean()
        return error, {"error": error.detach()}

    def preview(self, network):
        return np.zeros((2, 2, 3), np.uint8)

    def export(self, network, folder, facts):
        raise AssertionError("the loop does not export")


def run(folder: Path, settings=SETTINGS, stop_after=None):
    events = []
    for event in train(Line(), settings, folder, ALONE, log_every=1):
        events.append(event)
        if isinstance(event, TrainSaved) and event.step == stop_after:
            break
    return events


def weights(event: TrainDone):
    return torch.cat([p.flatten() for p in event.network.parameters()])


def test_it_learns_and_reports(tmp_path):
    events = run(tmp_path, SETTINGS.model_copy(update={"steps": 200}))
    steps = [e for e in events if isinstance(e, TrainStep)]
    assert [e.step for e in steps] == list(range(1, 201))
    assert np.mean([e.metrics["loss"] for e in steps[-20:]]) < 0.2 * steps[0].metrics["loss"]
    assert sum(isinstance(e, TrainPreview) for e in events) == 7
    assert isinstance(events[-1], TrainDone)


@pytest.mark.parametrize("stop", [10, 20])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, stop):
    whole = run(tmp_path / "whole")[-1]
    run(tmp_path / "cut", stop_after=stop)
    resumed = run(tmp_path / "cut")
    assert next(e for e in resumed if isinstance(e, TrainStep)).step == stop + 1
    assert torch.equal(weights(whole), weights(resumed[-1]))


def test_a_finished_run_resumes_to_its_end_at_once(tmp_path):
    done = run(tmp_path)[-1]
    again = run(tmp_path)
    assert len(again) == 1 and torch.equal(weights(done), weights(again[0]))


def test_a_damaged_checkpoint_says_what_to_do(tmp_path):
    (tmp_path / "last.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(checkpoint.CheckpointError, match="delete it"):
        run(tmp_path)


def test_a_pickle_in_a_checkpoint_is_not_executed(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "boom"),))

    torch.save({"network": Bomb()}, tmp_path / "last.pt")
    with pytest.raises(checkpoint.CheckpointError):
        run(tmp_path)
    assert not (tmp_path / "boom").exists()


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    class Broken(Line):
        def loss(self, network, batch):
            loss, parts = super().loss(network, batch)
            return loss * float("nan"), parts

    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        list(train(Broken(), SETTINGS, tmp_path, ALONE, log_every=1))


def test_rate_and_moving_average_schedules():
    settings = SETTINGS.model_copy(update={"steps": 100, "warmup": 10, "decay_share": 0.2, "learning_rate": 1.0})
    rates = [settings.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9:81] == [1.0] * 72 and rates[90] == pytest.approx(0.5)
    assert settings.ema_decay(0) == pytest.approx(0.1) and settings.ema_decay(10**6) == settings.ema


PARALLEL = """
import sys, torch
sys.path.insert(0, {here!r})
from pathlib import Path
from test_loop import Line, SETTINGS
from studio.ml.training.distributed import joined
from studio.ml.training.loop import TrainDone, train
class Plain(Line):
    def build(self): return torch.nn.Linear(2, 1)
with joined("cpu") as world:
    *_, done = train(Plain(), SETTINGS, Path(sys.argv[1]), world)
    if world.leads: torch.save(done.network.state_dict(), sys.argv[1] + "/out.pt")
"""


def test_two_processes_compute_what_one_does(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PARALLEL.format(here=str(Path(__file__).parent)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    results = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        subprocess.run([*launch, str(script), str(folder)], check=True, env=environment, timeout=240, capture_output=True)
        results.append(torch.load(folder / "out.pt", weights_only=True))
    for name, value in results[0].items():
        assert torch.allclose(value, results[1][name], atol=1e-6)


def test_the_command_names_what_is_wrong(tmp_path, capsys):
    assert main(["emoji-base", "--folder", str(tmp_path), "--steps", "0"]) == 2
    assert "steps" in capsys.readouterr().err
