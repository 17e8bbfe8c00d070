"""What a decision rests on, and the decision: values handed to and from `contacts/permission.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from contacts import quiet_hours, reasons
from contacts.frequency import Cap, Sent
from contacts.rule_book import Rule

Outcome = Literal["allowed", "deferred", "blocked"]


@dataclass(frozen=True, slots=True)
class Consent:
    """One agreement: a brand, its purposes, and what it rests on."""

    brand_id: int
    purposes: frozenset[str]
    basis: str
    given_at: datetime
    expires_at: datetime | None = None
    is_active: bool = True  # False: opted out, ended or run out
    ended_by: str = ""  # the kind of event that ended it
    is_confirmed: bool = False  # double opt-in
    is_proven: bool = True
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class Suppressed:
    """One standing opt-out; `brand_id` None covers every brand, purpose "*" every purpose."""

    brand_id: int | None
    purpose: str = "*"
    source: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What is the same for everybody a message goes to: built once per campaign, sender and kind of message."""

    purpose: str  # "" is judged as marketing, the strictest
    brand_id: int
    brand_name: str
    is_paused: bool = False  # the brand's kill switch
    sender: str = ""  # as people know it, for the sentence
    sender_kind: str = ""  # campaigns.SenderKind
    is_sender_registered: bool = True
    registered_in: frozenset[str] | None = None  # countries the sender is registered in; None: not asked
    has_optout_link: bool = False  # the text carries a web opt-out, for senders nobody can answer
    needs_confirmation: bool = False  # the program wants double opt-in
    age_min: int | None = None
    countries_blocked: frozenset[str] = frozenset({"TR"})  # marketing is refused there
    caps: tuple[Cap, ...] = ()  # the desk's, of this brand and purpose; a state's come with its rule
    when_capped: str = ""  # wait or skip, whatever the caps say; "": as each of them says
    quiet_applies: bool = False  # quiet hours although the purpose is not marketing
    margin: timedelta = quiet_hours.MARGIN
    send_by: datetime | None = None  # end of the offer
    has_marketing: bool = False  # the sender declares that the content is promotional
    restricted: str = ""  # the restricted category (SHAFT) the content is of
    compliance_kind: str = ""  # optout_confirm, help_reply, optin_confirm
    compliance_parts: frozenset[str] = frozenset()  # what an opt-in confirmation contains, of OPTIN_PARTS
    provider_confirms: bool = False  # the provider answers STOP itself


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one person when a message to them is judged; flat, because it is built by the thousand.

    `zones` are those the number suggests, `contact_zones` those of address or statement (added to them),
    `zone_override` the one the person told us (replaces them). `rules` come from `RuleBook.rules_for`.
    """

    context: Context
    number: str  # E.164
    region: str  # ISO country of the number; "" unknown
    kind: str  # phones.NumberKind ("invalid": no number), or a number lookup's "fixed"
    zones: tuple[str, ...]
    rules: tuple[Rule, ...]
    consents: tuple[Consent, ...] = ()
    suppressions: tuple[Suppressed, ...] = ()
    body: str | None = None  # rendered text; None: the checks of content are skipped
    last_inbound_at: datetime | None = None
    recent: tuple[Sent, ...] = ()  # earlier messages of the purpose, as far back as a cap looks, in any order
    is_held: bool = False
    dead_since: datetime | None = None
    is_erased: bool = False
    is_reassigned: bool = False
    needs_optout_line: bool = False  # first message of the program, or the last such line is 30 days old
    contact_zones: tuple[str, ...] = ()
    zone_override: str = ""
    birth_date: date | None = None
    stopped_at: datetime | None = None  # of optout_confirm: when STOP arrived
    has_confirmation: bool = False  # of optout_confirm: one went to this phone in the last 24 h


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided; `until` only when deferred, `detail` fills the gaps of the sentence (JSON values)."""

    outcome: Outcome
    code: str
    until: datetime | None = None
    detail: Mapping[str, object] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        return reasons.sentence(self.code, self.detail)
