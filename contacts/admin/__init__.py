from contacts import dashboard
from contacts.admin import contact, contact_import, frequency_cap, ledger, quiet_hours, segment, tag

__all__ = ["contact", "contact_import", "dashboard", "frequency_cap", "ledger", "quiet_hours", "segment", "tag"]
