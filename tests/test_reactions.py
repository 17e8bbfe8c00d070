"""Reactions are nothing, whatever phone and language they come from; words of one's own beside them count."""

import time

import pytest

from inbound import intent, reactions
from inbound.models import Intent


@pytest.mark.parametrize(
    "text",
    [
        "Liked “Sale. Reply STOP to end”",
        'Disliked "Acme: sale. Reply STOP to end"',
        "Laughed at “Sale ends tonight”",
        "Emphasized “Line one\nReply STOP to end”",
        "Removed a like from “Flash sale! Reply STOP to unsubscribe”",
        "Reacted 👎 to “Flash sale! Reply STOP to unsubscribe”",
        "\u200b👍\u200b to “\u200aAcme: sale. Reply STOP to end\u200a”",
        "\u200cRemoved \u200c👍\u200c from “ Reply STOP ”",
        "Liked “He said stop to me”",
        "Liked “Flash sale! Reply STOP to uns",  # cut off by the carrier
        "Liked an image",
        "Le gustó “Oferta. Responde STOP para salir”",
        "A aimé « Promo -20 %. STOP au 36180 »",
        "n’a pas aimé « STOP »",
        "Gefällt „Rabatt. STOP zum Abmelden“",
        "Hat „Rabatt. STOP zum Abmelden“ mit „Gefällt mir“ markiert",
        'Ha messo "Mi piace" a "Saldi. Rispondi STOP per uscire"',
        "Curtiu “Promoção. Responda SAIR para cancelar”",
        "Vond “Sale. STOP om te stoppen” leuk",
    ],
)
def test_a_reaction_is_nothing(text):
    assert intent.read(text) == intent.Reading(Intent.NONE, intent.EXACT, "reaction")


@pytest.mark.parametrize(
    "text",
    ["Liked “Sale” but stop texting me", "stop “Sale today”", "“Please stop texting me”", "Removed me from list?"],
)
def test_words_of_ones_own_are_read(text):
    assert intent.read(text).intent == Intent.OPT_OUT


@pytest.mark.parametrize("piece", ["Liked “", "“”", "removed ", "a”", "hat “a”", "\u200b", "👍", " to “"])
def test_no_text_makes_it_slow(piece):
    started = time.process_time()
    reactions.is_one((piece * 4_000)[:20_000])
    assert time.process_time() - started < 0.25
