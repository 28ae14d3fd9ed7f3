"""How many threads the linear algebra may take.

OpenBLAS waits for its threads: on a busy machine a second one turns an answer of 10 ms into one of 150. numpy and scipy
use it, torch does not, so its own threads (the networks that train meanwhile) are left alone. The limit belongs to the
process, not to a thread. That is why it is set once and stays: a job that restored it would do so under the feet of
another. A job on the quick lane calls `one_blas_thread()` before its first step; calling it again costs nothing.
"""

from __future__ import annotations

from functools import cache

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


@cache
def one_blas_thread() -> None:
    """Keep BLAS to one thread from now on, in the whole process."""
    threadpool_limits(limits=1, user_api="blas")
