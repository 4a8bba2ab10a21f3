"""The policies by themselves: a service that fails twice, and a pipeline that gets the answer.

Run: python examples/library_pipeline.py
"""

# ruff: noqa: T201 - an example talks to whoever runs it

import asyncio

from undaunted import CircuitBreaker, Exponential, NetworkError, Pipeline, Retry, Timeout


class FlakyService:
    """Loses the connection twice, then answers."""

    def __init__(self) -> None:
        self.calls = 0

    async def ask(self, question: str) -> str:
        """The answer to `question`, at the third call."""
        self.calls += 1
        if self.calls <= 2:
            raise NetworkError(f"call {self.calls}: connection lost")
        return f"call {self.calls}: the answer to {question!r} is 42"


async def main() -> None:
    """Asks through retry, circuit breaker and timeout, outermost first."""
    service = FlakyService()
    pipeline = Pipeline(
        Retry(
            attempts=3,
            backoff=Exponential(base_s=0.05),
            on_retry=lambda event: print(f"{event.error}; again in {event.delay_s:.2f} s"),
        ),
        CircuitBreaker(failure_threshold=5, timeout_duration=60),
        Timeout(1),
    )
    print(await pipeline.call(service.ask, "life, the universe and everything"))


if __name__ == "__main__":
    asyncio.run(main())
