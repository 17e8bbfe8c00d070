from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement
from django.db.models import Index, Model


class BeginningIndex(Index):
    """Finds texts by how they begin, whatever the case of their letters: what `istartswith` asks.

    A plain index answers that on PostgreSQL only where the database sorts by code points, and on SQLite never.
    """

    def create_sql(
        self, model: type[Model], schema_editor: BaseDatabaseSchemaEditor, using: str = "", **options: Any
    ) -> Statement:
        statement = super().create_sql(model, schema_editor, using=using, **options)
        (name, _), *more = self.fields_orders
        assert not more, "one text has one beginning"
        field: Any = model._meta.get_field(name)
        column = schema_editor.quote_name(field.column)
        is_postgresql = schema_editor.connection.vendor == "postgresql"
        parts: dict[str, Any] = statement.parts
        parts["columns"] = (
            f"UPPER({column}::text) text_pattern_ops" if is_postgresql else f"{column} COLLATE NOCASE"
        )
        return statement
