"""What actions are called, where the world does not say so itself."""

from __future__ import annotations

from typing import Any

from studio.ml.rl.worlds.spec import WorldSpec

_NAMES = {
    "CartPole": ("left", "right"),
    "MountainCar": ("left", "nothing", "right"),
    "Acrobot": ("push left", "nothing", "push right"),
    "LunarLander": ("nothing", "left engine", "main engine", "right engine"),
    "CarRacing": ("nothing", "steer right", "steer left", "gas", "brake"),
    "FrozenLake": ("left", "down", "right", "up"),
    "FrozenLake8x8": ("left", "down", "right", "up"),
    "CliffWalking": ("up", "right", "down", "left"),
    "CliffWalkingSlippery": ("up", "right", "down", "left"),
    "Taxi": ("down", "up", "right", "left", "pick up", "drop off"),
    "Blackjack": ("stick", "hit"),
}
"""As Gymnasium's documentation of each world numbers them."""


def action_names(spec: WorldSpec, env: Any, n: int | None) -> tuple[str, ...]:
    """A name for each of the `n` discrete actions; none for continuous ones."""
    if n is None:
        return ()
    inner = env.unwrapped
    if hasattr(inner, "get_action_meanings"):
        names = tuple(str(name).replace("_", " ").lower() for name in inner.get_action_meanings())
    elif hasattr(inner, "actions") and hasattr(inner.actions, "__members__"):
        names = tuple(name.replace("_", " ") for name in inner.actions.__members__)
    else:
        names = _NAMES.get(spec.id.rpartition("-v")[0], ())
    return names if len(names) == n else tuple(f"action {k}" for k in range(n))
