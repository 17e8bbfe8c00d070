"""The database itself refuses to change or remove a wording that a form has shown.

As with the consent ledger, a database whose name begins with `test_` (and SQLite in memory) may be emptied.
"""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_REFUSAL = "A wording that was shown is never changed: save a new version."

POSTGRESQL = (
    f"""
CREATE FUNCTION inbound_refuse_wording_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_database() LIKE 'test\\_%' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER inbound_wording_rows BEFORE UPDATE OR DELETE ON inbound_wording
    FOR EACH ROW EXECUTE FUNCTION inbound_refuse_wording_change();
CREATE TRIGGER inbound_wording_truncate BEFORE TRUNCATE ON inbound_wording
    FOR EACH STATEMENT EXECUTE FUNCTION inbound_refuse_wording_change();
""",
)
POSTGRESQL_REVERSE = (
    """
DROP TRIGGER inbound_wording_truncate ON inbound_wording;
DROP TRIGGER inbound_wording_rows ON inbound_wording;
DROP FUNCTION inbound_refuse_wording_change();
""",
)
SQLITE = (
    f"""
CREATE TRIGGER inbound_wording_update BEFORE UPDATE ON inbound_wording
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
""",
    f"""
CREATE TRIGGER inbound_wording_delete BEFORE DELETE ON inbound_wording
WHEN NOT EXISTS (
    SELECT 1 FROM pragma_database_list
    WHERE name = 'main' AND (
        file = '' OR substr(file, length(rtrim(file, replace(file, '/', ''))) + 1) LIKE 'test\\_%' ESCAPE '\\'
    )
)
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
""",
)
SQLITE_REVERSE = ("DROP TRIGGER inbound_wording_delete", "DROP TRIGGER inbound_wording_update")


def install(schema_editor: BaseDatabaseSchemaEditor) -> None:
    _run(schema_editor, postgresql=POSTGRESQL, sqlite=SQLITE)


def remove(schema_editor: BaseDatabaseSchemaEditor) -> None:
    _run(schema_editor, postgresql=POSTGRESQL_REVERSE, sqlite=SQLITE_REVERSE)


def _run(schema_editor: BaseDatabaseSchemaEditor, *, postgresql: tuple[str, ...], sqlite: tuple[str, ...]) -> None:
    # no parameters given: % stands for itself
    for statement in postgresql if schema_editor.connection.vendor == "postgresql" else sqlite:
        schema_editor.execute(statement, params=None)
