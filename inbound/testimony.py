"""What one phone wrote to us, and how it was read."""

from collections.abc import Iterator

from contacts import testimony
from contacts.testimony import Text
from inbound.models import InboundMessage, Intent


@testimony.texts.add
def texts_of(subscriber_key: str) -> Iterator[Text]:
    rows = InboundMessage.objects.filter(subscriber_key=subscriber_key).select_related("sender")
    for message in rows.order_by("pk").iterator(chunk_size=500):
        yield Text(
            id=message.ref,
            occurred_at=message.occurred_at,
            received_at=message.received_at,
            to=message.sender.value if message.sender else "",
            text=message.text,
            read_as=_reading(message),
        )


def _reading(message: InboundMessage) -> str:
    if message.intent == Intent.NONE:
        return "an ordinary text"
    sureness = {"review": ", in doubt: held for a person to read"}.get(message.confidence, "")
    return f"{message.get_intent_display().lower()}{sureness}"
