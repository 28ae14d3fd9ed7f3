"""What can go wrong with a Gaussian process, in words that say what to do."""

from __future__ import annotations


class GPError(ValueError):
    """Something a person can put right; the message says how."""


class BadData(GPError):
    """Points that no Gaussian process can be conditioned on: wrong shapes, or numbers that are not finite."""


class BadKernel(GPError):
    """A kernel with a value outside its range, or one that does not fit the inputs."""


class KernelTextError(GPError):
    """Kernel text that cannot be read. column: where, counted from 1; expected: what should stand there."""

    def __init__(self, column: int, expected: str, text: str) -> None:
        self.column, self.expected, self.text = column, expected, text
        super().__init__(f"Column {column}: {expected}.\n{text}\n{' ' * (column - 1)}^")


class NotPositiveDefinite(GPError):
    """A covariance that no jitter makes positive definite. jitter: the largest that was tried."""

    def __init__(self, size: int, jitter: float) -> None:
        self.jitter = jitter
        super().__init__(
            f"The covariance of {size} points is not positive definite, even with {jitter:.1e} added to its diagonal. "
            "Raise the noise, remove repeated points, or check the kernel."
        )


class NotDifferentiable(GPError):
    """A kernel whose functions have no derivative."""

    def __init__(self, kernel: str) -> None:
        super().__init__(
            f"Functions drawn from {kernel} have no derivative, so the posterior's slope does not exist. "
            "Matern32, Matern52, RBF, RationalQuadratic and Periodic have one."
        )
