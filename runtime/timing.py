"""How long a call takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_WARM_UP_SHARE = 0.2


@dataclass(frozen=True)
class Latency:
    """Percentiles over `calls` calls, milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    calls: int


def time_calls(call: Callable[[], object], seconds: float) -> Latency:
    """Call again and again for about so many seconds, after a fifth of that to warm up."""
    _times_ms(call, seconds * _WARM_UP_SHARE)
    times_ms = _times_ms(call, seconds)
    p50, p95, p99 = (float(value) for value in np.percentile(times_ms, [50, 95, 99]))
    return Latency(p50, p95, p99, len(times_ms))


def _times_ms(call: Callable[[], object], seconds: float) -> list[float]:
    times_ms: list[float] = []
    now = time.perf_counter()
    end = now + seconds
    while now < end or not times_ms:
        start = now
        call()
        now = time.perf_counter()
        times_ms.append(1e3 * (now - start))
    return times_ms
