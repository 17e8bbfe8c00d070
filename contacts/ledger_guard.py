"""The database itself refuses to change or remove a consent event, whoever asks.

Two exceptions, both needed by tests only: a database whose name begins with `test_` (and SQLite in memory) may be
emptied, because a test of real transactions has to. UPDATE is refused there too.
"""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_REFUSAL = "The consent ledger is append-only."

POSTGRESQL = f"""
CREATE FUNCTION contacts_refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_database() LIKE 'test\\_%' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER contacts_ledger_rows BEFORE UPDATE OR DELETE ON contacts_consentevent
    FOR EACH ROW EXECUTE FUNCTION contacts_refuse_ledger_change();
CREATE TRIGGER contacts_ledger_truncate BEFORE TRUNCATE ON contacts_consentevent
    FOR EACH STATEMENT EXECUTE FUNCTION contacts_refuse_ledger_change();
"""
POSTGRESQL_REVERSE = """
DROP TRIGGER contacts_ledger_truncate ON contacts_consentevent;
DROP TRIGGER contacts_ledger_rows ON contacts_consentevent;
DROP FUNCTION contacts_refuse_ledger_change();
"""
SQLITE = (
    f"""
CREATE TRIGGER contacts_ledger_update BEFORE UPDATE ON contacts_consentevent
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
""",
    f"""
CREATE TRIGGER contacts_ledger_delete BEFORE DELETE ON contacts_consentevent
WHEN NOT EXISTS (
    SELECT 1 FROM pragma_database_list
    WHERE name = 'main' AND (
        file = '' OR substr(file, length(rtrim(file, replace(file, '/', ''))) + 1) LIKE 'test\\_%' ESCAPE '\\'
    )
)
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
""",
    # INSERT OR REPLACE removes the row it replaces without asking the trigger above.
    f"""
CREATE TRIGGER contacts_ledger_insert BEFORE INSERT ON contacts_consentevent
WHEN EXISTS (SELECT 1 FROM contacts_consentevent WHERE seq = NEW.seq OR id = NEW.id)
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
""",
)
SQLITE_REVERSE = tuple(f"DROP TRIGGER IF EXISTS contacts_ledger_{name}" for name in ("insert", "delete", "update"))


def install(schema_editor: BaseDatabaseSchemaEditor) -> None:
    _run(schema_editor, postgresql=(POSTGRESQL,), sqlite=SQLITE)


def remove(schema_editor: BaseDatabaseSchemaEditor) -> None:
    _run(schema_editor, postgresql=(POSTGRESQL_REVERSE,), sqlite=SQLITE_REVERSE)


def _run(schema_editor: BaseDatabaseSchemaEditor, *, postgresql: tuple[str, ...], sqlite: tuple[str, ...]) -> None:
    # no parameters given: % stands for itself
    for statement in postgresql if schema_editor.connection.vendor == "postgresql" else sqlite:
        schema_editor.execute(statement, params=None)
