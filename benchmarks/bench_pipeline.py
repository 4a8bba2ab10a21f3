"""What a policy costs when nothing fails, as a multiple of a bare `await`.

CPU time of the thread, so that other processes of the machine don't count.

Run: python benchmarks/bench_pipeline.py
"""

from __future__ import annotations

import asyncio
import gc
import time
from statistics import median

from undaunted.resilience import (
    CircuitBreaker,
    Deadline,
    Pipeline,
    Policy,
    Retry,
    RunsFunctions,
    Timeout,
)

CALLS = 20_000
ROUNDS = 5


async def work(value: int) -> int:
    return value


async def bare_ns() -> float:
    started = time.thread_time_ns()
    for _ in range(CALLS):
        await work(1)
    return (time.thread_time_ns() - started) / CALLS


async def call_ns(call: RunsFunctions) -> float:
    started = time.thread_time_ns()
    for _ in range(CALLS):
        await call(work, 1)
    return (time.thread_time_ns() - started) / CALLS


async def measure(policies: dict[str, Policy]) -> dict[str, list[float]]:
    """Nanoseconds a call, per policy and round; "bare" is the await alone.

    Every round takes all of them in turn, so that a busy machine slows each one down alike.
    """
    figures: dict[str, list[float]] = {name: [] for name in ("bare", *policies)}
    for _ in range(ROUNDS):
        figures["bare"].append(await bare_ns())
        for name, policy in policies.items():
            figures[name].append(await call_ns(policy.call))
    return figures


def main() -> None:
    gc.disable()  # a collection in one of the rounds would be taken for that policy's cost
    policies: dict[str, Policy] = {
        "Retry": Retry(),
        "CircuitBreaker": CircuitBreaker(),
        "Timeout": Timeout(30),
        "Deadline": Deadline(30),
        "Pipeline()": Pipeline(),
        "Pipeline(Retry, CircuitBreaker)": Pipeline(Retry(), CircuitBreaker()),
        "Pipeline(Retry, CircuitBreaker, Timeout)": Pipeline(
            Retry(), CircuitBreaker(), Timeout(30)
        ),
    }
    figures = asyncio.run(measure(policies))
    bare = figures["bare"]
    print(f"{'':42}{'ns a call':>10}{'x bare':>8}   (median of {ROUNDS} x {CALLS} calls)")
    for name, ns in figures.items():
        ratio = median(own / base for own, base in zip(ns, bare, strict=True))
        print(f"{name:42}{median(ns):>10.0f}{ratio:>8.1f}")


if __name__ == "__main__":
    main()
