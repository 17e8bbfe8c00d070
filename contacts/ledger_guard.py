"""The database itself refuses to change or remove a consent event, whoever asks."""

from smsdesk.append_only import Guard

_GUARD = Guard(
    table="contacts_consentevent",
    name="contacts_ledger",
    refusal="The consent ledger is append-only.",
    keys=(("seq",), ("id",)),
)
POSTGRESQL, SQLITE = _GUARD.postgresql, _GUARD.sqlite
install, remove = _GUARD.install, _GUARD.remove
