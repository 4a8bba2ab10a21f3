"""What the policies' tests share: a clock that moves by itself."""

from __future__ import annotations

import pytest

from undaunted.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(autojump=True)
