"""The database itself refuses to change or remove a wording that a form has shown."""

from smsdesk.append_only import Guard

_GUARD = Guard(
    table="inbound_wording",
    name="inbound_wording",
    refusal="A wording that was shown is never changed: save a new version.",
    keys=(("id",), ("form_id", "number")),
)
install, remove = _GUARD.install, _GUARD.remove
