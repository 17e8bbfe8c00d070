from contacts import dashboard
from contacts.admin import brand, contact, contact_import, frequency_cap, ledger, quiet_hours, segment, tag

__all__ = [
    "brand", "contact", "contact_import", "dashboard", "frequency_cap", "ledger", "quiet_hours", "segment", "tag",
]  # fmt: skip
