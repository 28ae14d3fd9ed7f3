"""Behaviour against target policy, in words and numbers: where the two differ now. Qt-free."""

from __future__ import annotations

import numpy as np

from studio.ml.rl.kinds import KINDS
from studio.ml.rl.learner import Floats, TableLook
from studio.ml.rl.planning import greedy_policy
from studio_plugins.rl.score_words import Names, number


def on_policy(kind: str) -> bool:
    """Whether a tabular agent learns about the policy it acts by. Raises KeyError."""
    return KINDS[kind].on_policy


def target_policy(kind: str, look: TableLook) -> Floats:
    """Probabilities [S, A] of the policy that the values are about."""
    return look.policy if on_policy(kind) else greedy_policy(look.q)


def apart(look: TableLook) -> Floats:
    """[S]: how often behaviour does something that the greedy policy would not (total variation, 0 to 1)."""
    difference: Floats = np.abs(look.policy - greedy_policy(look.q)).sum(axis=1) / 2
    return difference


def policy_words(kind: str, look: TableLook, names: Names) -> dict[str, str]:
    """Facts by name, for the present state and for all that were visited."""
    here, greedy = look.state, greedy_policy(look.q)
    best = [names.action(a) for a in np.flatnonzero(greedy[here])]
    facts = {
        "behaviour here": _row(look.policy[here], names),
        "target here": "the same policy" if on_policy(kind) else f"greedy: {' or '.join(best)}",
    }
    told = look.transition
    if told is not None:
        before = look.q[told.state].copy()
        for update in reversed(told.updates):
            if update.state == told.state:
                before[update.action] = update.old
        was_best = before[told.action] == before.max()
        facts["last action"] = f"{names.action(told.action)}, {'greedy' if was_best else 'an exploring one'}"
    seen = np.flatnonzero(look.visits)
    if len(seen):
        away = apart(look)[seen]
        worst = int(seen[int(away.argmax())])
        facts["leaves the greedy way"] = f"{100 * float(np.average(away, weights=look.visits[seen])):.1f} % of steps"
        facts["most at"] = f"{names.state(worst)}: {100 * float(away.max()):.0f} %"
    return facts


def policy_sentence(kind: str, look: TableLook) -> str:
    """What the difference means for this agent."""
    most = float(apart(look)[look.visits > 0].max(initial=0.0))
    if on_policy(kind):
        text = "On-policy: its values are those of the exploring behaviour, so the price of exploring is in them."
    else:
        text = "Off-policy: it explores, and its values are those of the greedy policy that it does not follow."
    return f"{text} {'Without exploration' if most > 0 else 'It does not explore now:'} the two are one."


def _row(row: Floats, names: Names) -> str:
    """The likeliest action first; those that are equally likely together."""
    groups: dict[float, list[str]] = {}
    for a in np.argsort(-row, kind="stable").tolist():
        groups.setdefault(round(float(row[a]), 9), []).append(names.action(a))
    told = ((p, " ".join(actions), " each" if len(actions) > 1 else "") for p, actions in groups.items() if p > 0)
    return ", ".join(f"{actions} {number(p, 3)}{each}" for p, actions, each in told)
