"""The consent a file declares for its rows: appended in bulk, one lock of the ledger's head per batch."""

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime

from contacts import chain, settling, standing
from contacts.models import ConsentEvent, ConsentSource, ContactImport, EventKind
from contacts.proof import Proof, happened


def prepare_import(
    keys: Sequence[tuple[str, str]], *, contact_import: ContactImport, now: datetime
) -> chain.Series | None:
    """Write all of it for these rows (subscriber key, phone) but the events themselves, which are to be appended.

    Inside the importer's transaction, which holds the contacts' locks. It lifts nothing, and an opt-out dated
    later ends it. A phone that has this very statement already gets no second event. None: no event is due.
    """
    if not contact_import.purpose or contact_import.brand_id is None:
        return None
    phones = dict(keys)
    seen, _ = chain.anchor()
    histories = settling.events_of(list(phones))
    proof = _proof(contact_import)
    statement = _statement(contact_import, proof=proof, now=now)
    said = {key for key, history in histories.items() if _is_said(history, statement)}
    new = [key for key in phones if key not in said]
    if not new:
        return None
    series = chain.Series(statement, new, seen=seen)
    series.keep_evidence(proof.as_document(), name="phone", values=[phones[key] for key in new])
    _settle(dict(zip(new, series.ids, strict=True)), histories=histories, statement=statement)
    return series


def would_record(keys: Sequence[str], *, contact_import: ContactImport, now: datetime) -> set[str]:
    """For which of these phones an event would be appended."""
    if not contact_import.purpose or contact_import.brand_id is None:
        return set()
    histories = settling.events_of(keys)
    statement = _statement(contact_import, proof=_proof(contact_import), now=now)
    return set(keys) - {key for key, history in histories.items() if _is_said(history, statement)}


def _is_said(history: Sequence[ConsentEvent], event: ConsentEvent) -> bool:
    return any(_says_the_same(known, event) for known in standing.still_claimed(history))


def _settle(
    new: Mapping[str, int], *, histories: Mapping[str, Sequence[ConsentEvent]], statement: ConsentEvent
) -> None:
    """Most phones of a file are heard of for the first time, so all of them stand alike."""
    first = [key for key in new if key not in histories]
    settling.settle_first(statement, keys=first, ids=[new[key] for key in first])
    later: dict[str, list[ConsentEvent]] = {}
    for key in new.keys() - set(first):
        event = copy(statement)
        event.pk, event.subscriber_key = new[key], key
        later[key] = [*histories[key], event]
    settling.settle(later)


def _proof(contact_import: ContactImport) -> Proof:
    """What the importer declared; the place where people agreed stands for what they did there."""
    return Proof(
        wording=contact_import.consent_wording,
        method=contact_import.consent_method,
        act=contact_import.consent_source,
        source=contact_import.consent_source,
        document=f"{contact_import.ref} {contact_import.filename}",
    )


def _statement(contact_import: ContactImport, *, proof: Proof, now: datetime) -> ConsentEvent:
    """The event of every row, without its phone."""
    obtained_at = contact_import.consent_obtained_at
    return ConsentEvent(
        brand_id=contact_import.brand_id,
        purposes=[contact_import.purpose],
        kind=EventKind.IMPORT.value,
        basis=contact_import.basis,
        occurred_at=happened(obtained_at, now=now) if obtained_at else now,
        recorded_at=now,
        source=ConsentSource.IMPORT.value,
        actor=contact_import.ref,
        is_proven=not proof.missing and obtained_at is not None,
    )


def _says_the_same(known: ConsentEvent, new: ConsentEvent) -> bool:
    return (
        known.kind == new.kind
        and known.brand_id == new.brand_id
        and known.purposes == new.purposes
        and known.basis == new.basis
        and known.occurred_at == new.occurred_at
        and known.is_proven == new.is_proven
    )
