from contacts.models.anchor import LedgerAnchor
from contacts.models.brand import Brand, Purpose
from contacts.models.contact import Contact, ContactList, LineType, ListMembership, ZoneSource
from contacts.models.contact_import import (
    ContactImport,
    ImportChunk,
    ImportMark,
    ImportProblem,
    ImportState,
    UndoStep,
)
from contacts.models.frequency_cap import CapPeriod, FrequencyCap, WhenCapped
from contacts.models.ledger import (
    Basis,
    ConsentEvent,
    ConsentEvidence,
    ConsentSource,
    ConsentState,
    EventKind,
    Hold,
    LedgerHead,
    Suppression,
)
from contacts.models.note import ContactNote
from contacts.models.quiet_hours import ClosedDay, QuietHoursRule
from contacts.models.segment import Segment, SegmentList, SegmentTag
from contacts.models.tag import Tag, Tagging
from contacts.models.united_phone import UnitedPhone

__all__ = [
    "Basis",
    "Brand",
    "CapPeriod",
    "ClosedDay",
    "ConsentEvent",
    "ConsentEvidence",
    "ConsentSource",
    "ConsentState",
    "Contact",
    "ContactImport",
    "ContactList",
    "ContactNote",
    "EventKind",
    "FrequencyCap",
    "Hold",
    "ImportChunk",
    "ImportMark",
    "ImportProblem",
    "ImportState",
    "LedgerAnchor",
    "LedgerHead",
    "LineType",
    "ListMembership",
    "Purpose",
    "QuietHoursRule",
    "Segment",
    "SegmentList",
    "SegmentTag",
    "Suppression",
    "Tag",
    "Tagging",
    "UndoStep",
    "UnitedPhone",
    "WhenCapped",
    "ZoneSource",
]
