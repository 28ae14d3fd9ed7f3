"""Stochastic variational Gaussian process regression (SVGP; Hensman, Fusi & Lawrence 2013), to about 10^6 points.

The values at m inducing points are summarised by a Gaussian q(u) of its own, learned from small batches of the data by
natural gradients; the hyper-parameters follow with Adam. Each step costs O(b m^2 + m^3) for b points, whatever n is:

    log p(y) >= sum_i E_q[log N(y_i | f_i, v_i)] - KL(q(u) || p(u))

The steps are GPyTorch's (an optional extra), with every hyper-parameter as its logarithm, as in our theta. What comes
out is ours: the fitted Model and q(u), from which predictions and the bound follow in float64.

    steps = train(model, data, 100)
    for step in steps: ...       step.model and step.elbo tell where it is
    posterior = completed(steps)
    posterior.predict(x), posterior.evidence.total, posterior.model
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from studio.ml.gp.components import terms, white_variance
from studio.ml.gp.errors import BadData, BadKernel, GPError, NotPositiveDefinite
from studio.ml.gp.exact import LOG_2PI, Prediction
from studio.ml.gp.factor import Factor
from studio.ml.gp.formula import Gaussian
from studio.ml.gp.jet import Array
from studio.ml.gp.model import Data, Model
from studio.ml.gp.sparse import BLOCK, Bound, spread
from studio.ml.gp.translation import Slots, exactly, gpytorch_or_told, translated, translated_mean

STEADY = {"float64": 1e-8, "float32": 1e-4}
"""Share of the mean variance added to the diagonal of K_mm, by the precision of the steps."""
SAMPLE = 20_000
"""Inducing points are chosen among so many of the data, drawn by chance where there are more."""
SLOWEST = 0.05
"""Length of a natural gradient step, falling in the second half; before, the k-th is 1/k long, which averages over all
batches so far."""


@dataclass(frozen=True, eq=False)
class StochasticPosterior:
    """A model with q(u) at inducing points Z [m, d]. prior: factor L of K_mm; with u = m(Z) + L w, q(w) is
    N(centre [m], covariance [m, m]).
    """

    model: Model
    data: Data
    inducing: Array
    prior: Factor
    centre: Array
    covariance: Array

    def predict(self, x: Array) -> Prediction:
        """Mean and variance of f at points [k, d]."""
        V = self.prior.half_solve(self.model.kernel(x, self.inducing).T)
        left = self.model.kernel.diagonal(x) - np.einsum("ij,ij->j", V, V)
        variance = left + np.einsum("ij,ij->j", V, self.covariance @ V)
        return Prediction(self.model.mean(x) + V.T @ self.centre, np.maximum(variance, 0))

    def at(self, x: Array) -> Gaussian:
        """The joint distribution of f at points [k, d]."""
        V = self.prior.half_solve(self.model.kernel(x, self.inducing).T)
        covariance = self.model.kernel(x) - V.T @ V + V.T @ self.covariance @ V
        return Gaussian(self.model.mean(x) + V.T @ self.centre, covariance)

    @property
    def divergence(self) -> float:
        """KL(q(u) || p(u))."""
        half_log_determinant = Factor.of(self.covariance).half_log_determinant
        size = float(np.trace(self.covariance)) + float(self.centre @ self.centre) - len(self.centre)
        return 0.5 * size - half_log_determinant

    @cached_property
    def evidence(self) -> Bound:
        """The lower bound of log p(y) over all the data; that of SparsePosterior is its highest over q(u)."""
        noise = self.data.noise_of(self.model)
        fit = spread_out = slack = 0.0
        for start in range(0, len(self.data), BLOCK):
            here = slice(start, start + BLOCK)
            x, v = self.data.x[here], noise[here]
            V = self.prior.half_solve(self.model.kernel(x, self.inducing).T)
            error = self.data.y[here] - self.model.mean(x) - V.T @ self.centre
            left = self.model.kernel.diagonal(x) - np.einsum("ij,ij->j", V, V)
            fit -= 0.5 * float((error**2 / v).sum())
            slack -= 0.5 * float((np.maximum(left, 0) / v).sum())
            spread_out -= 0.5 * float((np.einsum("ij,ij->j", V, self.covariance @ V) / v).sum())
        complexity = spread_out - self.divergence - 0.5 * float(np.log(noise).sum())
        return Bound(fit, complexity, -0.5 * len(noise) * LOG_2PI, slack)


class StochasticStep(NamedTuple):
    """After one batch. number: counted from 1; elbo: the bound for each point, estimated from the batch before it was
    learned; posterior: that of this moment, to be called before the next step.
    """

    number: int
    elbo: float
    model: Model
    posterior: Callable[[], StochasticPosterior]


def train(
    model: Model,
    data: Data,
    inducing: Array | int = 100,
    *,
    steps: int = 500,
    batch: int = 1024,
    rate: float = 0.05,
    fit_model: bool = True,
    move_inducing: bool = False,
    natural: bool = True,
    seed: int = 0,
    device: str | None = None,
) -> Generator[StochasticStep, None, StochasticPosterior]:
    """Learn q(u) and, with `fit_model`, the hyper-parameters; one `next()` is one batch.

    inducing: places Z [m, d], or how many of the data's to take; move_inducing: learn them, too. rate: Adam's, in units
    of theta, falling to 0 over the second half. natural: q(u) by natural gradients, otherwise by Adam. device: a GPU
    where torch sees one; float64 but on `mps`, which has none.
    Raises GPyTorchMissing, BadKernel, BadData, NotPositiveDefinite, and GPError for a kernel that GPyTorch lacks.
    """
    _check(model, data, steps, batch)
    rng = np.random.default_rng(seed)
    places = _places(model, data, inducing, rng)
    learner = _Learner(model, data, places, natural, move_inducing, fit_model, rate, device)
    number = 0
    while number < steps:
        for chosen in _batches(rng, len(data), batch):
            number += 1
            elbo = learner.step(chosen, number, steps)
            yield StochasticStep(number, elbo, learner.model, learner.posterior)
            if number == steps:
                break
    return learner.posterior()


class _Learner:
    """The state between two steps: GPyTorch's modules and optimisers."""

    def __init__(
        self, model: Model, data: Data, places: Array, natural: bool, move: bool, fit: bool, rate: float,
        device: str | None,
    ) -> None:  # fmt: skip
        import torch

        gpytorch = gpytorch_or_told()
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        kind = torch.float32 if device.startswith("mps") else torch.float64
        self._start, self._data, self._rate, self._natural = model, data, rate, natural
        share = STEADY[str(kind).removeprefix("torch.")]
        self._jitter = share * float(model.kernel.diagonal(places).mean())
        self._slots = Slots()
        kernel = translated(model.kernel, self._slots)
        self._noise = torch.nn.Parameter(torch.zeros(1))
        if model.noise:
            self._slots.add(self, "_noise")
        mean = translated_mean(model.mean, self._slots)
        self._process = _process(kernel, mean, torch.from_numpy(places.copy()), natural, move, self._jitter)
        self._process.to(device=device, dtype=kind)
        self._noise.data = self._noise.data.to(device=device, dtype=kind)
        self._slots.write(model.theta)
        self._x, self._y, self._own = (
            torch.tensor(array, device=device, dtype=kind)  # copies: from_numpy warns where it may not write
            for array in (data.x, data.y, np.zeros(len(data)) if data.noise is None else data.noise)
        )
        q = list(self._process.variational_strategy._variational_distribution.parameters())
        followers = self._slots.parameters() if fit else []
        followers += [self._process.variational_strategy.inducing_points] if move else []
        followers += [] if natural else q
        self._adam = torch.optim.Adam(followers, lr=rate) if followers else None
        self._ngd = gpytorch.optim.NGD(q, num_data=len(data), lr=1.0) if natural else None

    def step(self, chosen: Array, number: int, steps: int) -> float:
        """One batch [b] of point numbers; gives the bound for each point. Raises NotPositiveDefinite."""
        import torch

        self._set_rates(number, steps)
        for optimiser in (self._adam, self._ngd):
            if optimiser is not None:
                optimiser.zero_grad()
        index = torch.from_numpy(chosen).to(self._x.device)
        elbo = self._bound(index)
        value = float(elbo.detach())
        if not math.isfinite(value):
            raise GPError("The stochastic fit ran away: standardise the data, or take a lower rate or larger batches")
        (-elbo).backward()
        for optimiser in (self._adam, self._ngd):
            if optimiser is not None:
                optimiser.step()
        return value

    @property
    def model(self) -> Model:
        """With the hyper-parameters of this moment."""
        return self._start.with_theta(self._slots.read())

    def posterior(self) -> StochasticPosterior:
        """The model and q(u) of this moment, in float64."""
        import torch

        strategy, model = self._process.variational_strategy, self.model
        with torch.no_grad(), exactly():
            q = strategy._variational_distribution()  # the public property still has that of before the step
            centre, covariance = q.mean.double().cpu().numpy(), q.covariance_matrix.double().cpu().numpy()
        places = strategy.inducing_points.detach().double().cpu().numpy().copy()
        prior = Factor.of(model.kernel(places), np.full(len(places), self._jitter))
        return StochasticPosterior(model, self._data, places, prior, centre, (covariance + covariance.T) / 2)

    def _bound(self, index: Any) -> Any:
        """The bound for each point, from those of a batch. The Gaussian's expectation is written out, with the noise of
        each point; GPyTorch's likelihood would keep the noise above 1e-4."""
        from linear_operator.utils.errors import NotPSDError

        try:
            with exactly():
                f = self._process(self._x[index])
                v = self._noise.exp() * (1 if self._start.noise else 0) + self._own[index]
                error = self._y[index] - f.mean
                expected = -0.5 * (LOG_2PI + v.log() + (error**2 + f.variance) / v)
                return expected.mean() - self._process.variational_strategy.kl_divergence().sum() / len(self._y)
        except NotPSDError as error:
            raise NotPositiveDefinite(len(self._process.variational_strategy.inducing_points), self._jitter) from error

    def _set_rates(self, number: int, steps: int) -> None:
        left = min(1.0, 2 * (1 - (number - 1) / steps))
        for group in self._adam.param_groups if self._adam is not None else ():
            group["lr"] = self._rate * left
        for group in self._ngd.param_groups if self._ngd is not None else ():
            group["lr"] = max(SLOWEST * left, 1 / number)


def _process(kernel: Any, mean: Any, places: Any, natural: bool, move: bool, jitter: float) -> Any:
    gpytorch = gpytorch_or_told()
    variational = gpytorch.variational
    kind = variational.NaturalVariationalDistribution if natural else variational.CholeskyVariationalDistribution

    class Process(gpytorch.models.ApproximateGP):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            q = kind(len(places), mean_init_std=0.0)
            super().__init__(variational.VariationalStrategy(self, places, q, move, jitter_val=jitter))
            self.mean, self.kernel = mean, kernel

        def forward(self, x: Any) -> Any:
            return gpytorch.distributions.MultivariateNormal(self.mean(x), self.kernel(x))

    return Process()


# --- data ---


def _check(model: Model, data: Data, steps: int, batch: int) -> None:
    if any(white_variance(term) is not None for term in terms(model.kernel)):
        raise BadKernel("Take White out of the kernel and into the model's noise first (noise_apart)")
    if len(data) == 0:
        raise BadData("There are no points to learn from")
    if not (data.noise_of(model) > 0).all():
        raise BadKernel("The stochastic bound needs noise above 0 on every point")
    model.kernel(data.x[:1])  # raises where the inputs have other dimensions than the kernel
    model.mean(data.x[:1])
    if steps < 1 or batch < 1:
        raise GPError(f"Take at least one step, with one point or more in a batch, not {steps} and {batch}")


def _places(model: Model, data: Data, inducing: Array | int, rng: np.random.Generator) -> Array:
    if not isinstance(inducing, int):
        if inducing.ndim != 2 or inducing.shape[1] != data.dimensions or len(inducing) == 0:
            raise BadData(f"Inducing points must be a table [points, {data.dimensions}] with one row or more")
        return inducing
    if inducing < 1:
        raise BadData("Take one inducing point or more")
    some = data
    if len(data) > SAMPLE:
        chosen = rng.choice(len(data), SAMPLE, replace=False)
        some = Data(data.x[chosen], data.y[chosen])
    return spread(model, some, inducing)


def _batches(rng: np.random.Generator, n: int, size: int) -> Iterator[Any]:
    """Point numbers of one round through the data, in an order drawn by chance. The batches are equally large, at most
    `size`: a few points left over would count for as much as a whole batch."""
    return iter(np.array_split(rng.permutation(n), math.ceil(n / size)))
