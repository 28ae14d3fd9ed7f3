"""Forms of agents' settings, made from their knobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from functools import cache
from typing import Any

from pydantic import create_model

from studio.host.request import Idle, Request, ui
from studio.ml.rl.errors import BadSetting
from studio.ml.rl.knobs import idle, knob_of

MORE = "More settings"
_SEEN = {
    "PPOSettings": ("learning_rate", "n_steps", "epochs", "gamma", "clip", "entropy"),
    "A2CSettings": ("learning_rate", "n_steps", "gamma", "gae_lambda", "entropy", "hidden"),
    "DQNSettings": (
        "learning_rate", "gamma", "double", "dueling", "prioritised", "n_step", "train_freq", "exploration_final_eps"
    ),
    "SACSettings": ("learning_rate", "gamma", "automatic", "temperature", "train_freq", "gradient_steps"),
}  # fmt: skip
"""What of long lists is in sight at first; of others, all that is not advanced."""


@cache
def form_class(settings: type) -> type[Request]:
    """A request whose fields are the knobs of a settings class."""
    made: dict[str, Any] = {}
    for setting in sorted(fields(settings), key=lambda setting: _folded(settings, setting)):
        shown, kind, folded = knob_of(setting), type(setting.default), _folded(settings, setting)
        made[setting.name] = (
            kind,
            ui(
                setting.default, title=shown.label, help=shown.help, ge=shown.low, le=shown.high, step=shown.step,
                log=shown.log, advanced=folded, group=MORE if folded else "", choices=shown.choices or None,
            ),
        )  # fmt: skip
    return create_model(f"{settings.__name__}Fields", __base__=_of(settings), **made)


def _folded(settings: type, setting: Field[Any]) -> bool:
    seen = _SEEN.get(settings.__name__)
    return knob_of(setting).advanced if seen is None else setting.name not in seen


def _of(settings: type) -> type[Request]:
    """A request that hides what means nothing with the other settings as they are."""

    class Fields(Request):
        def without_effect(self) -> Mapping[str, Idle]:
            try:
                made = settings(**self.model_dump())
            except BadSetting:
                return {}
            return {name: Idle("has no effect with the other settings", hidden=True) for name in idle(made)}

    return Fields

