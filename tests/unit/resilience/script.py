"""Work that fails on demand."""

from __future__ import annotations


class Script:
    """An async function that does one thing after another: raises an error, or returns a value."""

    def __init__(self, *steps: object) -> None:
        self.steps = list(steps)
        self.runs = 0
        self.calls: list[tuple[tuple[object, ...], dict[str, object]]] = []

    async def __call__(self, *args: object, **kwargs: object) -> object:
        self.calls.append((args, kwargs))
        step = self.steps[min(self.runs, len(self.steps) - 1)]
        self.runs += 1
        if isinstance(step, BaseException):
            raise step
        return step
