"""Words people text to us, and which of them can be had."""

from collections.abc import Iterable

from campaigns.models import Sender
from contacts import reply_lint
from inbound import folding, intent, vocabulary
from inbound.models import Intent, Keyword, KeywordAction
from smsdesk.errors import Invalid


def find(text: str, *, sender: Sender) -> Keyword | None:
    """The active keyword this text is, courtesy aside; one of this very sender goes before one of the brand."""
    folded = folding.fold(text)
    kept = (word for word in folded.words if word not in vocabulary.family("politeness"))
    forms = {folded.compact, "".join(kept)} - {""}
    if not forms:
        return None
    own = Keyword.objects.filter(brand=sender.brand_id, is_active=True).select_related("brand")
    found = [k for k in own if forms & forms_of(k) and k.sender_id in (None, sender.pk)]
    return min(found, key=lambda k: (k.sender_id is None, k.pk), default=None)


def forms_of(keyword: Keyword) -> set[str]:
    """Every spelling that means this keyword, folded."""
    return {_form(word) for word in (keyword.word, *keyword.aliases)}


def check(keyword: Keyword) -> None:
    """Raises `Invalid` for a word nobody could reach, one that is taken, an opt-in without proof, a wrong reply."""
    for field, word in (("word", keyword.word), *(("aliases", alias) for alias in keyword.aliases)):
        _check_word(word, field=field)
    rivals = Keyword.objects.filter(brand_id=keyword.brand_id, is_active=True).exclude(pk=keyword.pk)
    _check_free(keyword, rivals)
    if keyword.action == KeywordAction.OPT_IN:
        _check_opt_in(keyword)
    reply_lint.refuse(keyword.reply, kind=reply_kind(keyword), brand=keyword.brand.name, field="reply")


def warnings(keyword: Keyword) -> list[str]:
    """What is worth a second look in its reply."""
    return reply_lint.warnings(keyword.reply, kind=reply_kind(keyword), brand=keyword.brand.name)


def reply_kind(keyword: Keyword) -> reply_lint.Kind:
    return reply_lint.Kind.OPT_IN if keyword.action == KeywordAction.OPT_IN else reply_lint.Kind.REPLY


def _check_word(word: str, *, field: str) -> None:
    form = _form(word)
    if not form or len(word) > 30 or not word.isalnum():
        raise Invalid(
            "keyword_shape",
            "A keyword is one word of 1 to 30 letters and digits.",
            field=field,
            value=word[:60],
            cure="Leave out spaces and signs; people may type them anyway.",
        )
    reading = intent.read(word)
    if reading.intent != Intent.NONE or form in vocabulary.joined("yes"):
        raise Invalid(
            "keyword_reserved",
            _RESERVED.get(reading.intent, "YES answers a sign-up that waits for confirmation."),
            field=field,
            value=word,
            cure="Choose another word.",
        )


_RESERVED = {
    Intent.OPT_OUT: "This word means, or may mean, STOP. That is judged before keywords, always.",
    Intent.OPT_IN: "This word belongs to START. That is judged before keywords, always.",
    Intent.HELP: "This word belongs to HELP. That is judged before keywords, always.",
}


def _check_free(keyword: Keyword, rivals: Iterable[Keyword]) -> None:
    for rival in rivals:
        taken = forms_of(keyword) & forms_of(rival)
        if taken and (keyword.sender_id is None or rival.sender_id in (None, keyword.sender_id)):
            raise Invalid(
                "keyword_taken",
                f"The keyword {rival.word} of this brand already answers to it.",
                field="word",
                value=min(taken).upper(),
                cure=f"Choose another word, or switch {rival.word} off first.",
            )


def _check_opt_in(keyword: Keyword) -> None:
    if not keyword.call_to_action.strip():
        raise Invalid(
            "keyword_without_proof",
            "The words people saw where they were asked to text this are the proof of their consent.",
            field="call_to_action",
            cure="Copy the text of the poster, page or package here.",
        )


def _form(word: str) -> str:
    return folding.fold(word).compact
