"""A proof pack as pages a lawyer can read from the first to the last without knowing the desk."""

from contacts import proof_words as words
from contacts.models import ConsentEvent, EventKind
from contacts.proof_pack import GIVES, TAKES, Pack, evidence_of
from smsdesk import phones
from smsdesk.printing import Story, moment, short_moment

_GIVES = GIVES | {EventKind.LIFT, EventKind.CLARIFY}


def as_pdf(pack: Pack) -> bytes:
    story = Story()
    number = phones.display(pack.contact.phone)
    story.title("Proof of consent", below=f"{number}{f' · {pack.contact.name}' if pack.contact.name else ''}")
    _opening(story, pack)
    _standing(story, pack)
    _agreements(story, pack)
    _opt_outs(story, pack)
    _texts(story, pack)
    _decisions(story, pack)
    _chain(story, pack)
    foot = f"Proof of consent · {number} · made {moment(pack.made_at)}"
    return story.as_pdf(title=f"Proof of consent {number}", foot=foot, author="smsdesk")


def _opening(story: Story, pack: Pack) -> None:
    story.fact("Phone", phones.display(pack.contact.phone))
    story.fact("Name on record", pack.contact.name or "none")
    story.fact("Record", pack.contact.ref)
    story.fact("Made", f"{moment(pack.made_at)} by {pack.made_by}")
    story.say(
        "This document shows what the person behind this phone number agreed to, when and how they took it back, "
        "and what was decided about every text message prepared for them. It is made by machine. Consent comes "
        "from a ledger that can only be added to. All times are in UTC. The JSON file of the same content lets an "
        "expert verify it again with common tools; part 6 says how. A character these pages cannot print is "
        "written by its number, as [U+"
        "1F600]; the JSON file has the character itself."
    )
    story.heading("Summary", aim="In short; the numbered parts hold the records each sentence rests on.")
    for sentence in words.summary(pack):
        story.point(sentence)


def _standing(story: Story, pack: Pack) -> None:
    story.heading("1. Where this person stands", aim="Shows what may be sent at the making of this document.")
    for one in pack.suppressions:
        story.point(words.suppression(one))
    for state in pack.states:
        story.point(words.standing(state))
    if not pack.suppressions and not pack.states:
        story.say("Nothing was ever agreed to and nothing was opted out of. No marketing message may be sent.")


def _agreements(story: Story, pack: Pack) -> None:
    given = [event for event in pack.events if event.kind in _GIVES]
    story.heading(
        "2. What this person agreed to",
        aim="Proves that, when and how consent was given: the words shown, the act, the source.",
    )
    for event in given:
        _event(story, event)
    if not given:
        story.say("No agreement is on record.")


def _opt_outs(story: Story, pack: Pack) -> None:
    stops = {stop.event.seq: stop for stop in pack.stops}
    taken = [e for e in pack.events if e.kind in TAKES | {EventKind.HOLD, EventKind.RELEASE}]
    story.heading(
        "3. What ended or limited it",
        aim="Proves when each opt-out was made, when it took effect, and whether it was honoured from then on.",
    )
    for event in taken:
        _event(story, event)
        if event.seq in stops:
            story.fact("Honoured", words.kept(stops[event.seq]))
    if not taken:
        story.say("No opt-out, complaint, expiry or other end is on record.")


def _event(story: Story, event: ConsentEvent) -> None:
    story.small_heading(f"Event {event.seq}: {event.get_kind_display().lower()}")
    story.say(words.what_happened(event))
    evidence = evidence_of(event)
    if evidence and evidence.get("wording"):
        story.fact("Wording shown", "word for word:")
        story.quote(evidence["wording"])
    for name, value in (evidence or {}).items():
        if name != "wording":
            story.fact(words.EVIDENCE.get(name, name), words.evidence(name, str(value)))
    if evidence is None and event.evidence_commitment:
        story.fact(
            "Evidence", "Erased since. Its fingerprint remains in the ledger, and the chain holds without it."
        )
    story.fact("Recorded", words.recorded(event))
    if event.kind in GIVES and event.kind != EventKind.CONFIRM:
        story.fact("Proof", words.proof_of(event))


def _texts(story: Story, pack: Pack) -> None:
    story.heading(
        "4. What this person wrote",
        aim="Proves the person's own words, when they reached the desk, and how they were understood.",
    )
    for text in pack.texts:
        to = f" to {text.to}" if text.to else ""
        story.small_heading(f"{moment(text.received_at)}{to}")
        story.quote(text.text or "(The text has been deleted after the time such texts are kept.)")
        story.fact("Understood as", f"{text.read_as}  ({text.id})")
    if not pack.texts:
        story.say("No text from this phone is on record.")


def _decisions(story: Story, pack: Pack) -> None:
    story.heading(
        "5. What was decided about each message",
        aim="Shows the decision stored for each message: by which reason it left or was kept back. "
        "Times are UTC; “left” is the moment it was handed to the gateway.",
    )
    rows = [
        (
            str(number),
            short_moment(one.made_at or one.created_at),
            f"{one.what}\n{one.brand}, {one.purpose}",
            one.reason or "Not decided yet.",
            f"{one.state}\n{f'left {short_moment(one.left_at)}' if one.left_at else 'did not leave'}",
        )
        for number, one in enumerate(pack.decisions, start=1)
    ]
    story.table(
        ("No.", "Decided", "Message", "Decision and reason", "Outcome"), rows, widths=(0.06, 0.15, 0.24, 0.35, 0.2)
    )
    if not rows:
        story.say("No message was ever prepared for this phone.")
    spoken = [(number, one) for number, one in enumerate(pack.decisions, start=1) if one.text]
    if spoken:
        story.small_heading("Their texts")
    for number, one in spoken:
        story.fact(f"No. {number}", f"{one.text}\n({one.message}, from {one.sender})")


def _chain(story: Story, pack: Pack) -> None:
    proof = pack.proof
    story.heading(
        "6. Why these records can be believed",
        aim="Shows that the events above are those that were recorded, in this order. How much that proves against "
        "whoever runs the database depends on the witness named here.",
    )
    story.say(
        "Every event is written to a ledger with a fingerprint (SHA-256) computed from its content and from the "
        "fingerprint of the event before it. Changing, removing or moving one changes every fingerprint after it. "
        "The database itself refuses to change or delete an event. What is personal is kept apart and bound "
        "to its event by a fingerprint of its own, so that erasing a person leaves the chain whole."
    )
    story.fact("Verification", proof.said)
    story.fact("Head of ledger", f"event {proof.head_seq}")
    story.code(f"                    {proof.head_hash}")
    _anchor(story, pack)
    if pack.events:
        story.small_heading("The events of this person and their fingerprints")
    for event in pack.events:
        story.code(f"{event.seq:>8}  {event.kind:<8}  recorded {short_moment(event.recorded_at)} UTC")
        story.code(f"          follows  {event.prev_hash}")
        story.code(f"          hash     {event.hash}")
    story.small_heading("How to verify")
    story.say(
        "In the JSON file take each event: the SHA-256 of “previous_hash” followed by “hashed_text” is its “hash”. "
        "Where evidence is shown, the SHA-256 of “committed_text” is “evidence_commitment”, which stands in "
        "“hashed_text”. An expert with access to the database runs “manage.py verify_ledger --anchor NUMBER:HASH” "
        "with a number and fingerprint from this page."
    )


def _anchor(story: Story, pack: Pack) -> None:
    anchor = pack.proof.anchor
    if anchor is None:
        story.fact(
            "Witness",
            "None yet: no head of the ledger that covers the latest of these events was handed to anybody outside. "
            "Until then the chain shows accidental and careless changes, but whoever has full power over the "
            "database could have computed every fingerprint anew.",
        )
        return
    story.fact(
        "Witness",
        f"By this desk's own note, the head of the ledger, event {anchor.seq}, was handed to {anchor.kept_in} on "
        f"{moment(anchor.taken_at)}. The copy there is the proof: if it shows the fingerprint below, all events up "
        "to it existed then as they are now, and not even who runs the database can have changed them since.",
    )
    story.code(f"                    {anchor.hash}")
