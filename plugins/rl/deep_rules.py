"""What agents with networks descend, and the same with the numbers of the last update. Qt-free.

In symbols and numbers [[ ]] holds the term by which the agents differ. The numbers have the names of `NetLook.last`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio_plugins.rl.rule_words import Rule, signed
from studio_plugins.rl.score_words import number

Numbers = Mapping[str, float]

_DQN = "<i>y</i> = {reward} {term}<br><i>L</i> = {loss}"
_REWARD = "<i>R</i> + γ"
_REWARDS = "Σ<sub><i>k</i>&lt;{n}</sub> γ<sup><i>k</i></sup> <i>R</i><sub><i>k</i>+1</sub> + γ<sup>{n}</sup>"
_PLAIN = "[[max<sub><i>a</i></sub> <i>Q</i><sub>target</sub>({after}, <i>a</i>)]]"
_DOUBLE = "[[<i>Q</i><sub>target</sub>({after}, argmax<sub><i>a</i></sub> <i>Q</i>({after}, <i>a</i>))]]"
_LOSSES = {
    "huber": "Huber( <i>y</i> − <i>Q</i>(<i>S</i>, <i>A</i>) )",
    "squared": "( <i>y</i> − <i>Q</i>(<i>S</i>, <i>A</i>) )²",
}  # fmt: skip
_PPO = (
    "<i>r</i> = π(<i>A</i> | <i>S</i>) / π<sub>old</sub>(<i>A</i> | <i>S</i>)<br>"
    "<i>L</i> = −E min( <i>r</i> <i>Â</i>, [[clip(<i>r</i>, 1 − ε, 1 + ε)]] <i>Â</i> ) + "
    "<i>c</i><sub>1</sub> E(<i>V</i> − <i>R</i>)² − <i>c</i><sub>2</sub> E <i>H</i>"
)
_A2C = (
    "<i>L</i> = −E [[log π(<i>A</i> | <i>S</i>) <i>Â</i>]] + "
    "<i>c</i><sub>1</sub> E(<i>V</i> − <i>R</i>)² − <i>c</i><sub>2</sub> E <i>H</i>"
)
_SAC = (
    "<i>y</i> = <i>R</i> + γ ( min<sub><i>i</i></sub> <i>Q</i><sub>target, <i>i</i></sub>(<i>S′</i>, <i>A′</i>) "
    "[[− α log π(<i>A′</i> | <i>S′</i>)]] ), &nbsp; <i>A′</i> ~ π"
)


def deep_rule(kind: str, last: Numbers, settings: Any) -> Rule:
    """The rule of a kind; of a kind that is not known (of another library) the numbers it told, by their names."""
    if kind not in _RULES:
        note = "Learnt by another library, which tells these numbers."
        return Rule("<i>θ</i> ← <i>θ</i> − η ∇<sub><i>θ</i></sub> <i>L</i>", _listed(last), note)
    return _RULES[kind](last, settings)


def _dqn(last: Numbers, settings: Any) -> Rule:
    double, n = bool(getattr(settings, "double", False)), int(getattr(settings, "n_step", 1))
    after = "<i>S′</i>" if n == 1 else f"<i>S</i><sub>{n}</sub>"
    symbols = _DQN.format(
        reward=_REWARD if n == 1 else _REWARDS.format(n=n), term=(_DOUBLE if double else _PLAIN).format(after=after),
        loss=_LOSSES[getattr(settings, "loss", "squared")],
    )  # fmt: skip
    note = (
        "Double: the learning network picks the next action, the slowly following target network says what it is worth."
        if double else "The target network follows slowly, so that the target does not run away with the values."
    )  # fmt: skip
    if n > 1:
        note += f" {n} rewards as they came, fewer at an episode’s end, and only then a value."
    if "target" not in last:
        return Rule(symbols, "", note)
    text = _target_line(last, f"[[{signed(last['bootstrap'])}]]") + _error_line(last)
    if double and "bootstrap_action" in last:
        picked, usual = int(last["bootstrap_action"]), int(last["target_network_action"])
        other = "it too" if picked == usual else f"action {usual}"
        text += f"<br>the learning network picks action {picked}; the target network would pick {other}"
    return Rule(symbols, text, note + " The first transition of the last minibatch is written out.")


def _sac(last: Numbers, settings: Any) -> Rule:
    note = "The target has a bonus for being undecided: the less likely the next action, the larger. α is its weight."
    if "target" not in last:
        return Rule(_SAC, "", note)
    inner = f"( {signed(last['bootstrap'])} + [[{signed(last['entropy_bonus'])}]] )"
    note += " The first transition of the last minibatch is written out."
    return Rule(_SAC, _target_line(last, inner) + _error_line(last), note)


def _ppo(last: Numbers, settings: Any) -> Rule:
    note = (
        "The ratio says how far the policy has moved from the one that made the data; beyond the clip there is nothing "
        "more to gain."
    )
    if "ratio_low" not in last:
        return Rule(_PPO, _ahead(last), note)
    text = (
        f"[[<i>r</i> from {number(last['ratio_low'])} to {number(last['ratio_high'])}]], "
        f"ε = {number(last['clip_range'])}, clipped {100 * last['clip_fraction']:.1f} %<br>"
        f"{_losses(last)}<br>KL to the old policy {number(last['kl'], 3)}"
    )
    return Rule(_PPO, text, note + " Of the last minibatch.")


def _a2c(last: Numbers, settings: Any) -> Rule:
    note = "One step per rollout: what went better than the critic expected becomes more likely."
    if "policy_loss" not in last:
        return Rule(_A2C, _ahead(last), note)
    return Rule(_A2C, _losses(last), note)


def _ahead(last: Numbers) -> str:
    return f"<i>Â</i> of the last step = {number(last['advantage'])}" if "advantage" in last else ""


def _losses(last: Numbers) -> str:
    told = (("policy", "policy_loss"), ("value", "value_loss"), ("entropy <i>H</i>", "entropy"))
    text = ", ".join(f"{title} {number(last[name])}" for title, name in told if name in last)
    if "loss" in last:
        text = f"<i>L</i> = {number(last['loss'])}: {text}"
    if "explained_variance" in last:
        text += f"<br>the critic explains {round(100 * last['explained_variance'])} % of the returns’ variance"
    return text


def _target_line(last: Numbers, ahead: str) -> str:
    return f"<i>y</i> = {number(last['return'])} + {number(last['discount'])} · {ahead} = {number(last['target'])}"


def _error_line(last: Numbers) -> str:
    return f"<br><i>y</i> − <i>Q</i> = {number(last['target'])} − {signed(last['q'])} = {number(last['td_error'])}"


def _listed(last: Numbers) -> str:
    return "<br>".join(f"{name.replace('_', ' ').replace('/', ': ')} = {number(value)}" for name, value in last.items())


_RULES: Mapping[str, Callable[[Numbers, Any], Rule]] = {"dqn": _dqn, "sac": _sac, "ppo": _ppo, "a2c": _a2c}
