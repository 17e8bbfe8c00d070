"""What the ledger writes beside itself, by triggers, whoever changes it: `MessageInMotion` and `TakenMessage`.

An index on `state` would be written anew with every step of every message, and with it all other indexes of the
ledger, because PostgreSQL can leave them alone only where no indexed column changes. So the ledger has indexes on
what never changes, and what is asked by state stands in narrow tables. Triggers keep them: nobody can forget to.
"""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

IN_MOTION = ("queued", "submitting", "unknown", "parked")

_STATES = ", ".join(f"'{state}'" for state in IN_MOTION)
_MOTION = ("state", "lane_id", "campaign_id", "priority", "due_at", "submitted_at", "next_lookup_at")
_TAKEN = ("contact_id", "gateway_id", "accepted_at", "delivered_at")
_IS_NAMED = "{n}.accepted_at IS NOT NULL OR {n}.gateway_id <> '' OR {n}.state = 'delivered'"
_NAMES = ("made", "moved", "gone")
# What every message names and must be there: asked once for all rows of a statement. As foreign keys these are
# asked for each row, which took half of the time in which a large campaign's messages are made.
_OWNERS = {
    "brand_id": "contacts_brand",
    "campaign_id": "campaigns_campaign",
    "sender_id": "campaigns_sender",
    "lane_id": "campaigns_lane",
    "api_key_id": "smsdesk_apikey",
}
_STAYS = "Messages name it: it stays."


def _columns(names: tuple[str, ...], row: str) -> str:
    """Of a ledger row, as the followers hold them."""
    held = {"delivered_at": f"CASE WHEN {row}.state = 'delivered' THEN {row}.final_at END"}
    return ", ".join(held.get(name, f"{row}.{name}") for name in names)


def _replace(names: tuple[str, ...], table: str) -> str:
    """Of a row that is there already: written only where it says something else."""
    changes = ", ".join(f"{name} = excluded.{name}" for name in names)
    differs = " OR ".join(f"{table}.{name} IS {{distinct}} excluded.{name}" for name in names)
    return f"ON CONFLICT (message_id) DO UPDATE SET {changes} WHERE {differs}"


def _inserts(*, source: str, row: str, replacing: bool, distinct: str) -> tuple[str, str]:
    """Two statements: what is in motion, and what a gateway knows, of the ledger rows in `source`."""
    pairs = []
    for table, names, which in (
        ("campaigns_messageinmotion", _MOTION, f"{row}.state IN ({_STATES})"),
        ("campaigns_takenmessage", _TAKEN, _IS_NAMED.format(n=row)),
    ):
        ending = _replace(names, table).format(distinct=distinct) if replacing else ""
        pairs.append(
            f"INSERT INTO {table} (message_id, {', '.join(names)}) "
            f"SELECT {row}.id, {_columns(names, row)} {source} WHERE {which} {ending};"
        )
    return pairs[0], pairs[1]


def _postgresql() -> str:
    def inserts(*, replacing: bool) -> str:
        return " ".join(_inserts(source="FROM own n", row="n", replacing=replacing, distinct="DISTINCT FROM"))

    bodies = {
        "made": f"{_owners_are_there()} {inserts(replacing=False)}",
        # By an array, which is looked up in the index: for a join a planner with old statistics reads the table.
        "moved": "DELETE FROM campaigns_messageinmotion WHERE message_id = ANY "
        f"(ARRAY(SELECT n.id FROM own n WHERE n.state NOT IN ({_STATES}))); {inserts(replacing=True)}",
        "gone": "DELETE FROM campaigns_messageinmotion WHERE message_id = ANY (ARRAY(SELECT n.id FROM own n)); "
        "DELETE FROM campaigns_takenmessage WHERE message_id = ANY (ARRAY(SELECT n.id FROM own n));",
    }
    events = {"made": ("INSERT", "NEW"), "moved": ("UPDATE", "NEW"), "gone": ("DELETE", "OLD")}
    statements = []
    for name, body in bodies.items():
        event, side = events[name]
        statements.append(
            f"CREATE FUNCTION campaigns_ledger_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN {body} RETURN NULL; END $$;"
            f"CREATE TRIGGER campaigns_ledger_{name} AFTER {event} ON campaigns_outboundmessage "
            f"REFERENCING {side} TABLE AS own FOR EACH STATEMENT EXECUTE FUNCTION campaigns_ledger_{name}();"
        )
    for column, table in _OWNERS.items():
        statements.append(
            f"CREATE FUNCTION campaigns_ledger_{column}_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF EXISTS (SELECT 1 FROM campaigns_outboundmessage o WHERE o.{column} = OLD.id) THEN "
            f"RAISE EXCEPTION '{_STAYS}' USING ERRCODE = 'foreign_key_violation'; END IF; RETURN OLD; END $$;"
            f"CREATE TRIGGER campaigns_ledger_{column}_stays BEFORE DELETE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION campaigns_ledger_{column}_stays();"
        )
    return "".join(statements)


def _owners_are_there() -> str:
    """Locked, so that none is removed before this transaction ends."""

    def check(column: str, table: str) -> str:
        there = f"SELECT id FROM {table} WHERE id = ANY (ARRAY(SELECT DISTINCT n.{column} FROM own n))"
        named = f"SELECT DISTINCT n.{column} FROM own n WHERE n.{column} IS NOT NULL"
        return (
            f"PERFORM 1 FROM ({there} FOR KEY SHARE) AS kept; IF EXISTS ({named} EXCEPT {there}) THEN "
            f"RAISE EXCEPTION 'A message names a {column} that is not there.' "
            "USING ERRCODE = 'foreign_key_violation'; END IF;"
        )

    return " ".join(check(column, table) for column, table in _OWNERS.items())


def _sqlite() -> list[str]:
    def inserts(*, replacing: bool) -> str:
        return " ".join(_inserts(source="", row="NEW", replacing=replacing, distinct="NOT"))

    gone = "DELETE FROM campaigns_messageinmotion WHERE message_id = OLD.id"
    bodies = {
        "made": ("INSERT", inserts(replacing=False)),
        "moved": ("UPDATE", f"{gone} AND NEW.state NOT IN ({_STATES}); {inserts(replacing=True)}"),
        "gone": ("DELETE", f"{gone}; DELETE FROM campaigns_takenmessage WHERE message_id = OLD.id;"),
    }
    # That an owner stays is not watched here: whoever deletes one asks for its messages, and is the only writer.
    missing = " OR ".join(
        f"(NEW.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {table} WHERE id = NEW.{column}))"
        for column, table in _OWNERS.items()
    )
    return [
        *(
            f"CREATE TRIGGER campaigns_ledger_{name} AFTER {event} ON campaigns_outboundmessage BEGIN {body} END"
            for name, (event, body) in bodies.items()
        ),
        f"CREATE TRIGGER campaigns_ledger_owners BEFORE INSERT ON campaigns_outboundmessage WHEN {missing} "
        "BEGIN SELECT RAISE(ABORT, 'FOREIGN KEY constraint failed'); END",
    ]


def install(schema_editor: BaseDatabaseSchemaEditor) -> None:
    statements = [_postgresql()] if schema_editor.connection.vendor == "postgresql" else _sqlite()
    for statement in statements:
        schema_editor.execute(statement, params=None)


def fill(schema_editor: BaseDatabaseSchemaEditor) -> None:
    """For a ledger that has rows already; to be called with `install`, in one transaction."""
    for statement in _inserts(
        source="FROM campaigns_outboundmessage n", row="n", replacing=False, distinct="DISTINCT FROM"
    ):
        schema_editor.execute(statement.rstrip("; "), params=None)


def remove(schema_editor: BaseDatabaseSchemaEditor) -> None:
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    ledger = dict.fromkeys((*_NAMES, "owners"), "campaigns_outboundmessage")
    for name, table in (ledger | {f"{column}_stays": table for column, table in _OWNERS.items()}).items():
        on = f" ON {table}" if is_postgresql else ""
        schema_editor.execute(f"DROP TRIGGER IF EXISTS campaigns_ledger_{name}{on}")
        if is_postgresql:
            schema_editor.execute(f"DROP FUNCTION IF EXISTS campaigns_ledger_{name}()")
