"""The counts of campaigns: written by triggers of the ledger in the same statement, summed by the pulse.

A counter that every batch raises would make all lanes wait for one row. So each statement adds a row of its own for
each kind of message it moved, and whoever asks adds them up.
"""

from django.db import connection, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from campaigns import reports
from campaigns.models.campaign_count import KEYS, SUMS

PAGE = 20_000  # rows summed in one transaction
_LOCK = 8_417_022  # of PostgreSQL's advisory locks: one process sums at a time
_TABLE = "campaigns_campaigncount"
_KEYS = tuple("campaign_id" if name == "campaign" else name for name in KEYS)
_COLUMNS = ", ".join((*_KEYS, *SUMS))
_NAMES = ("made", "moved", "gone")


def total() -> int:
    """Sum what was written since the last time; how many rows. On SQLite the triggers sum by themselves."""
    if connection.vendor != "postgresql":
        return 0
    summed = 0
    while done := _sum_page():
        summed += done
        if done < PAGE:
            break
    return summed


def _sum_page() -> int:
    keys = ", ".join(_KEYS)
    same = " AND ".join(f"o.{name} IS NOT DISTINCT FROM x.{name}" for name in _KEYS)
    raised = ", ".join(f"{name} = o.{name} + x.{name}" for name in SUMS)
    named = ", ".join(f"SUM({name}) AS {name}" for name in SUMS)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(
            f"""
            WITH taken AS (
                DELETE FROM {_TABLE} WHERE id IN (
                    SELECT id FROM {_TABLE} WHERE NOT is_summed ORDER BY id LIMIT {PAGE}
                ) RETURNING {_COLUMNS}
            ), x AS (SELECT {keys}, {named} FROM taken GROUP BY {keys}),
            raised AS (
                UPDATE {_TABLE} o SET {raised} FROM x
                WHERE o.is_summed AND o.campaign_id = x.campaign_id AND {same}
                RETURNING {", ".join(f"x.{name}" for name in _KEYS)}
            ), added AS (
                INSERT INTO {_TABLE} ({_COLUMNS}, is_summed)
                SELECT {_COLUMNS}, TRUE FROM x WHERE NOT EXISTS (SELECT 1 FROM raised o WHERE {same})
            ) SELECT COUNT(*) FROM taken"""
        )
        return int(cursor.fetchone()[0])


# --- Triggers -----------------------------------------------------------------------------------------

_MINUTE, _SQLITE_MINUTE = "date_trunc('minute', {})", "strftime('%Y-%m-%d %H:%M:00', {})"
_TAKEN = f"({', '.join(repr(state.value) for state in reports.TAKEN)})"


def _of(row: str, minute: str) -> dict[str, str]:
    """What one message counts as, by column; `minute` is SQL with a place for the moment."""
    keys = {name: f"{row}.{name}" for name in _KEYS} | {"minute": minute.format(f"{row}.submitted_at")}
    return keys | {
        "messages": "1",
        "replies": f"CASE WHEN {row}.replied_at IS NULL THEN 0 ELSE 1 END",
        "opt_outs": f"CASE WHEN {row}.opted_out_at IS NULL THEN 0 ELSE 1 END",
        "parts": f"CASE WHEN {row}.state IN {_TAKEN} THEN COALESCE({row}.parts, 0) ELSE 0 END",
    }


def _postgresql() -> str:
    keys = ", ".join(_KEYS)

    def counted(source: str, sign: int) -> str:
        values = ", ".join(_of("n", _MINUTE).values())
        return f"SELECT {values}, {sign} FROM {source} n WHERE n.kind = 'campaign' AND n.campaign_id IS NOT NULL"

    def added(*parts: str) -> str:
        sums = ", ".join(f"SUM({name} * sign)" for name in SUMS)
        differs = " OR ".join(f"SUM({name} * sign) <> 0" for name in SUMS)
        return (
            f"INSERT INTO {_TABLE} ({_COLUMNS}, is_summed) SELECT {keys}, {sums}, FALSE "
            f"FROM ({' UNION ALL '.join(parts)}) AS x({_COLUMNS}, sign) GROUP BY {keys} HAVING {differs};"
        )

    bodies = {
        "made": ("INSERT", "NEW TABLE AS own", added(counted("own", 1))),
        "moved": ("UPDATE", "OLD TABLE AS was NEW TABLE AS own", added(counted("was", -1), counted("own", 1))),
        "gone": ("DELETE", "OLD TABLE AS own", added(counted("own", -1))),
    }
    return "".join(
        f"CREATE FUNCTION campaigns_count_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN {body} RETURN NULL; END $$;"
        f"CREATE TRIGGER campaigns_count_{name} AFTER {event} ON campaigns_outboundmessage "
        f"REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION campaigns_count_{name}();"
        for name, (event, tables, body) in bodies.items()
    )


def _sqlite() -> list[str]:
    """One writer at a time: here the sums themselves are raised and lowered."""

    def added(row: str, sign: int) -> str:
        one = ", ".join(
            f"{value} AS {name}" for name, value in _of(row, "strftime('%Y-%m-%d %H:%M:00', {})").items()
        )
        same = " AND ".join(f"{_TABLE}.{name} IS x.{name}" for name in _KEYS)
        which = f"FROM (SELECT {one}) AS x WHERE {row}.kind = 'campaign' AND {row}.campaign_id IS NOT NULL"
        changed = ", ".join(f"{name} = {_TABLE}.{name} + x.{name} * {sign}" for name in SUMS)
        return (
            f"INSERT INTO {_TABLE} ({_COLUMNS}, is_summed) SELECT {', '.join(f'x.{name}' for name in _KEYS)}, "
            f"{', '.join('0' for _ in SUMS)}, 1 {which} "
            f"AND NOT EXISTS (SELECT 1 FROM {_TABLE} WHERE {_TABLE}.campaign_id = x.campaign_id AND {same}); "
            f"UPDATE {_TABLE} SET {changed} {which} AND {_TABLE}.campaign_id = x.campaign_id AND {same};"
        )

    bodies = {
        "made": ("INSERT", added("NEW", 1)),
        "moved": ("UPDATE", added("OLD", -1) + added("NEW", 1)),
        "gone": ("DELETE", added("OLD", -1)),
    }
    return [
        f"CREATE TRIGGER campaigns_count_{name} AFTER {event} ON campaigns_outboundmessage BEGIN {body} END"
        for name, (event, body) in bodies.items()
    ]


def install(schema_editor: BaseDatabaseSchemaEditor) -> None:
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    for statement in [_postgresql()] if is_postgresql else _sqlite():
        schema_editor.execute(statement, params=None)


def fill(schema_editor: BaseDatabaseSchemaEditor) -> None:
    """For a ledger that has rows already; to be called with `install`, in one transaction."""
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    minute = _MINUTE if is_postgresql else _SQLITE_MINUTE
    one = ", ".join(f"{value} AS {name}" for name, value in _of("n", minute).items())
    keys, sums = ", ".join(_KEYS), ", ".join(f"SUM({name})" for name in SUMS)
    schema_editor.execute(
        f"INSERT INTO {_TABLE} ({_COLUMNS}, is_summed) SELECT {keys}, {sums}, {'TRUE' if is_postgresql else '1'} "
        f"FROM (SELECT {one} FROM campaigns_outboundmessage n "
        f"WHERE n.kind = 'campaign' AND n.campaign_id IS NOT NULL) AS x GROUP BY {keys}",
        params=None,
    )


def remove(schema_editor: BaseDatabaseSchemaEditor) -> None:
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    for name in _NAMES:
        of = " ON campaigns_outboundmessage" if is_postgresql else ""
        schema_editor.execute(f"DROP TRIGGER IF EXISTS campaigns_count_{name}{of}")
        if is_postgresql:
            schema_editor.execute(f"DROP FUNCTION IF EXISTS campaigns_count_{name}()")
