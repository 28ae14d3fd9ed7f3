"""Every agent by its name: readable tables, own networks, and Stable-Baselines3, behind one door.

Reading the list imports neither torch nor gymnasium; making a deep agent does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from studio.ml.rl.deep.settings import A2CSettings, DQNSettings, PPOSettings, SACSettings
from studio.ml.rl.errors import BadSetting
from studio.ml.rl.kinds import KINDS
from studio.ml.rl.learner import Learner
from studio.ml.rl.sb3.settings import SB3Settings
from studio.ml.rl.tabular_settings import settings_class

if TYPE_CHECKING:
    from studio.ml.rl.worlds import Description, WorldSpec

Family = Literal["tabular", "deep", "sb3"]
Refuses = Callable[["Description"], str | None]


@dataclass(frozen=True)
class LearnerKind:
    """One kind of agent. settings: its dataclass of knobs. refuses: why a world is not for it, in words, or None.

    on_policy: None where that depends on the settings.
    default: settings to begin with in a world. make: (spec, settings, seed, steps) -> Learner, where `steps` is the
    budget that falling rates are spread over.
    """

    name: str
    title: str
    family: Family
    on_policy: bool | None
    settings: type[Any]
    refuses: Refuses
    default: Callable[[Description], Any]
    make: Callable[[WorldSpec, Any, int, int], Learner]


PIXELS = 10_000
"""Pictures in a replay buffer to begin with: some hundred megabytes."""
TITLES = {
    "sarsa": "Sarsa", "expected_sarsa": "Expected Sarsa", "q_learning": "Q-learning", "double_q": "Double Q-learning",
    "n_step_sarsa": "n-step Sarsa", "sarsa_lambda": "Sarsa(λ)", "dyna_q": "Dyna-Q", "monte_carlo": "Monte Carlo",
}  # fmt: skip


def _no_table(about: Description) -> str | None:
    if about.observation != "discrete" or about.states is None:
        return "A table needs numbered states, and this one shows numbers or pictures; choose an agent with a network."
    if about.actions != "discrete":
        return "A table needs numbered actions, and these are continuous; choose an agent with a network such as SAC."
    return None


def _no_choice(about: Description) -> str | None:
    if about.actions != "discrete":
        return "DQN values each action by itself, and these are continuous; choose PPO, A2C or SAC."
    return None


def _no_continuum(about: Description) -> str | None:
    if about.actions != "continuous":
        return "SAC is for continuous actions, and these are numbered; choose DQN, PPO or A2C."
    if about.observation == "pixels":
        return "SAC learns from numbers here, and this world shows pictures; choose PPO or A2C."
    return None


def _any(about: Description) -> str | None:
    return None


def _tabular(name: str) -> LearnerKind:
    settings = settings_class(name)

    def make_table(spec: WorldSpec, chosen: Any, seed: int, steps: int) -> Learner:
        from studio.ml.rl.tabular import TabularLearner

        return TabularLearner(spec, name, chosen, seed)

    def default(about: Description) -> Any:
        return settings() if about.seen == "grid" else replace(settings(), gamma=0.99)

    return LearnerKind(name, TITLES[name], "tabular", KINDS[name].on_policy, settings, _no_table, default, make_table)


def _deep(name: str, title: str, on_policy: bool, settings: type[Any], refuses: Refuses) -> LearnerKind:
    def usual(about: Description) -> Any:
        fits = about.observation != "pixels" or not hasattr(settings(), "buffer_size")
        return settings() if fits else replace(settings(), buffer_size=PIXELS)

    def make_network(spec: WorldSpec, chosen: Any, seed: int, steps: int) -> Learner:
        found: Learner = getattr(import_module(f"studio.ml.rl.deep.{name}"), title)(spec, chosen, seed, steps)
        return found

    return LearnerKind(name, title, "deep", on_policy, settings, refuses, usual, make_network)


def _make_sb3(spec: WorldSpec, chosen: Any, seed: int, steps: int) -> Learner:
    from studio.ml.rl.sb3.learner import SB3Learner

    made: Any = SB3Learner(spec, chosen, seed, steps)
    found: Learner = made
    return found


_KINDS = (
    *(_tabular(name) for name in KINDS),
    _deep("ppo", "PPO", True, PPOSettings, _any),
    _deep("a2c", "A2C", True, A2CSettings, _any),
    _deep("dqn", "DQN", False, DQNSettings, _no_choice),
    _deep("sac", "SAC", False, SACSettings, _no_continuum),
    LearnerKind(
        "sb3", "Stable-Baselines3", "sb3", None, SB3Settings, _any, lambda about: SB3Settings(), _make_sb3
    ),
)
LEARNERS: Mapping[str, LearnerKind] = MappingProxyType({kind.name: kind for kind in _KINDS})


def kind_of(name: str) -> LearnerKind:
    """Raises BadSetting for a name that no agent has."""
    if name not in LEARNERS:
        raise BadSetting(f"There is no agent {name}; choose one of {', '.join(LEARNERS)}.")
    return LEARNERS[name]


def make(name: str, spec: WorldSpec, settings: Any, seed: int, steps: int) -> Learner:
    """A new learner. Raises RLError, also where the world is not for it."""
    from studio.ml.rl.worlds import describe

    kind = kind_of(name)
    if why := kind.refuses(describe(spec)):
        raise BadSetting(why)
    if type(settings) is not kind.settings:
        raise BadSetting(f"{kind.title} takes {kind.settings.__name__}, not {type(settings).__name__}.")
    return kind.make(spec, settings, seed, steps)
