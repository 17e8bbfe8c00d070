"""What the judge says of one person, as tests ask it."""

from datetime import datetime

from contacts import gathering, permission
from contacts.facts import Verdict
from contacts.models import Brand, Contact, Purpose


def may_i(contact: Contact, *, brand: Brand, purpose: Purpose, at: datetime) -> Verdict:
    """The verdict on a text nobody has written yet, from a number people can answer."""
    context = gathering.base_context(brand, purpose=purpose)
    return permission.judge(gathering.facts_about(contact, context=context, at=at), at)
