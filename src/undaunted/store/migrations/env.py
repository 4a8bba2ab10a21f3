"""Alembic's entry: runs the migrations in the transaction that `undaunted.store.upgrade` began."""

from alembic import context

from undaunted.store.models import Model

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Model.metadata,
    # SQLite alters a table by copying it; `op.batch_alter_table` does that there.
    render_as_batch=True,
)
context.run_migrations()
