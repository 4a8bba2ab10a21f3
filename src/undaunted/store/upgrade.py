"""Brings a file to the revision this version of undaunted works with.

A file that is current costs one look. Only otherwise Alembic is imported (tenths of a second) and
a lock taken, under which the file is looked at again: the first of several processes upgrades, the
others find it done.
"""

from __future__ import annotations

from importlib.metadata import version
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from undaunted.errors import StoreError, StoreTooNewError
from undaunted.store.engine import BUSY_TIMEOUT_S, Database, migration_engine
from undaunted.store.store_errors import database_error, file_error

__all__ = ["HEAD", "MIGRATIONS", "is_current", "upgrade"]

# The newest revision in migrations/versions; a test compares them.
HEAD = "0002"
MIGRATIONS = files("undaunted.store") / "migrations"


async def is_current(database: Database) -> bool:
    """Whether the file needs nothing before it is used.

    Raises:
        StoreError: The file can't be read.
    """
    async with database.read() as session:
        connection = await session.connection()
        revision = await connection.run_sync(_revision)
        return revision == HEAD and await connection.scalar(text("PRAGMA journal_mode")) == "wal"


def upgrade(
    path: Path,
    *,
    migrations: Traversable = MIGRATIONS,
    head: str = HEAD,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
) -> None:
    """Upgrades the file at `path`, or finds it done; blocks.

    All revisions are one transaction: a process that dies on the way leaves the file as it was.

    Args:
        path: The SQLite file; may be empty.
        migrations: The folder of the migrations.
        head: The newest of them.
        busy_timeout_s: Longest wait for other processes, in seconds.

    Raises:
        StoreError: It can't be upgraded; the text says why and what to do.
        StoreTooNewError: Its revision is none that this version knows.
    """
    lock = FileLock(path.with_suffix(".upgrade-lock"), timeout=busy_timeout_s, mode=0o600)
    engine = migration_engine(path, busy_timeout_s=busy_timeout_s)
    try:
        with lock, as_file(migrations) as folder:
            _upgrade(engine, folder, head)
    except Timeout as error:
        raise StoreError(
            f"{path} is being upgraded by another process; wait for that process or end it"
        ) from error
    except DBAPIError as error:
        raise database_error(error, path) from error
    except OSError as error:
        raise file_error(error, path) from error
    finally:
        engine.dispose()


def _upgrade(engine: Engine, migrations: Path, head: str) -> None:
    with engine.begin() as connection:
        revision = _revision(connection)
        if revision == head:
            return
        # Here and not above: only a file that needs it pays for the import.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415
        from alembic.script import ScriptDirectory  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(migrations).replace("%", "%%"))
        config.attributes["connection"] = connection
        scripts = ScriptDirectory.from_config(config).walk_revisions()
        if revision not in {None, *(script.revision for script in scripts)}:
            raise StoreTooNewError(
                f"{engine.url.database} was written by a newer undaunted (revision {revision}; "
                f"undaunted {version('undaunted')} knows up to {head}): install the newer one "
                "again, or choose another folder with UNDAUNTED_DATA_DIR"
            )
        command.upgrade(config, head)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
