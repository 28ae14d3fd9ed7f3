"""What a step of each guidance costs: multiplications and additions, counted on the real networks, once per setup."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from studio_plugins.guidance.results import Cost
from studio_plugins.guidance.trajectory import TERMS, Step

if TYPE_CHECKING:
    from studio.models.guiding import Guiding
    from studio.models.opening import Drawing

DENOISER = "denoiser"
GIGA = 1e9


def count(work: Callable[[], object]) -> float:
    """GFLOP of whatever torch does in `work`, a multiplication and an addition counting two.

    Counts with the formulas of torch.utils.flop_counter. Its FlopCounterMode also follows modules, which fails when a
    gradient is taken with respect to what was given to a module; here only operations are looked at.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    class Counter(TorchDispatchMode):
        total = 0.0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            formula = flop_registry.get(func._overloadpacket)
            if formula is not None:
                self.total += formula(*args, **(kwargs or {}), out_val=out)
            return out

    # Fused attention is opaque to the formulas on some devices; spelt out, it is the products that it stands for.
    with sdpa_kernel(SDPBackend.MATH), Counter() as counter:  # type: ignore[no-untyped-call]
        work()
    return float(counter.total) / GIGA


def denoiser_gflop(model: Drawing, prompt: str) -> float:
    """One evaluation of the denoiser for one picture of a prompt (or class)."""
    import torch

    x, t = _noise(model)
    denoiser = model.denoiser([prompt])
    with torch.no_grad():
        return count(lambda: denoiser(x, t))


def gradient_gflop(model: Drawing, guiding: Guiding) -> float:
    """Taking the gradients of `guiding` once for one picture, forwards and backwards."""
    x, t = _noise(model)
    fn = guiding.cond_fn
    return 0.0 if fn is None else count(lambda: fn(x, t))


def cost_of(steps: Iterable[Step], units: Mapping[str, float], computed: int) -> Cost:
    """The cost of a column's steps. units: GFLOP by kind of gradient and of the denoiser; `computed`: see Cost."""
    steps = tuple(steps)
    evaluations = sum(step.evaluations for step in steps)
    gradients = {name: sum(name in step.acting for step in steps) for name in TERMS[1:]}
    gradients = {name: number for name, number in gradients.items() if number}
    one = units.get(DENOISER, 0.0)
    gflop = evaluations * one + sum(number * units.get(name, 0.0) for name, number in gradients.items())
    times = gflop / (len(steps) * one) if one and steps else 0.0
    return Cost(evaluations, gradients, gflop, times, sum(step.seconds for step in steps), computed)


def _noise(model: Drawing) -> tuple[Any, Any]:
    """One picture of noise and a step in the middle; what is counted does not depend on the numbers."""
    import torch

    x = torch.zeros(1, 3, model.image_size, model.image_size, device=model.device)
    return x, torch.full((1,), model.schedule.T // 2, device=model.device)
