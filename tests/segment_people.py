"""Random people with histories, and a second opinion: whom a rule fits, found by plain Python."""

import random
from datetime import datetime, timedelta

from campaigns.models import OutboundMessage
from contacts import bases
from contacts.models import ConsentEvent, ConsentState, Contact, Hold, Suppression, Tag, Tagging
from tests import factories
from tests.factories import NOW

NAMES = ["", "Ana", "ANA LEE", "Bo 100%", "a_b", "Zoë", "O'Neil", "ann\\x"]
WORDS = ["Boston", "BOSTON", "new york", "%", "_", "2026-11-20", "2026-11-25", "2026-12-31", "20-1", "x'; --"]
COUNTRIES, STATES, LANGUAGES = ["US", "CA", "GB", ""], ["NY", "TX", ""], ["en", "en-GB", "pt-BR", "EN-us", ""]
ZONES = ["America/Chicago", "Europe/Paris", ""]
AGES = [0, 1, 5, 29, 30, 31, 182, 200, 800]  # days
BASES = ["express_written", "implied_inquiry", "implied_purchase"]


class People:
    """60 contacts, 2 brands, 3 lists, 2 campaigns, and what happened between them."""

    def __init__(self, *, seed: int, count: int = 60) -> None:
        self.chance = random.Random(seed)
        self.brands = [factories.brand(), factories.brand()]
        sender = factories.sender(brand=self.brands[0])
        self.campaigns = [factories.campaign(sender=sender), factories.campaign(sender=sender)]
        self.event = ConsentEvent.objects.create(
            seq=1, subscriber_key="-", kind="opt_in", occurred_at=NOW, recorded_at=NOW, source="api",
            prev_hash="", hash="",
        )  # fmt: skip
        self.contacts = [self._contact() for _ in range(count)]
        self.lists = [factories.contact_list(*self.chance.sample(self.contacts, count // 3)) for _ in range(3)]
        self.on = {one.pk: set(one.contacts.values_list("pk", flat=True)) for one in self.lists}
        self.tags = [Tag.objects.create(name=name, folded_name=name) for name in ("vip", "trial")]
        self.tagged = {
            (contact.pk, tag.pk)
            for contact in self.contacts
            for tag in self.chance.choice([[], self.tags, self.tags[:1], self.tags[1:]])
        }
        Tagging.objects.bulk_create(
            Tagging(contact_id=contact, tag_id=tag, added_at=NOW) for contact, tag in sorted(self.tagged)
        )
        for contact in self.contacts:
            self._history(contact)
        self.messages = list(OutboundMessage.objects.all())
        self.states = list(ConsentState.objects.all())
        self.suppressions = list(Suppression.objects.all())
        self.holds = list(Hold.objects.all())

    def _ago(self) -> datetime:
        return NOW - timedelta(days=self.chance.choice(AGES), seconds=self.chance.choice([0, 1, 40_000]))

    def _sometime(self) -> datetime | None:
        return self.chance.choice([None, self._ago()])

    def _contact(self) -> Contact:
        pick = self.chance.choice
        attributes = {name: pick(WORDS) for name in ("city", "born") if pick([True, False])}
        person = factories.contact(
            name=pick(NAMES), language=pick(LANGUAGES), region=pick(STATES), time_zone=pick(ZONES),
            attributes=attributes, last_inbound_at=self._sometime(), created_at=self._ago(),
        )  # fmt: skip
        person.country, person.external_id = pick(COUNTRIES), pick([None, f"ID-{person.pk}"])
        person.save()
        return person

    def _history(self, person: Contact) -> None:
        pick, key = self.chance.choice, person.subscriber_key
        for brand in self.brands:
            if pick([True, False]):
                ConsentState.objects.create(
                    subscriber_key=key, brand=brand, purpose=pick(["marketing", "transactional"]),
                    is_active=pick([True, True, False]), basis=pick(BASES), occurred_at=self._ago(),
                    event=self.event,
                    expires_at=pick([None, None, *(NOW + timedelta(days=days) for days in (-3, 0, 3))]),
                )  # fmt: skip
        if pick([True, False, False]):
            Suppression.objects.create(
                subscriber_key=key, brand=pick([None, *self.brands]), purpose=pick(["*", "marketing"]),
                source="text", since=NOW, event=self.event, lifted_by=pick([None, self.event]),
            )  # fmt: skip
        if pick([True, False, False]):
            Hold.objects.create(subscriber_key=key, said_at=NOW, opened_at=NOW, closed_at=self._sometime())
        for campaign in self.campaigns:
            if pick([True, False]):
                factories.outbound(
                    campaign, person, state=pick(["accepted", "delivered", "undelivered"]),
                    accepted_at=self._sometime(), final_at=self._sometime(), replied_at=self._sometime(),
                    opted_out_at=self._sometime(),
                )  # fmt: skip

    # --- The second opinion ----------------------------------------------------------------------------

    def fitting(self, rule: dict) -> set[int]:
        return {person.pk for person in self.contacts if self.fits(rule, person)}

    def fits(self, part: dict, person: Contact) -> bool:
        if "conditions" in part:
            return (all if part["match"] == "all" else any)(self.fits(one, person) for one in part["conditions"])
        return getattr(self, f"_{part['kind']}")(part, part["operator"], person)

    def _text(self, part, operator, text):
        wanted, text = part.get("value", "").lower(), text.lower()
        return {
            "is": text == wanted,
            "is_not": text != wanted,
            "contains": wanted in text,
            "begins_with": text.startswith(wanted),
            "is_empty": text == "",
            "is_not_empty": text != "",
        }[operator]

    def _name(self, part, operator, person):
        return self._text(part, operator, person.name)

    def _external_id(self, part, operator, person):
        return self._text(part, operator, person.external_id or "")

    def _attribute(self, part, operator, person):
        return self._text(part, operator, person.attributes.get(part["attribute"], ""))

    def _code(self, part, operator, code):
        if operator == "is_unknown":
            return code == ""
        return (code in part["values"]) == (operator == "is_any_of")

    def _country(self, part, operator, person):
        return self._code(part, operator, person.country)

    def _region(self, part, operator, person):
        return self._code(part, operator, person.region)

    def _time_zone(self, part, operator, person):
        return self._code(part, operator, person.time_zone)

    def _language(self, part, operator, person):
        if operator == "is_unknown":
            return person.language == ""
        spoken = person.language.lower()
        speaks = any(spoken == one.lower() or spoken.startswith(f"{one.lower()}-") for one in part["values"])
        return speaks == (operator == "is_any_of")

    def _list(self, part, operator, person):
        return any(person.pk in self.on[key] for key in part["lists"]) == (operator == "on_any_of")

    def _tag(self, part, operator, person):
        return any((person.pk, key) in self.tagged for key in part["tags"]) == (operator == "has_any_of")

    def _consent(self, part, operator, person, at=NOW):
        agreed = any(
            state.subscriber_key == person.subscriber_key
            and (state.brand_id, state.purpose) == (part["brand"], part["purpose"])
            and state.is_active
            and self._lasts(state, at)
            for state in self.states
        )
        if operator == "ends_in_next":
            later = at + timedelta(days=part["days"])
            return agreed and not self._consent(part, "has", person, at=later)
        return agreed == (operator == "has")

    def _lasts(self, state, at):
        ends = state.expires_at or bases.ends_at(state.basis, state.occurred_at)
        return ends is None or at < ends

    def _opted_out(self, part, operator, person):
        stands = any(
            one.subscriber_key == person.subscriber_key
            and one.lifted_by_id is None
            and one.brand_id in (None, part["brand"])
            and one.purpose in ("*", part["purpose"])
            for one in self.suppressions
        )
        return stands == (operator == "is")

    def _held(self, part, operator, person):
        held = any(one.subscriber_key == person.subscriber_key and one.closed_at is None for one in self.holds)
        return held == (operator == "is")

    def _moment(self, part, operator, moment):
        if operator == "never":
            return moment is None
        if moment is None:
            return False
        return (moment > NOW - timedelta(days=part["days"])) == (operator == "in_last")

    def _created(self, part, operator, person):
        return self._moment(part, operator, person.created_at)

    def _last_inbound(self, part, operator, person):
        return self._moment(part, operator, person.last_inbound_at)

    def _attribute_date(self, part, operator, person):
        value = person.attributes.get(part["attribute"], "")
        today = NOW.date()
        first, last = (str(today + timedelta(days=sign * part["days"])) for sign in (-1, 1))
        return (
            len(value) == 10
            and {
                "in_next": str(today) <= value <= last,
                "in_last": first < value <= str(today),
                "more_than": value < first,
            }[operator]
        )

    def _ledger(self, part, person):
        return [
            one
            for one in self.messages
            if one.contact_id == person.pk and part.get("campaign") in (None, one.campaign_id)
        ]

    def _within(self, part, moment):
        return moment is not None and moment > NOW - timedelta(days=part.get("days") or 10_000)

    def _sent(self, part, operator, person):
        sent = any(self._within(part, one.accepted_at) for one in self._ledger(part, person))
        return sent == (operator == "did")

    def _delivered(self, part, operator, person):
        rows = (one for one in self._ledger(part, person) if one.state == "delivered")
        return any(self._within(part, one.final_at) for one in rows) == (operator == "did")

    def _replied(self, part, operator, person):
        rows = self._ledger(part, person)
        if operator == "did":
            return any(self._within(part, one.replied_at) for one in rows)
        sent = [one for one in rows if self._within(part, one.accepted_at)]
        return bool(sent) and not any(one.replied_at for one in sent)

    def _opted_out_after(self, part, operator, person):
        left = any(self._within(part, one.opted_out_at) for one in self._ledger(part, person))
        return left == (operator == "did")

    def _last_contacted(self, part, operator, person):
        moments = [one.accepted_at for one in self._ledger({}, person) if one.accepted_at]
        recent = any(self._within(part, one) for one in moments)
        return {
            "in_last": recent,
            "not_in_last": not recent,
            "more_than": bool(moments) and not recent,
            "never": not moments,
        }[operator]
