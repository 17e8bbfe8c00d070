import django.db.models.deletion
from django.db import migrations, models

_OWNERS = {"contact": "contacts_contact", "list": "contacts_contactlist"}


def install(apps, schema_editor):
    """A place goes with its contact and with its list, also one that was made while these were being deleted.

    SQLite has one writer at a time, and what Django deletes first is all there is.
    """
    if schema_editor.connection.vendor != "postgresql":
        return
    for name, table in _OWNERS.items():
        schema_editor.execute(
            f"CREATE FUNCTION contacts_places_of_{name}_go() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN DELETE FROM contacts_listmembership WHERE {name}_id = OLD.id; RETURN NULL; END $$",
            params=None,
        )
        schema_editor.execute(
            f"CREATE TRIGGER contacts_places_of_{name} AFTER DELETE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION contacts_places_of_{name}_go()",
            params=None,
        )


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name, table in _OWNERS.items():
            schema_editor.execute(f"DROP TRIGGER contacts_places_of_{name} ON {table}")
            schema_editor.execute(f"DROP FUNCTION contacts_places_of_{name}_go()")


class Migration(migrations.Migration):
    dependencies = [("contacts", "0020_an_import_checks_less")]
    operations = [
        migrations.AlterField(
            "listmembership",
            "list",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="memberships",
                to="contacts.contactlist",
            ),
        ),
        migrations.AlterField(
            "listmembership",
            "contact",
            models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="memberships",
                to="contacts.contact",
            ),
        ),
        migrations.RunPython(install, remove),
    ]
