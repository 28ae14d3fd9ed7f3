"""What can go wrong with a world or an agent, in words that say what to do."""

from __future__ import annotations


class RLError(ValueError):
    """Something a person can put right; the message says how."""


class BadWorld(RLError):
    """A world that nobody can walk: bad probabilities, a cell outside, a start inside a wall."""


class BadAction(RLError):
    """An action that the world does not have."""

    def __init__(self, action: int, actions: int) -> None:
        super().__init__(f"There is no action {action}: this world has {actions}, numbered from 0 to {actions - 1}.")


class BadSetting(RLError):
    """A step size, discount or schedule outside its range."""


class BadCheckpoint(RLError):
    """A checkpoint that does not belong to this agent or world."""


class NewerCheckpoint(BadCheckpoint):
    """A checkpoint of a newer version of the studio: whole, but not for this one."""


class BadPolicy(RLError):
    """A table that is no policy, or a pair of policies that cannot be compared."""


class Diverged(RLError):
    """A value that grows without bound. It was not moved."""

    def __init__(self, state: int, action: int, target: float) -> None:
        super().__init__(
            f"The target for action {action} in state {state} is {target}: the values grow without bound. "
            "Lower the step size."
        )


class NoEnd(RLError):
    """A question that has no finite answer, because with a discount of 1 some way never ends."""
