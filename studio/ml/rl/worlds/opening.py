"""Opening a world in this process: what it is, and one copy of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from studio.ml.rl.grid import GridWorld
from studio.ml.rl.model import Model
from studio.ml.rl.worlds.atari import Held, is_atari, screen
from studio.ml.rl.worlds.bare import Bare
from studio.ml.rl.worlds.description import Description, Seen
from studio.ml.rl.worlds.lander import Lander, is_lander
from studio.ml.rl.worlds.making import make, registered
from studio.ml.rl.worlds.names import action_names
from studio.ml.rl.worlds.pixels import Stacked
from studio.ml.rl.worlds.single import Single
from studio.ml.rl.worlds.spaces import acting, encoder
from studio.ml.rl.worlds.spec import FILE, GRID, WorldSpec
from studio.ml.rl.worlds.toytext import ToyDrawing, exact_model, same_grid
from studio.ml.rl.worlds.trusted import load
from studio.ml.rl.worlds.walking import GridDrawing, Walking

_MOVES = {"U": "up", "R": "right", "D": "down", "L": "left"}
_SEEN: dict[str | None, Seen] = {"rgb_array": "rgb", "ansi": "ansi"}


class Opened(NamedTuple):
    """A world: what it is, a copy of it, and its table and its grid where it has them."""

    description: Description
    single: Single
    model: Model | None = None
    grid: GridWorld | None = None


def opened(spec: WorldSpec, *, plain: bool = False) -> Opened:
    """Opens one copy; a plain one is drawn without ornaments that would slow it down. Raises UnknownWorld, MissingPackage, BadSpace, WorldFailed."""
    if spec.id == GRID:
        assert spec.grid is not None
        return _of_grid(spec.grid, spec.limit)
    if spec.id == FILE:
        env, limit, threshold = load(spec), None, None
    else:
        found = registered(spec)
        env, limit, threshold = make(spec), found.max_episode_steps, found.reward_threshold
    try:
        if is_atari(env) and "obs_type" not in spec.arguments():
            env.close()
            env = make(spec, obs_type="grayscale", frameskip=1)
        return _of_env(spec, env, spec.limit or limit or _own_limit(env), threshold, plain)
    except BaseException:
        env.close()
        raise


def _of_grid(grid: GridWorld, limit: int | None, threshold: float | None = None) -> Opened:
    model, names = grid.model, tuple(_MOVES[move] for move in grid.moves)
    description = Description(
        "discrete", (), model.states, "discrete", model.actions, names, model=True, seen="grid", limit=limit,
        threshold=threshold,
    )  # fmt: skip
    return Opened(description, Walking(model, GridDrawing(grid)), model, grid)


def _own_limit(env: Any) -> int | None:
    """The step limit that a MiniGrid world keeps itself."""
    return int(env.unwrapped.max_steps) if _is_minigrid(env) else None


def _of_env(spec: WorldSpec, env: Any, limit: int | None, threshold: float | None, plain: bool) -> Opened:
    model = exact_model(env)
    if model is not None and (grid := same_grid(env, model)):
        env.close()
        return _of_grid(grid, limit, threshold)
    act = acting(spec.title, env.action_space)
    game = is_atari(env) and len(env.observation_space.shape) == 2
    seeing = screen(env.observation_space) if game else encoder(spec.title, env.observation_space, _codes(env))
    description = Description(
        seeing.kind, seeing.shape, seeing.states, act.kind, act.n, action_names(spec, env, act.n), act.low, act.high,
        model=model is not None, seen=_SEEN.get(env.render_mode, "none"), limit=limit, threshold=threshold,
        note=f"{seeing.note} {_unseen(env)}".strip(),
    )  # fmt: skip
    if model is not None:
        return Opened(description, Walking(model, ToyDrawing(spec, env)), model)
    single: Single = Bare(spec, Lander(env, sparks=not plain) if is_lander(env) else env, seeing, act)
    single = Held(single) if game else single
    return Opened(description, Stacked(single) if seeing.kind == "pixels" else single)


def _unseen(env: Any) -> str:
    if getattr(env, "render_mode", None) in _SEEN:
        return ""
    modes = (getattr(env, "metadata", None) or {}).get("render_modes") or ()
    return "It draws only into a window of its own, so it cannot be watched here." if "human" in modes else (
        "It has no picture of itself, so it cannot be watched here."
    )


def _is_minigrid(env: Any) -> bool:
    return any(kind.__name__ == "MiniGridEnv" for kind in type(env.unwrapped).__mro__)


def _codes(env: Any) -> tuple[float, ...]:
    """The highest number in each channel of an observation that is a small array of bytes."""
    if not _is_minigrid(env):
        return (255.0,)
    from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX

    return tuple(float(max(codes.values())) for codes in (OBJECT_TO_IDX, COLOR_TO_IDX, STATE_TO_IDX))
