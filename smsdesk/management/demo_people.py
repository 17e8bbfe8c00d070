"""The demo's people: sixty, each with a proof of what they agreed to. Their numbers are reserved for examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.models import Sender
from contacts import consent, people
from contacts.models import Basis, Brand, ConsentSource, Contact, ContactList, ListMembership, Purpose, ZoneSource
from smsdesk import phones
from smsdesk.management import demo_messages

NAMES = (
    "Ana Kovač", "Ben Okafor", "Chloé Martin", "Daniel Weiss", "Elif Yılmaz", "Farid Haddad", "Grace Kim",
    "Hugo Silva", "Ines Duarte", "Jonas Lind", "Kateryna Bondar", "Liam Byrne", "Maya Patel", "Noah Fischer",
    "Olivia Rossi", "Pavel Novák", "Quinn Taylor", "Rosa Jiménez", "Samir Khan", "Tara O’Brien", "Umar Diallo",
    "Vera Horvat", "Will Carter", "Xenia Popova", "Yuki Tanaka", "Zoe Papadakis", "Aaron Miller", "Bella Conti",
    "Carlos Mendes", "Dina Cohen", "Erik Larsen", "Fatima Zahra", "George Adams", "Hana Sato", "Ivan Petrov",
    "Julia Schmidt", "Kofi Mensah", "Laura Gómez", "Marek Zieliński", "Nina Jovanović", "Oscar Berg",
    "Priya Nair", "Rafael Costa", "Sofia Moretti", "Tomás Ruiz", "Ula Nowak", "Victor Hugo Lima", "Wanda Scott",
    "Yasmin Ali", "Zachary Moore", "Amélie Dubois", "Bruno Santos", "Clara Bauer", "David Park", "Emma Nilsson",
    "Felix Wagner", "Giulia Ferri", "Henry Walker", "Isla Morgan", "Jamal Brooks",
)  # fmt: skip
PLACES = {
    "202": "Washington", "212": "New York", "213": "Los Angeles", "312": "Chicago", "415": "San Francisco",
    "617": "Boston",
}  # fmt: skip
# The carrier plays these on purpose (docs/simulator.md); two of them make a report worth reading.
NOT_DELIVERED, REFUSED = "+12025550102", "+12025550103"
AWAKE = 40  # people of the newsletter, who are awake whenever the demo begins
BY_KEYWORD = 18  # of them joined by text
SIGN_UP = (
    "Acme: yes, text me offers at this number, up to 4 msgs/mo. Consent is no condition of purchase. "
    "Msg & data rates may apply. Reply HELP for help, STOP to cancel."
)
CALL_TO_ACTION = (
    "Text JOIN to +1 212 555 0199 for offers by Acme, up to 4 msgs/mo. Msg & data rates may apply. HELP for help, "
    "STOP to cancel."
)
JOINED = "{brand}: You're in! Up to 4 msgs/mo. Msg & data rates may apply. Reply HELP for help, STOP to cancel."
CLOCKS = (
    "Pacific/Pago_Pago", "Pacific/Honolulu", "America/Anchorage", "America/Los_Angeles", "America/Denver",
    "America/Chicago", "America/New_York", "America/Sao_Paulo", "America/Noronha", "Atlantic/Azores",
    "Europe/London", "Europe/Berlin", "Africa/Johannesburg", "Africa/Nairobi", "Asia/Dubai", "Asia/Karachi",
    "Asia/Dhaka", "Asia/Bangkok", "Asia/Singapore", "Asia/Tokyo", "Australia/Brisbane", "Pacific/Guadalcanal",
    "Pacific/Auckland", "Pacific/Tongatapu",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Crowd:
    newsletter: list[Contact]
    store: list[Contact]
    newsletter_list: ContactList
    store_list: ContactList


def numbers() -> Iterator[str]:
    """555-01xx in six cities: reserved for examples, valid all the same; without the carrier's special numbers."""
    yield from (NOT_DELIVERED, REFUSED)
    for line in range(10, 99):
        for code in PLACES:
            yield f"+1{code}55501{line:02}"


def zones_awake(now: datetime) -> list[str]:
    """Zones in which it is a morning in which texts are allowed for many hours to come."""
    hours = {name: now.astimezone(ZoneInfo(name)) for name in CLOCKS}
    early = [name for name, local in hours.items() if 9 <= local.hour < 12]
    return early or [min(CLOCKS, key=lambda name: abs(hours[name].hour - 10))]


def seed(brand: Brand, *, sender: Sender, now: datetime) -> Crowd:
    """Everybody, with the consent they gave, oldest first, so that the ledger reads like a diary."""
    given = numbers()
    everybody = [_person(name, next(given), index, now=now) for index, name in enumerate(NAMES)]
    newsletter, store = everybody[:AWAKE], everybody[AWAKE:]
    stay_awake(now=now)
    for index, person in enumerate(store):
        _bought(person, brand, at=now - timedelta(days=60 - index, hours=3))
    for index, person in enumerate(newsletter[:-BY_KEYWORD]):
        _signed_up(person, brand, at=now - timedelta(days=35 - index % 20, hours=index % 7))
    for index, person in enumerate(newsletter[-BY_KEYWORD:]):
        _texted_join(person, sender, at=now - timedelta(days=13 - index * 12 // BY_KEYWORD, hours=5 - index % 4))
    return Crowd(
        newsletter,
        store,
        _list(
            "Newsletter", "Agreed to offers by web form or by texting JOIN; it is day where they are.", newsletter
        ),
        _list("Store customers", "Agreed to messages about their orders, not to offers.", store),
    )


def stay_awake(*, now: datetime) -> None:
    """Newsletter people say they live where it is morning, so that one can send at any hour of the day.

    Quiet hours stay in force: the store's customers live where their numbers say, and wait for their morning.
    """
    zones = zones_awake(now)
    people_of_the_demo = Contact.objects.filter(external_id__startswith="N-").order_by("pk")
    for index, contact in enumerate(people_of_the_demo):
        contact.time_zone, contact.time_zone_source = zones[index % len(zones)], ZoneSource.STATED
        contact.save(update_fields=["time_zone", "time_zone_source"])


def _person(name: str, number: str, index: int, *, now: datetime) -> Contact:
    phone = phones.parse(number, default_region="US")
    fields = {
        "name": name,
        "external_id": f"{'N' if index < AWAKE else 'S'}-{1001 + index}",
        "language": "en",
        "attributes": {"city": PLACES[number[2:5]], "points": str(20 + index * 37 % 480)},
    }
    return people.add(phone, fields=fields, now=now)


def _bought(person: Contact, brand: Brand, *, at: datetime) -> None:
    consent.opt_in(
        person, brand=brand, purposes=[Purpose.TRANSACTIONAL], basis=Basis.EXPRESS, source=ConsentSource.WEB_FORM,
        proof=consent.Proof(
            wording="Acme: text me about my order.", method="web_form", act="ticked the box",
            source="https://acme.example/checkout", ip="192.0.2.10",
        ), occurred_at=at, now=at,
    )  # fmt: skip


def _signed_up(person: Contact, brand: Brand, *, at: datetime) -> None:
    consent.opt_in(
        person, brand=brand, purposes=[Purpose.MARKETING, Purpose.TRANSACTIONAL], basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.WEB_FORM,
        proof=consent.Proof(
            wording=SIGN_UP, method="web_form", act="ticked the box", source="https://acme.example/offers",
            ip="192.0.2.20",
        ), occurred_at=at, now=at,
    )  # fmt: skip


def _texted_join(person: Contact, sender: Sender, *, at: datetime) -> None:
    text = demo_messages.heard(person, sender, "JOIN", at=at)
    consent.opt_in(
        person, brand=sender.brand, purposes=[Purpose.MARKETING], basis=Basis.EXPRESS_WRITTEN,
        source=ConsentSource.TEXT,
        proof=consent.Proof(wording=CALL_TO_ACTION, method="keyword", act="texted JOIN", inbound_id=text.public_id),
        occurred_at=at, now=at,
    )  # fmt: skip
    demo_messages.said(
        person, sender, JOINED.replace("{brand}", sender.brand.name), at=at + timedelta(seconds=1),
        kind="automatic", purpose="compliance",
    )  # fmt: skip


def _list(name: str, description: str, members: list[Contact]) -> ContactList:
    made = ContactList.objects.create(name=name, description=description)
    ListMembership.objects.bulk_create([ListMembership(list=made, contact=person) for person in members])
    return made
