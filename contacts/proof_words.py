"""A proof pack in plain sentences, for readers who do not know the desk."""

from collections.abc import Iterator

from contacts.models import ConsentEvent, ConsentSource, ConsentState, EventKind, Suppression
from contacts.proof_pack import Pack, StopKept
from smsdesk.printing import moment

HOW = {
    ConsentSource.TEXT: "by text message from this phone",
    ConsentSource.LINK: "on the page behind a link that was texted to this phone",
    ConsentSource.WEB_FORM: "on a web form",
    ConsentSource.PAPER: "on a paper form",
    ConsentSource.VERBAL: "by word of mouth to an employee",
    ConsentSource.IMPORT: "through an imported file, for which whoever imported it declared the proof below",
    ConsentSource.API: "through a connected system, which reported it",
    ConsentSource.ADMIN: "through an employee, who recorded it",
    ConsentSource.CARRIER: "as reported by the mobile carrier or messaging provider",
    ConsentSource.COMPLAINT: "by a complaint",
    ConsentSource.ERASURE: "by the erasure of this person's data",
    ConsentSource.CLOCK: "by the passing of time",
    ConsentSource.MERGE: "on another phone that is known to be theirs",
}
EVIDENCE = {
    "wording": "Wording shown",
    "method": "Method",
    "act": "Act of the person",
    "source": "Where",
    "ip": "IP address",
    "user_agent": "Browser",
    "document": "Document",
    "inbound_id": "Inbound text",
    "name": "Name given",
    "phone": "Phone given",
    "note": "Note",
}


def purposes(event: ConsentEvent) -> str:
    return "messages of every kind" if "*" in event.purposes else f"{' and '.join(event.purposes)} messages"


def brand(one: ConsentEvent | ConsentState | Suppression) -> str:
    return one.brand.name if one.brand else "every brand of this desk"


def what_happened(event: ConsentEvent) -> str:
    """One event as a sentence."""
    at, how = moment(event.occurred_at), HOW[ConsentSource(event.source)]
    of = f"{purposes(event)} from {brand(event)}"
    match EventKind(event.kind):
        case EventKind.OPT_IN | EventKind.IMPORT:
            ends = f", until {moment(event.expires_at)}" if event.expires_at else ""
            return f"On {at}, this person agreed to {of} {how}{ends}. Legal basis recorded: {_basis(event)}."
        case EventKind.CONFIRM:
            return f"On {at}, this person confirmed their agreement to {of} {how} (double opt-in)."
        case EventKind.OPT_OUT | EventKind.SUPPRESS:
            return f"On {at}, this person opted out of {of} {how}."
        case EventKind.LIFT | EventKind.CLARIFY:
            return f"On {at}, this person asked for {of} again {how}."
        case EventKind.HOLD:
            return f"On {at}, a text of this person that might mean an opt-out was held until somebody read it."
        case EventKind.RELEASE:
            return f"On {at}, an employee read the text that was held and found no opt-out in it."
        case EventKind.ERASE:
            return f"On {at}, this person's data was erased; only this entry without content was kept."
        case EventKind.EXPIRE:
            return f"On {at}, the agreement to {of} ran out."
        case EventKind.RETRACT:
            return (
                f"On {at}, the import {event.actor} was undone: its claim of an agreement to {of} no longer counts."
            )
        case EventKind.REASSIGN:
            return f"On {at}, the number was found to have a new owner; agreements of the earlier owner ended."
        case EventKind.OVERRIDE:
            return f"On {at}, this person stated where they live; quiet hours follow their word since."


def recorded(event: ConsentEvent) -> str:
    by = f", by {event.actor}" if event.actor else ""
    return f"{moment(event.recorded_at)}, as event {event.seq} of the ledger{by}"


def evidence(name: str, value: str) -> str:
    return value.replace("_", " ") if name == "method" else value


def proof_of(event: ConsentEvent) -> str:
    if event.is_proven:
        return "Complete: wording, method, act and time are all on record."
    return "Incomplete: this agreement alone never lets a marketing message leave."


def standing(state: ConsentState) -> str:
    if state.is_active:
        ends = f" It ends on {moment(state.expires_at)}." if state.expires_at else ""
        proven = "with complete proof" if state.is_proven else "without complete proof"
        return f"{brand(state)}, {state.purpose}: agreed since {moment(state.occurred_at)}, {proven}.{ends}"
    return f"{brand(state)}, {state.purpose}: not agreed; an agreement of {moment(state.occurred_at)} has ended."


def suppression(one: Suppression) -> str:
    scope = "messages of every kind" if one.purpose == "*" else f"{one.purpose} messages"
    return f"Opted out of {scope} from {brand(one)} since {moment(one.since)}. This still stands."


def kept(stop: StopKept) -> str:
    """Whether one opt-out was honoured, from the desk's own record of what left."""
    until = (
        f"until this person came back on {moment(stop.until)}"
        if stop.until
        else "up to the making of this document"
    )
    since = f"From its recording at {moment(stop.event.recorded_at)} {until}"
    if not stop.left:
        return (
            f"{since}, no message covered by it was handed to a gateway. (The one confirmation the rules ask for "
            "is not counted.)"
        )
    listed = ", ".join(one.message for one in stop.left[:20])
    count = len(stop.left)
    return f"{since}, {count} message{'s' if count > 1 else ''} covered by it left or may have left: {listed}."


def summary(pack: Pack) -> Iterator[str]:
    given = [e for e in pack.events if e.kind in (EventKind.OPT_IN, EventKind.IMPORT)]
    outs = [e for e in pack.events if e.kind == EventKind.OPT_OUT]
    yield (
        _counted(len(given), "agreement is", "agreements are")
        + " on record"
        + (f"; the latest was given on {moment(max(e.occurred_at for e in given))}." if given else ".")
    )
    yield (
        _counted(len(outs), "opt-out is", "opt-outs are")
        + " on record"
        + (f"; the latest was made on {moment(max(e.occurred_at for e in outs))}." if outs else ".")
    )
    if pack.stops:
        broken = sum(bool(stop.left) for stop in pack.stops)
        yield (
            f"After {broken} of them was recorded, messages it covers left or may have left; part 3 names them."
            if broken
            else "After it was recorded, no message covered by an opt-out left (part 3)."
        )
    left = sum(one.left_at is not None for one in pack.decisions)
    yield (
        f"{_counted(len(pack.decisions), 'message was', 'messages were')} prepared for this phone: {left} left, "
        f"{len(pack.decisions) - left} did not. Each decision stands in part 5 with its reason."
    )
    yield pack.proof.said


def _counted(count: int, one: str, several: str) -> str:
    return f"{count or 'No'} {one if count == 1 else several}"


def _basis(event: ConsentEvent) -> str:
    return event.get_basis_display().lower() if event.basis else "none"
