"""Older files are brought up to date, newer ones refused, and models and migrations agree."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from importlib.resources import as_file
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock

from undaunted.errors import StoreError, StoreTooNewError
from undaunted.store.engine import migration_engine
from undaunted.store.key_vault import StoredKey
from undaunted.store.master_key import MasterKeySource
from undaunted.store.models import Model
from undaunted.store.store import FILE_NAME, Store
from undaunted.store.upgrade import HEAD, MIGRATIONS, upgrade
from undaunted.tasks import Task

NEXT = f"{int(HEAD) + 1:04}"
LATER = f'''
"""A later version's change, made up for the test."""
import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{HEAD}"


def upgrade() -> None:
    with op.batch_alter_table("tasks", recreate="always") as table:
        table.add_column(sa.Column("colour", sa.Text(), server_default="blue", nullable=False))
'''
FAILING = LATER + "    raise RuntimeError('the machine goes down here')\n"


def now() -> datetime:
    return datetime.now(UTC)


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(sql).fetchall()
        connection.commit()
        return rows


def content(path: Path) -> bytes:
    return path.read_bytes()


@pytest.fixture
async def filled(tmp_path: Path) -> Path:
    """A file of this version that holds a task with a record of its failure."""
    async with await Store.open(tmp_path / "data", clock_now=now) as store:
        await store.create_task(Task(prompt="kept", id="kept"), created_at=now())
        await store.sweep_interrupted(now())
    return tmp_path / "data" / FILE_NAME


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations of a later version of undaunted."""
    with as_file(MIGRATIONS) as folder:
        shutil.copytree(folder, tmp_path / "later")
    (tmp_path / "later" / "versions" / f"{NEXT}_later.py").write_text(LATER)
    return tmp_path / "later"


def test_the_newest_migration_is_the_revision_that_is_looked_for() -> None:
    """HEAD, which spares the import of Alembic, is what Alembic would say."""
    with as_file(MIGRATIONS) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder))
        assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_models_and_migrations_agree(tmp_path: Path) -> None:
    """A file built by the migrations has exactly the tables of the models."""
    path = tmp_path / FILE_NAME
    upgrade(path)
    engine = migration_engine(path)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Model.metadata) == []
    engine.dispose()


async def test_a_file_of_the_first_revision_keeps_its_rows_and_takes_keys(tmp_path: Path) -> None:
    """What the first release wrote is read by this one, which then stores keys in it."""
    first = tmp_path / "first"
    with as_file(MIGRATIONS) as folder:
        shutil.copytree(folder, first)
    for script in (first / "versions").glob("[0-9]*.py"):
        if not script.name.startswith("0001"):
            script.unlink()
    data = tmp_path / "data"
    data.mkdir()
    upgrade(data / FILE_NAME, migrations=first, head="0001")
    query(
        data / FILE_NAME,
        "INSERT INTO tasks (id, prompt, permissions, agents, models, agent_args, env_names,"
        " timeout_s, idle_timeout_s, deadline_s, max_wait_s, max_attempts, state, created_at,"
        " switches) VALUES ('old', 'kept', 'edit', '[]', '{}', '{}', '[]', 1, 1, 1, 0, 3,"
        " 'succeeded', '2026-11-23 14:47:00.000000', 0)",
    )
    source = MasterKeySource({}, config_folder=tmp_path / "config", data_folder=data)
    async with await Store.open(data, clock_now=now) as store:
        assert (await store.task("old")).task.prompt == "kept"
        await store.put_key(source, "claude", "default", StoredKey("ANTHROPIC_API_KEY", "value"))
    async with await Store.open(data, clock_now=now) as store:
        assert [key.value for key in (await store.stored_keys(source)).values()] == ["value"]
    assert query(data / FILE_NAME, "SELECT version_num FROM alembic_version") == [(HEAD,)]


async def test_an_older_file_is_upgraded_with_its_rows(filled: Path, later: Path) -> None:
    """Rows, and the rows that refer to them, survive a table that had to be built anew."""
    upgrade(filled, migrations=later, head=NEXT)
    assert query(filled, "SELECT id, prompt, colour FROM tasks") == [("kept", "kept", "blue")]
    assert query(filled, "SELECT task_id FROM task_failures") == [("kept",)]
    assert query(filled, "PRAGMA foreign_key_check") == []
    assert query(filled, "SELECT version_num FROM alembic_version") == [(NEXT,)]


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(filled: Path, later: Path) -> None:
    """All revisions are one transaction: no half of one is ever in a file."""
    (later / "versions" / f"{NEXT}_later.py").write_text(FAILING)
    with pytest.raises(RuntimeError, match="goes down"):
        upgrade(filled, migrations=later, head=NEXT)
    assert query(filled, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert "colour" not in {name for _, name, *_ in query(filled, "PRAGMA table_info(tasks)")}
    assert query(filled, "SELECT name FROM sqlite_master WHERE name LIKE '_alembic_tmp%'") == []


async def test_a_file_from_before_the_first_revision_is_upgraded(tmp_path: Path) -> None:
    """A file whose making ended after Alembic's own empty table is finished by the next opening."""
    query(tmp_path / FILE_NAME, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    async with await Store.open(tmp_path, clock_now=now) as store:
        assert await store.list_tasks() == []
    assert query(tmp_path / FILE_NAME, "SELECT version_num FROM alembic_version") == [(HEAD,)]


async def test_a_newer_file_is_refused_and_left_alone(filled: Path, later: Path) -> None:
    """The error says both revisions and what to do; not a byte is changed."""
    upgrade(filled, migrations=later, head=NEXT)
    before = content(filled)
    with pytest.raises(
        StoreTooNewError, match=rf"revision {NEXT}.*up to {HEAD}.*newer one"
    ) as caught:
        await Store.open(filled.parent, clock_now=now)
    assert str(filled) in str(caught.value)
    assert content(filled) == before


async def test_an_upgrade_waits_for_the_one_that_is_under_way(tmp_path: Path) -> None:
    """While another process holds the upgrade's lock nothing is touched, and that is said."""
    lock = FileLock(tmp_path / "undaunted.upgrade-lock")
    with lock, pytest.raises(StoreError, match="being upgraded by another process"):
        await Store.open(tmp_path, clock_now=now, busy_timeout_s=0.05)
    assert content(tmp_path / FILE_NAME) == b""
    async with await Store.open(tmp_path, clock_now=now, busy_timeout_s=0.05):
        assert query(tmp_path / FILE_NAME, "SELECT version_num FROM alembic_version") == [(HEAD,)]


async def test_a_file_that_lost_its_wal_mode_gets_it_back(filled: Path) -> None:
    """A current file in another journal mode, as a backup restores it, is put right."""
    assert query(filled, "PRAGMA journal_mode=DELETE") == [("delete",)]
    async with await Store.open(filled.parent, clock_now=now) as store:
        assert (await store.task("kept")).task.prompt == "kept"
    assert query(filled, "PRAGMA journal_mode") == [("wal",)]
