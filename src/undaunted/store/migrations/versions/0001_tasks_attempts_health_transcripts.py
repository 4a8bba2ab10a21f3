"""Tasks, attempts, failures, agents' health, transcripts.

Column types are spelled out rather than taken from `models`: this file must build the same tables
for ever.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("cwd", sa.Text()),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.Column("agents", sa.JSON(), nullable=False),
        sa.Column("models", sa.JSON(), nullable=False),
        sa.Column("agent_args", sa.JSON(), nullable=False),
        sa.Column("env_names", sa.JSON(), nullable=False),
        sa.Column("session_id", sa.Text()),
        sa.Column("timeout_s", sa.Double(), nullable=False),
        sa.Column("idle_timeout_s", sa.Double(), nullable=False),
        sa.Column("deadline_s", sa.Double(), nullable=False),
        sa.Column("max_wait_s", sa.Double(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("token", sa.Text()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.Column("waiting_until", INSTANT),
        sa.Column("agent", sa.Text()),
        sa.Column("account", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("content", sa.Text()),
        sa.Column("agent_session_id", sa.Text()),
        sa.Column("switches", sa.Integer(), nullable=False),
        sa.Column("error_kind", sa.Text()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_detail_code", sa.Text()),
        sa.Column("error_message", sa.Text()),
        sa.Column("retry_after_s", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
    )
    op.create_index("ix_tasks_created_at_id", "tasks", ["created_at", "id"])
    op.create_index("ix_tasks_state", "tasks", ["state"])

    op.create_table(
        "attempts",
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("model", sa.Text()),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("reason_chosen", sa.Text(), nullable=False),
        sa.Column("duration_s", sa.Double()),
        sa.Column("outcome", sa.String(16)),
        sa.Column("kind", sa.Text()),
        sa.Column("action", sa.Text()),
        sa.Column("message", sa.Text()),
        sa.Column("evidence", sa.Text()),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("retry_after_s", sa.Double()),
        sa.Column("resets_at", INSTANT),
        sa.Column("inner_retries", sa.Integer(), nullable=False),
        sa.Column("permission_denials", sa.JSON(), nullable=False),
        sa.Column("usage", sa.JSON()),
        sa.Column("cost_usd", sa.Double()),
        sa.Column("agent_session_id", sa.Text()),
        sa.Column("command", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "number", name="pk_attempts"),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name="fk_attempts_task_id_tasks", ondelete="CASCADE"
        ),
    )

    op.create_table(
        "task_failures",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column("attempted_agents", sa.Text(), nullable=False),
        sa.Column("duration", sa.Double(), nullable=False),
        sa.Column("timestamp", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_task_failures"),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name="fk_task_failures_task_id_tasks", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_task_failures_task_id", "task_failures", ["task_id"])
    op.create_index("ix_task_failures_timestamp_id", "task_failures", ["timestamp", "id"])

    op.create_table(
        "agent_health",
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("failure_count", sa.Integer(), nullable=False),
        sa.Column("opened_at", INSTANT),
        sa.Column("open_until", INSTANT),
        sa.Column("isolated", sa.Boolean(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("probe_token", sa.Text()),
        sa.Column("probe_until", INSTANT),
        sa.Column("credential_mark", sa.Text()),
        sa.Column("last_kind", sa.Text()),
        sa.Column("last_message", sa.Text()),
        sa.Column("last_failure_at", INSTANT),
        sa.Column("last_success_at", INSTANT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("successes", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("total_duration_s", sa.Double(), nullable=False),
        sa.Column("total_cost_usd", sa.Double(), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("agent", "account", "model", name="pk_agent_health"),
    )

    op.create_table(
        "transcripts",
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "number", "seq", name="pk_transcripts"),
        sa.ForeignKeyConstraint(
            ["task_id", "number"],
            ["attempts.task_id", "attempts.number"],
            name="fk_transcripts_task_id_number_attempts",
            ondelete="CASCADE",
        ),
    )
