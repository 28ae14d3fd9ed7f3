"""What there is to choose from, and what is said of worlds that are not there."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from typing import Any

import gymnasium as gym
import pytest

from studio.ml.rl.worlds import Family, MissingPackage, UnknownWorld, Worlds, WorldSpec, catalogue, describe


def test_every_world_is_listed_once_in_its_newest_version() -> None:
    families = {family.title: family for family in catalogue()}
    ids = [id for family in families.values() for id in family.ids]
    assert len(ids) == len(set(ids)) > 300
    assert {"CartPole-v1", "Pendulum-v1"} <= set(families["Classic control"].ids) and "CartPole-v0" not in ids
    assert {"Taxi-v4", "FrozenLake-v1"} <= set(families["Toy text"].ids)
    assert "LunarLander-v3" in families["Box2D"].ids and "ALE/Pong-v5" in families["Atari"].ids
    assert "MiniGrid-Empty-5x5-v0" in families["MiniGrid"].ids and "BabyAI-GoToObj-v0" in families["BabyAI"].ids
    names = {re.sub(r"-v\d+$", "", id) for id in ids}
    assert len(names) == len(ids), "one version of each"


def test_families_without_their_package_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue()
    found = importlib.util.find_spec

    def without(name: str, *more: Any) -> Any:
        return None if name in ("Box2D", "mujoco") else found(name, *more)

    monkeypatch.setattr(sys.modules[Family.__module__], "find_spec", without)
    families = {family.title: family for family in catalogue()}
    assert families["Box2D"].needs == "Box2D" and "glassbox-studio[worlds]" in families["Box2D"].command
    assert families["Box2D"].ids and families["MuJoCo"].needs == "mujoco" and families["Classic control"].needs == ""


def test_without_the_optional_packages_everything_else_works() -> None:
    """In an interpreter that finds neither of them."""
    code = """
import sys
class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("minigrid", "ale_py", "Box2D"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Nowhere())
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name in ("minigrid", "ale_py", "Box2D") else real(name, *a)
from studio.ml.rl.worlds import *
print({f.title: f.needs for f in catalogue() if f.needs})
print(Worlds(WorldSpec("CartPole-v1"), 1, 0).reset().shape)
for id in ("MiniGrid-Empty-5x5-v0", "ALE/Pong-v5", "LunarLander-v3", "BabyAI-GoToObj-v0"):
    try:
        describe(WorldSpec(id))
    except MissingPackage as error:
        print(error)
"""
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for word in ("'MiniGrid': 'minigrid'", "'Atari': 'ale_py'", "'Box2D': 'Box2D'", "(1, 4)"):
        assert word in run.stdout
    assert run.stdout.count('Install it with: pip install "glassbox-studio[worlds]"') == 4


def test_importing_worlds_imports_no_library_of_them() -> None:
    code = "import sys, studio.ml.rl.worlds\nprint([m for m in ('gymnasium', 'minigrid', 'ale_py', 'pygame', 'torch', 'PIL') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("id", "says"),
    [
        ("Taxi-v3", "old version.*use Taxi-v4"), ("Ant-v3", "moved.*Use Ant-v5"), ("CartPole-v9", "CartPole"), ("CartPole", "use CartPole-v1"),
        ("CartPoll-v1", "Did you mean: CartPole"), ("No/Such-v0", "Namespace No"), ("no_module:Such-v0", "no_module"), ("bad id!", "bad id"),
    ],
)  # fmt: skip
def test_unknown_ids_are_refused_with_what_would_do(id: str, says: str) -> None:
    with pytest.raises(UnknownWorld, match=says):
        describe(WorldSpec(id))


def test_a_package_missing_at_the_first_reset_is_named() -> None:
    class Late(gym.Env[Any, Any]):
        observation_space, action_space = gym.spaces.Discrete(2), gym.spaces.Discrete(2)

        def reset(self, **_: Any) -> Any:
            raise gym.error.DependencyNotInstalled('late is missing, run `pip install "some[late]"`')

    gym.register("GlassboxLate-v0", Late)
    try:
        with pytest.raises(MissingPackage, match=r'pip install "some\[late\]"'):
            describe(WorldSpec("GlassboxLate-v0"))
    finally:
        del gym.registry["GlassboxLate-v0"]


def test_options_reach_the_world() -> None:
    sutton = Worlds(WorldSpec("CartPole-v1", (("sutton_barto_reward", True),)), 1, 0)
    sutton.reset()
    assert sutton.step([0]).rewards.tolist() == [0.0]
