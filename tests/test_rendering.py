"""Texts of marketers: what they may name, what comes out, and what they cannot do."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import rendering
from smsdesk.errors import Invalid

ANA = {
    "name": "Ana María",
    "external_id": "A-7",
    "country": "US",
    "language": "en",
    "attributes": {"city": "Paris", "points": 12, "vip": False},
}


def rendered(body, contact=ANA):
    return rendering.compile(body).render(rendering.fields_of(contact, brand="Acme"))


def test_fields_and_attributes_are_filled_in():
    text = rendered("{{ brand }}: Hi {{ first_name }}, {{ city }} or {{ attributes.city }}, {{ points }} points")
    assert text.body == "Acme: Hi Ana, Paris or Paris, 12 points"
    assert (text.encoding, text.parts, text.missing, text.code) == ("gsm7", 1, (), "")


def test_an_empty_field_without_default_keeps_the_message_back():
    text = rendered("Hi {{ first_name }}, see you in {{ attributes.town }}", {"name": " "})
    assert text.code == rendering.FIELD_EMPTY
    assert text.missing == ("first_name", "attributes.town")


@pytest.mark.parametrize("body", ["Hi {{ nick | upcase }}", "{% if true %}{{ nick }}{% endif %} hello"])
def test_an_empty_field_is_noticed_behind_filters_and_tags(body):
    assert rendered(body).missing == ("nick",)


def test_a_default_stands_in_for_an_empty_field():
    assert rendered('Hi {{ nick | default: "friend" }}').body == "Hi friend"
    assert rendered('Hi {{ nick | default: "friend" | upcase }}').body == "Hi FRIEND"


def test_an_empty_field_in_a_condition_is_false_and_blocks_nothing():
    text = rendered("Hello{% if nick %} {{ nick }}{% endif %}")
    assert (text.body, text.code) == ("Hello", "")


def test_an_attribute_never_stands_in_for_an_empty_field():
    assert rendered("{{ name }}", {"name": "", "attributes": {"name": "Eve"}}).code == rendering.FIELD_EMPTY


def test_a_value_is_never_rendered_again():
    assert rendered("Hi {{ name }}", {"name": "{{ brand }}{% if %}"}).body == "Hi {{ brand }}{% if %}"


def test_values_are_cleaned():
    text = rendered("Hi {{ name }}!", {"name": " A\x00n\ra\n\u202eB\ud800 \t"})
    assert text.body == "Hi An a B!"


def test_lists_and_objects_are_absent():
    assert rendered("{{ tags }}", {"attributes": {"tags": ["a", {"b": 1}]}}).missing == ("tags",)


def test_a_decomposed_value_is_composed_and_counted_so():
    assert rendered("{{ name }}", {"name": "Cafe\u0301"}).encoding == "gsm7"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("Hi\n{{ nickname }}", "nickname"),
        ("Hi\n{{ attributes.zip }}", "attributes.zip"),
        ("Hi\n{% if first_name.__class__ %}{% endif %}", "first_name.__class__"),
        ("Hi\n{{ now }}", "now"),
    ],
)
def test_an_unknown_field_is_refused_with_its_line(body, name):
    with pytest.raises(Invalid) as refused:
        rendering.compile(body, attributes=frozenset({"city"}))
    assert refused.value.field == "body"
    assert refused.value.value == name
    assert "Line 2" in refused.value.message
    assert "attributes.city" in refused.value.cure


def test_known_fields_are_accepted():
    body = '{{ city }} {{ attributes.city }} {{ attributes["city"] }} {% assign x = name %}{{ x }} {{ name.size }}'
    assert rendering.compile(body, attributes=frozenset({"city"}))


@pytest.mark.parametrize(
    "body",
    [
        "x\n{{ first_name",
        "x\n{% if a %}",
        "x\n{{ a b }}",
        "x\n{% nope %}",
        "x\n{{ }}",
        "x\n{{ a | shout }}",
        "x\n{% endif %}",
    ],
)
def test_a_mistake_is_named_with_its_line(body):
    with pytest.raises(Invalid, match="Line 2"):
        rendering.compile(body)


def test_a_text_may_have_1600_characters_and_no_more():
    assert rendering.compile("x" * 1600)
    with pytest.raises(Invalid, match="1,601"):
        rendering.compile("x" * 1601)


# Each would run code, read what is not the contact's, or eat time and memory.
ATTACKS = [
    "{{ name.__class__.__mro__ }}",
    "{{ name['__class__'] }}",
    "{{ attributes.__class__ }}",
    "{{ attributes.keys }}",
    "{{ attributes.pop }}",
    "{{ attributes }}",
    "{{ [city] }}",
    "{{ name.format }}",
    "{{ name.upper }}",
    "{{ self }}",
    "{{ context }}",
    "{{ settings.SECRET_KEY }}",
    "{{ request.user.delete }}",
    "{% for i in (1..100000000) %}x{% endfor %}",
    "{% for i in (1..99999999999) reversed %}x{% break %}{% endfor %}",
    "{% if (1..10000000000) contains 'x' %}{% endif %}",
    "{% if true %}{% unless name == (1..10000000000) %}{% endunless %}{% endif %}",
    "{% assign x = (1..10000000000) %}{{ x }}",
    "{% assign a = 'xxxxxxxxxx' %}" + "{% assign a = a | append: a %}" * 45 + "{{ a }}",
    "{% capture a %}xxxxxxxxxx{% endcapture %}" + "{% capture a %}{{ a }}{{ a }}{% endcapture %}" * 36 + "{{ a }}",
    "{{ 'aaaa' " + "| replace: 'a', 'aaaaaaaa' " * 40 + "}}",
    "{{ 9999999999 " + "| times: 9999999999 " * 70 + "}}",
    "{{ 'now' | date: '%999999999d' }}",
    "{{ 1 | divided_by: 0 }}",
    "{{ 'inf' | floor }}",
    "{{ 'a' | slice: 'b' }}",
    "{% include '/etc/passwd' %}",
    "{% render 'x' %}",
    "{% layout 'x' %}",
    "{% tablerow i in (1..9) %}{% endtablerow %}",
    "{% liquid\nassign x = 1\n%}",
    "{% increment x %}",
    "{% decrement x %}",
    "{% cycle 'a', 'b' %}",
    "{% if a %}" * 60 + "{% endif %}" * 60,
    "{% if " + "(" * 700 + "a" + ")" * 700 + " %}{% endif %}",
    "{{ " + "a." * 500 + "a }}",
    "{{ " + "9" * 1500 + " }}",
    "{% raw %}{{ name }}",
    "{% load static %}",
    "{% comment %}",
    "\x00{{ \x00 }}",
    "{{ '\ud800' }}",
]


@pytest.mark.parametrize("body", ATTACKS)
def test_an_attack_is_refused_or_harmless_and_quick(body):
    started = time.monotonic()
    try:
        text = rendered(body)
    except Invalid:
        text = None
    assert time.monotonic() - started < 0.5
    assert text is None or not text.code or text.missing or not text.body
    shown = text.body if text and not text.code else ""
    assert "class" not in shown
    assert "built-in" not in shown
    assert "Paris" not in shown


WORDS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
PIECES = st.one_of(
    WORDS.filter(lambda word: "{" not in word and "}" not in word and "\\" not in word),
    st.sampled_from(
        [
            "{{ first_name }}",
            "{{ attributes.city }}",
            "{{ city | default: 'here' }}",
            "{{ n }}",
            "{{ vip | default: 'no' }}",
        ]
    ),
)


@given(st.lists(PIECES, max_size=8), WORDS, st.one_of(WORDS, st.integers(), st.booleans(), st.none(), st.floats()))
def test_the_quick_way_says_what_liquid_says(pieces, name, value):
    body = "".join(pieces)
    values = rendering.fields_of(
        {"name": name, "attributes": {"city": value, "n": value, "vip": value}}, brand="Acme"
    )
    template = rendering.compile(body)
    assert template._steps is not None
    quick = template.render(values)
    template = rendering.Template(body, template._bound)
    template._steps = template._constant = None
    assert template.render(values) == quick


@pytest.mark.parametrize(
    "body",
    [
        "{{ optout_link | slice: 0, 40 }} {{ optout_link | slice: 40, 99 }}",
        "{{ preference_link | upcase }}",
        "{{ optout_link | default: 'x' }}",
        "{% assign x = optout_link %}{{ x | remove: '/p/' }}",
        "{% capture x %}{{ optout_link }}{% endcapture %}{{ x | slice: 3, 90 }}",
        "{% echo optout_link %}",
        "{{ 'a' | append: optout_link }}",
        "{{ optout_link }}{% if optout_link == 'x' %}y{% endif %}",
    ],
)
def test_a_link_is_printed_as_it_is_or_the_text_is_not_saved(body):
    with pytest.raises(Invalid, match="written as it is"):
        rendering.compile(body, attributes=frozenset())


@pytest.mark.parametrize(
    "body",
    [
        "Stop: {{ optout_link }}",
        "{{ optout_link }} {{ preference_link }} {{ optout_link }}",
        "{% if country == 'DE' %}{{ optout_link }}{% else %}{{ first_name | default: 'you' }}{% endif %}",
    ],
)
def test_a_link_that_is_printed_as_it_is_can_be_saved_also_within_conditions(body):
    assert rendering.compile(body, attributes=frozenset()).may_link_out
