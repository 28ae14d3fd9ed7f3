"""The update rule of each tabular agent, and the same rule with the numbers of its last transition. Qt-free.

In symbols and numbers [[ ]] holds the term by which the agents differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from studio.ml.rl.agent import Transition, Update
from studio.ml.rl.learner import TableLook
from studio_plugins.rl.score_words import Names, number


class Rule(NamedTuple):
    """Rich text. numbers: the same with values in place of symbols, empty before there are any; note: a remark."""

    symbols: str
    numbers: str = ""
    note: str = ""


class Case(NamedTuple):
    """What the numbers are taken from. update: the one that is written out; step: what the error was multiplied by."""

    look: TableLook
    told: Transition
    update: Update
    settings: Any
    names: Names

    @property
    def gamma(self) -> float:
        return float(self.settings.gamma)

    @property
    def step(self) -> float:
        """As it was: (new − old) / error, whatever α is now."""
        moved, error = self.update.new - self.update.old, self.update.error
        return moved / error if error else float(self.settings.alpha)

    @property
    def ahead(self) -> float:
        """The part of a one-step target that stands behind R + γ."""
        return (self.update.target - self.told.reward) / self.gamma if self.gamma else 0.0


_Q = "<i>Q</i>(<i>S</i>, <i>A</i>)"
_ONE = f"{_Q} ← {_Q} + α · ( <i>R</i> + γ [[{{term}}]] − {_Q} )"
_TERMS: Mapping[str, str] = {
    "sarsa": "<i>Q</i>(<i>S′</i>, <i>A′</i>)",
    "expected_sarsa": "Σ<sub><i>a</i></sub> π(<i>a</i> | <i>S′</i>) <i>Q</i>(<i>S′</i>, <i>a</i>)",
    "q_learning": "max<sub><i>a</i></sub> <i>Q</i>(<i>S′</i>, <i>a</i>)",
    "dyna_q": "max<sub><i>a</i></sub> <i>Q</i>(<i>S′</i>, <i>a</i>)",
}
SYMBOLS: Mapping[str, str] = {
    **{kind: _ONE.format(term=term) for kind, term in _TERMS.items()},
    "double_q": (
        "<i>Q</i><sub>1</sub>(<i>S</i>, <i>A</i>) ← <i>Q</i><sub>1</sub>(<i>S</i>, <i>A</i>) + α · ( <i>R</i> + γ "
        "[[<i>Q</i><sub>2</sub>(<i>S′</i>, argmax<sub><i>a</i></sub> <i>Q</i><sub>1</sub>(<i>S′</i>, <i>a</i>))]] − "
        "<i>Q</i><sub>1</sub>(<i>S</i>, <i>A</i>) )"
    ),
    "n_step_sarsa": (
        "<i>G</i> = <i>R</i><sub>1</sub> + γ<i>R</i><sub>2</sub> + … + [[γ<sup><i>n</i></sup> "
        f"<i>Q</i>(<i>S<sub>n</sub></i>, <i>A<sub>n</sub></i>)]]<br>{_Q} ← {_Q} + α · ( <i>G</i> − {_Q} )"
    ),
    "sarsa_lambda": (
        f"δ = <i>R</i> + γ <i>Q</i>(<i>S′</i>, <i>A′</i>) − {_Q}<br>"
        "<i>Q</i>(<i>s</i>, <i>a</i>) ← <i>Q</i>(<i>s</i>, <i>a</i>) + α δ [[<i>e</i>(<i>s</i>, <i>a</i>)]] "
        "for all (<i>s</i>, <i>a</i>)"
    ),
    "monte_carlo": f"{_Q} ← {_Q} + 1/<i>N</i> · ( [[<i>G</i>]] − {_Q} )",
}
_NOTES: Mapping[str, str] = {
    "sarsa": "The next action that it will really take, exploring or not: it learns what its own behaviour is worth.",
    "expected_sarsa": "Every next action, weighted by how likely its own behaviour is to take it.",
    "q_learning": "The best next action, whether it will be taken or not: it learns about the greedy policy.",
    "dyna_q": "Q-learning, and then once more for steps drawn from memory.",
    "double_q": "One table picks the next action, the other says what that is worth: luck is not mistaken for value.",
    "n_step_sarsa": "n rewards as they came, and only then a value that is still a guess.",
    "sarsa_lambda": "One error for all pairs of the episode, in proportion to traces that fade by γλ at each step.",
    "monte_carlo": "The whole return that followed; nothing is guessed, and nothing is learnt before the episode ends.",
}


def rule(kind: str, look: TableLook, settings: Any, names: Names) -> Rule:
    """The rule of a kind with the last transition's numbers; its symbols alone where there are none yet."""
    told, note = look.transition, _NOTES.get(kind, "")
    symbols = SYMBOLS.get(kind, SYMBOLS["q_learning"])
    if kind == "monte_carlo" and not getattr(settings, "average", True):
        symbols = symbols.replace("1/<i>N</i>", "α")
    if told is None:
        return Rule(symbols, "", note)
    where = f"<i>S</i> = {names.state(told.state)}, <i>A</i> = {names.action(told.action)}, "
    where += f"<i>R</i> = {number(told.reward)}, "
    where += "and the episode ended" if told.terminated else f"<i>S′</i> = {names.state(told.next)}"
    if not told.updates:
        waits = "the end of the episode" if kind == "monte_carlo" else f"{getattr(settings, 'n', 'n')} rewards"
        return Rule(symbols, f"{where}<br>Nothing learnt: it waits for {waits}.", note)
    update = told.updates[0]
    case = Case(look, told, update, settings, names)
    return Rule(symbols, f"{where}<br>{_WRITERS.get(kind, _one_step)(case)}", f"{note} {_more(kind, told)}".strip())


def _more(kind: str, told: Transition) -> str:
    """How many more values moved at this step."""
    count = len(told.updates) - 1
    if not count:
        return ""
    if kind == "dyna_q":
        moved = sum(abs(update.new - update.old) for update in told.updates[1:])
        return f"Planning: {count} remembered steps learnt from again, which moved values by {number(moved)} in all."
    return f"The episode is over: {count} more value{'s' if count > 1 else ''} moved with it."


def _moved(case: Case, target: str) -> str:
    u = case.update
    return (
        f"{number(u.new)} = {signed(u.old)} + {number(case.step)} · ( {target} − {signed(u.old)} )"
        f"<br>TD error {number(u.error)}"
    )


def _one_step(case: Case) -> str:
    if case.told.terminated:
        return _moved(case, f"{number(case.told.reward)} + [[0, nothing follows]]")
    term = f"[[{signed(case.ahead)}]]"
    return _moved(case, f"{number(case.told.reward)} + {number(case.gamma)} · {term}") + _through(case)


def _through(case: Case) -> str:
    """Which next action the target went through."""
    through = case.update.through
    if through is None:
        return ""
    return f"<br>through <i>A′</i> = {case.names.action(through)}"


def _q_learning(case: Case) -> str:
    text = _one_step(case)
    if case.told.terminated:
        return text
    return f"{text}, the best of {{{', '.join(number(value) for value in _row(case))}}}"


def _expected(case: Case) -> str:
    text = _one_step(case)
    # The behaviour there is as it was only if its values did not move, and exploration goes by the same episode.
    if case.told.last or case.told.next == case.update.state:
        return text
    parts = zip(case.look.policy[case.told.next].tolist(), _row(case), strict=True)
    return f"{text}<br>[[{' + '.join(f'{number(p, 3)}·{signed(q)}' for p, q in parts)}]]"


def _double(case: Case) -> str:
    if case.told.terminated:
        return _one_step(case)
    text = _moved(case, f"{number(case.told.reward)} + {number(case.gamma)} · [[{signed(case.ahead)}]]")
    picked = case.names.action(case.update.through) if case.update.through is not None else "–"
    return f"{text}<br>one table picks {picked}, the other rates it"


def _n_step(case: Case) -> str:
    u = case.update
    pair = f"learns: ({case.names.state(u.state)}, {case.names.action(u.action)})<br>"
    if u.through is None:
        return pair + f"<i>G</i> = {number(u.target)}, rewards alone<br>" + _moved(case, f"[[{signed(u.target)}]]")
    n = int(case.settings.n)
    tail = case.gamma**n * _row(case)[u.through]
    return (
        f"{pair}<i>G</i> = {number(u.target - tail)} from {n} rewards + [[{signed(tail)}]] = {number(u.target)}<br>"
        + _moved(case, signed(u.target))
    )


def _traces(case: Case) -> str:
    alpha = float(case.settings.alpha)
    text = f"δ = {number(case.update.error)}" + _through(case)
    return (
        f"{text}<br>{number(case.update.new)} = {signed(case.update.old)} + {number(alpha)} · "
        f"{signed(case.update.error)} · [[{number(case.step / alpha)}]]"
    )


def _monte_carlo(case: Case) -> str:
    u = case.update
    pair = f"learns: ({case.names.state(u.state)}, {case.names.action(u.action)})<br>"
    return pair + _moved(case, f"[[{signed(u.target)}]]")


_WRITERS: Mapping[str, Callable[[Case], str]] = {
    "q_learning": _q_learning, "dyna_q": _q_learning, "expected_sarsa": _expected, "double_q": _double,
    "n_step_sarsa": _n_step, "sarsa_lambda": _traces, "monte_carlo": _monte_carlo,
}  # fmt: skip


def _row(case: Case) -> list[float]:
    """Values [A] of the next state as the target saw them: before the updates of this step."""
    row: list[float] = case.look.q[case.told.next].tolist()
    for update in reversed(case.told.updates):
        if update.state == case.told.next:
            row[update.action] = update.old
    return row


def signed(value: float) -> str:
    """In brackets where it is negative, as it stands behind another sign."""
    return f"({number(value)})" if value < 0 else number(value)
