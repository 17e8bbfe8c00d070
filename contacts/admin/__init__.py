from contacts import dashboard
from contacts.admin import contact, contact_import, ledger, quiet_hours, segment, tag

__all__ = ["contact", "contact_import", "dashboard", "ledger", "quiet_hours", "segment", "tag"]
