"""Tables the database itself keeps append-only: no row is changed, removed or replaced, whoever asks.

One exception, needed by tests only: a database whose name begins with `test_` (and SQLite in memory) may be
emptied, because a test of real transactions has to. UPDATE is refused there too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# SQLite: the main database is a file, and its name does not begin with test_.
_IS_NO_TEST = """NOT EXISTS (
    SELECT 1 FROM pragma_database_list
    WHERE name = 'main' AND (
        file = '' OR substr(file, length(rtrim(file, replace(file, '/', ''))) + 1) LIKE 'test\\_%' ESCAPE '\\'
    )
)"""


@dataclass(frozen=True, slots=True)
class Guard:
    """Triggers on `table`, named by `name`; `keys` are its unique sets of columns: SQLite replaces by these."""

    table: str
    name: str
    refusal: str
    keys: Sequence[Sequence[str]]

    @property
    def postgresql(self) -> str:
        function = f"{self.name}_refuse_change"
        return f"""
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_database() LIKE 'test\\_%' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '{self.refusal}' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER {self.name}_rows BEFORE UPDATE OR DELETE ON {self.table}
    FOR EACH ROW EXECUTE FUNCTION {function}();
CREATE TRIGGER {self.name}_truncate BEFORE TRUNCATE ON {self.table}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
"""

    @property
    def sqlite(self) -> tuple[str, ...]:
        is_taken = " OR ".join(" AND ".join(f"{name} = NEW.{name}" for name in key) for key in self.keys)
        refuse = f"BEGIN SELECT RAISE(ABORT, '{self.refusal}'); END"
        return (
            f"CREATE TRIGGER {self.name}_update BEFORE UPDATE ON {self.table} {refuse}",
            f"CREATE TRIGGER {self.name}_delete BEFORE DELETE ON {self.table} WHEN {_IS_NO_TEST} {refuse}",
            # INSERT OR REPLACE removes the row it replaces without asking the trigger above.
            f"""
CREATE TRIGGER {self.name}_insert BEFORE INSERT ON {self.table}
WHEN EXISTS (SELECT 1 FROM {self.table} WHERE {is_taken}) {refuse}
""",
        )

    def install(self, schema_editor: BaseDatabaseSchemaEditor) -> None:
        is_postgresql = schema_editor.connection.vendor == "postgresql"
        _run(schema_editor, (self.postgresql,) if is_postgresql else self.sqlite)

    def remove(self, schema_editor: BaseDatabaseSchemaEditor) -> None:
        if schema_editor.connection.vendor == "postgresql":
            own = (f"{self.name}_rows", f"{self.name}_truncate")
            drops = [f"DROP TRIGGER IF EXISTS {name} ON {self.table}" for name in own]
            _run(schema_editor, [*drops, f"DROP FUNCTION IF EXISTS {self.name}_refuse_change()"])
        else:
            names = ("insert", "delete", "update")
            _run(schema_editor, [f"DROP TRIGGER IF EXISTS {self.name}_{name}" for name in names])


@dataclass(frozen=True, slots=True)
class Kept:
    """A trigger by which no row of `table` is ever removed; they may change."""

    table: str
    name: str
    refusal: str

    @property
    def postgresql(self) -> str:
        function = f"{self.name}_refuse_removal"
        return f"""
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_database() LIKE 'test\\_%' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '{self.refusal}' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER {self.name}_rows BEFORE DELETE ON {self.table} FOR EACH ROW EXECUTE FUNCTION {function}();
"""

    @property
    def sqlite(self) -> str:
        refuse = f"BEGIN SELECT RAISE(ABORT, '{self.refusal}'); END"
        return f"CREATE TRIGGER {self.name}_rows BEFORE DELETE ON {self.table} WHEN {_IS_NO_TEST} {refuse}"

    def install(self, schema_editor: BaseDatabaseSchemaEditor) -> None:
        is_postgresql = schema_editor.connection.vendor == "postgresql"
        _run(schema_editor, [self.postgresql if is_postgresql else self.sqlite])

    def remove(self, schema_editor: BaseDatabaseSchemaEditor) -> None:
        if schema_editor.connection.vendor == "postgresql":
            drops = [f"DROP TRIGGER IF EXISTS {self.name}_rows ON {self.table}"]
            _run(schema_editor, [*drops, f"DROP FUNCTION IF EXISTS {self.name}_refuse_removal()"])
        else:
            _run(schema_editor, [f"DROP TRIGGER IF EXISTS {self.name}_rows"])


def _run(schema_editor: BaseDatabaseSchemaEditor, statements: Sequence[str]) -> None:
    for statement in statements:
        schema_editor.execute(statement, params=None)  # no parameters given: % stands for itself
