from inbound import dashboard
from inbound.admin import inbound_message, keyword, opt_in_form

__all__ = ["dashboard", "inbound_message", "keyword", "opt_in_form"]
