from contacts.admin import contact, contact_import, ledger, quiet_hours

__all__ = ["contact", "contact_import", "ledger", "quiet_hours"]
