"""What holds for every test: nothing of the caller's, nothing beyond this machine, no silent skip.

- HOME, the XDG folders and UNDAUNTED_DATA_DIR are throw-away, and the caller's own settings, keys
  and proxies are gone from the environment before the first test is imported.
- A connection to anything but this machine raises. (Processes that a test starts are not guarded:
  they get addresses on loopback and keys that are none.)
- A test that lacks something is skipped and says so; in CI it fails.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Generator, Iterator
from ipaddress import ip_address
from pathlib import Path

import hypothesis
import pytest

from needs import ROOT, missing
from undaunted.agents.cgroup import find_cgroups

IN_CI = os.environ.get("CI") == "true"

# `make test` runs them in this order: what fails soonest and explains most comes first.
_TIERS = ("unit", "properties", "contracts", "agents", "integration", "faults", "real_agents")

_CALLERS_HOME = Path.home()
_CALLERS_OWN = re.compile(
    r"(UNDAUNTED|ANTHROPIC|CLAUDE|GEMINI|GOOGLE|GITHUB|GH|COPILOT|OPENAI|AWS|XDG)_.*"
    r"|.*_(API_KEY|TOKEN|SECRET)"
    r"|.*_PROXY",
    re.IGNORECASE,
)
for _name in [name for name in os.environ if _CALLERS_OWN.fullmatch(name)]:
    del os.environ[_name]

# A busy machine makes single examples slow; what hangs ends by pytest's own limit.
hypothesis.settings.register_profile("steady", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("steady")


class OutsideWorldError(RuntimeError):
    """A test tried to reach something that is not on this machine."""


def _is_local(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


def _refuse_outside_world(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: it sees the calls of every library, C extensions included."""
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]  # a tuple of internet addresses; a Unix socket's is a path
        if isinstance(address, tuple) and not _is_local(address[0]):
            raise OutsideWorldError(f"{event} to {address[0]}: tests stay on this machine")
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0]
        if not _is_local(host) and host not in {"0.0.0.0", "::"}:
            raise OutsideWorldError(f"{event} of {host!r}: tests stay on this machine")


sys.addaudithook(_refuse_outside_world)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As a shell has it for what it runs in the background. What is ignored stays so in a child, and
    # a Ctrl-C there would do nothing.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def throw_away_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of its own for each test, with the folders that undaunted finds by the environment."""
    home = tmp_path_factory.mktemp("home")
    own = {
        "HOME": home,
        "XDG_CONFIG_HOME": home / "config",
        "UNDAUNTED_DATA_DIR": home / "undaunted",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, folder in own.items():
            patch.setenv(name, str(folder))
        yield home


@pytest.fixture
def private_path() -> Iterator[Path]:
    """A throw-away folder into which nobody else can write by way of any of its parents.

    gemini reads no settings from a folder under one that others may write to, such as /tmp, where
    `tmp_path` is.
    """
    for parent in (ROOT, _CALLERS_HOME):
        if os.access(parent, os.W_OK) and not any(
            folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            for folder in (parent, *parent.parents)
        ):
            break
    else:
        pytest.skip("others can write to every folder that could hold a private one")
    folder = Path(tempfile.mkdtemp(prefix=".test-", dir=parent))
    yield folder
    shutil.rmtree(folder)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts the tests into the order of the tiers; the files beside them come first.

    What cgroups do is tested where the kernel lets us make some: nothing that could be installed
    brings them, so that it is no fault of a machine to have none.
    """
    if find_cgroups(os.environ) is None:
        out = [item for item in items if item.get_closest_marker("cgroups")]
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]
    rank = {ROOT / "tests" / tier: number for number, tier in enumerate(_TIERS, start=1)}
    items.sort(key=lambda item: max(rank.get(folder, 0) for folder in item.path.parents))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a test that needs what is not here."""
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if reason := missing(name):
                pytest.skip(f"needs {name}: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fails a test that CI would have skipped; an expected failure is none."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not do: {call.excinfo and call.excinfo.value}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fails a whole file that CI would have skipped."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not do: {report.longrepr}"
    return report
