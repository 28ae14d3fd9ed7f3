"""“Copy as Python”: the boundary and both Gram matrices with numpy and scikit-learn alone."""

from __future__ import annotations

from studio_plugins.kernel_trick.results import Look
from studio_plugins.kernel_trick.words import kernel_words

_TEMPLATE = '''\
"""{title} of Glassbox Studio, with numpy and scikit-learn alone."""

import math

import numpy as np
from {module} import {machine}

X = np.array({points!r})
y = np.array({labels!r})


def kernel(A, B):
    """k of every pair."""
    return {kernel}


{features}

K = kernel(X, X)
print("largest difference of the Gram matrix two ways:", np.abs(features(X) @ features(X).T - K).max())

{fit}
print("wrong:", int(((f > 0) != (y == 1)).sum()), "of", len(y))
print("length of w:", math.sqrt(dual @ K @ dual))
'''
_KERNELS = {
    "rbf": "np.exp(-{gamma!r} * np.square(A[:, None] - B).sum(axis=2))",
    "polynomial": "(A @ B.T + {offset!r}) ** {degree!r}",
    "linear": "A @ B.T",
}
_FOURIER = '''\
frequencies = math.sqrt(2 * {gamma!r}) * np.random.default_rng({seed!r}).standard_normal(({half!r}, 2))


def features(A):
    """Random Fourier features: {count} cosines and sines."""
    phase = A @ frequencies.T
    return np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / math.sqrt(len(frequencies))'''
_MONOMIALS = '''\
MONOMIALS = {monomials!r}  # (powers, weight)


def features(A):
    """All {count} monomials of the kernel."""
    return np.column_stack([weight * np.prod(A ** np.array(powers), axis=1) for powers, weight in MONOMIALS])'''
_SVM = """\
machine = SVC(C={cost!r}, kernel="precomputed", tol=1e-8).fit(K, y)
dual = np.zeros(len(y))
dual[machine.support_] = machine.dual_coef_[0]
f = K @ dual + machine.intercept_[0]
print("support vectors:", len(machine.support_), "street:", 2 / math.sqrt(dual @ K @ dual))"""
_RIDGE = """\
dual = KernelRidge(alpha={ridge!r}, kernel="precomputed").fit(K, 2.0 * y - 1.0).dual_coef_
f = K @ dual"""


def script(look: Look) -> str:
    """Python source that works out what is shown."""
    request = look.request
    svm = request.machine == "svm"
    if request.kernel == "rbf":
        made = _FOURIER.format(gamma=request.gamma, seed=request.seed, half=request.count // 2, count=request.count)
    else:
        listed = [(monomial.powers, monomial.weight) for monomial in look.monomials]
        made = _MONOMIALS.format(monomials=listed, count=len(listed))
    title = kernel_words(look.kernel)
    return _TEMPLATE.format(
        title=title[0].upper() + title[1:],
        module="sklearn.svm" if svm else "sklearn.kernel_ridge",
        machine="SVC" if svm else "KernelRidge",
        points=[list(dot[:2]) for dot in request.points],
        labels=[dot[2] for dot in request.points],
        kernel=_KERNELS[request.kernel].format(gamma=request.gamma, offset=request.offset, degree=request.degree),
        features=made,
        fit=_SVM.format(cost=request.cost) if svm else _RIDGE.format(ridge=request.ridge),
    )
