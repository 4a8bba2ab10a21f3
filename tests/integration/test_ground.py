"""What tests/conftest.py promises to every test holds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from needs import ROOT, missing

# From the block that is kept for documentation (RFC 5737): nobody answers there.
ELSEWHERE = "192.0.2.1"

LACKING = """
import pytest

@pytest.mark.needs("something")
def test_that_needs_something():
    assert True

def test_that_skips_itself():
    pytest.skip("no such thing here")

@pytest.mark.xfail(reason="known", strict=True)
def test_that_is_expected_to_fail():
    assert False
"""


@pytest.fixture
def lacking_tests(tmp_path: Path) -> Path:
    """Tests that lack something, with a conftest that adds a need that is never met."""
    (tmp_path / "conftest.py").write_text(
        "import needs\nneeds._CHECKS['something'] = lambda: 'there is none'\n"
    )
    (tmp_path / "test_lacking.py").write_text(LACKING)
    return tmp_path


def _pytest(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    # Ours is loaded as a plugin, since the folder is not below it.
    options = ["-p", "tests_conftest", "-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider"]
    (folder / "tests_conftest.py").symlink_to(ROOT / "tests" / "conftest.py")
    path = os.pathsep.join([str(folder), str(ROOT / "tests")])
    caller = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(folder), str(folder)],
        env={**caller, "PYTHONPATH": path, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_at_a_desk_what_lacks_something_is_skipped(lacking_tests: Path) -> None:
    """The run passes, and says what was skipped and why."""
    done = _pytest(lacking_tests)
    assert done.returncode == 0, done.stdout
    assert "2 skipped, 1 xfailed" in done.stdout
    assert "needs something: there is none" in done.stdout


def test_in_ci_what_lacks_something_fails(lacking_tests: Path) -> None:
    """The run fails and says what was missing; a test that is expected to fail may still do so."""
    done = _pytest(lacking_tests, CI="true")
    assert done.returncode == 1
    assert "1 failed, 1 xfailed, 1 error" in done.stdout
    assert "needs something: there is none" in done.stdout


def test_in_ci_a_skipped_file_fails(tmp_path: Path) -> None:
    """A file that asks for a module that is not installed can't drop out unseen."""
    (tmp_path / "test_file.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    assert _pytest(tmp_path, CI="true").returncode != 0


def test_an_unknown_need_is_an_error() -> None:
    """A mistyped need does not run the test as if nothing were needed."""
    with pytest.raises(KeyError):
        missing("claud")


def test_nothing_connects_to_the_outside() -> None:
    """A connection to another machine is refused before a packet leaves."""
    with socket.socket() as connection, pytest.raises(RuntimeError, match="stay on this machine"):
        connection.connect((ELSEWHERE, 80))


def test_nothing_looks_up_a_name_outside() -> None:
    """Looking a name up would ask another machine."""
    with pytest.raises(RuntimeError, match="stay on this machine"):
        socket.getaddrinfo("undaunted.invalid", 80)


def test_this_machine_can_be_reached() -> None:
    """Servers that a test starts can be talked to."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(("localhost", server.getsockname()[1])) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_the_home_is_thrown_away(throw_away_home: Path) -> None:
    """Neither settings nor data of the person who runs the tests are touched."""
    assert Path.home() == throw_away_home
    assert Path(os.environ["UNDAUNTED_DATA_DIR"]).is_relative_to(throw_away_home)
    assert Path(os.environ["XDG_CONFIG_HOME"]).is_relative_to(throw_away_home)


def test_the_callers_keys_are_gone(tmp_path: Path) -> None:
    """A test can't spend the money of the person who runs it."""
    (tmp_path / "test_keys.py").write_text(
        "import os\ndef test_keys():\n    assert 'ANTHROPIC_API_KEY' not in os.environ\n"
        "    assert 'UNDAUNTED_AGENTS' not in os.environ\n"
    )
    done = _pytest(tmp_path, ANTHROPIC_API_KEY="not a key", UNDAUNTED_AGENTS="claude")
    assert done.returncode == 0, done.stdout


def test_a_private_folder_is_private(private_path: Path) -> None:
    """Nobody else can write to a folder above it, and it can be written to."""
    (private_path / "file").touch()
    assert not any(folder.stat().st_mode & 0o022 for folder in private_path.parents)
    assert private_path.stat().st_mode & 0o077 == 0
