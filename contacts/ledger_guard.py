"""The database itself refuses to change or remove a consent event, and to remove a brand, whoever asks."""

from smsdesk.append_only import Guard, Kept

_GUARD = Guard(
    table="contacts_consentevent",
    name="contacts_ledger",
    refusal="The consent ledger is append-only.",
    keys=(("seq",), ("id",)),
)
BRANDS = Kept(table="contacts_brand", name="contacts_brands", refusal="Consent belongs to a brand: it stays.")
POSTGRESQL, SQLITE = _GUARD.postgresql, _GUARD.sqlite
install, remove = _GUARD.install, _GUARD.remove
keep_brands, let_go_of_brands = BRANDS.install, BRANDS.remove
