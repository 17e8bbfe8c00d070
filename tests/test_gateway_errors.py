import pytest

from smsdesk.errors import Invalid
from smsdesk.gateways import errors, registry
from smsdesk.gateways.errors import Beyond, ErrorClass


def test_every_class_has_one_error_and_one_policy():
    assert set(errors.CLASSES) == set(errors.POLICIES) == set(ErrorClass)


def test_only_what_is_surely_not_taken_goes_back():
    again = {name for name, policy in errors.POLICIES.items() if policy.outcome == "again"}
    assert again == {
        ErrorClass.RETRY,
        ErrorClass.THROTTLE,
        ErrorClass.UNREACHABLE,
        ErrorClass.NOTHING_WRITTEN,
        ErrorClass.AUTH,
        ErrorClass.FUNDS,
        ErrorClass.CONFIG,
    }


def test_only_one_class_records_an_opt_out():
    assert [name for name, policy in errors.POLICIES.items() if policy.beyond == Beyond.OPT_OUT] == [
        ErrorClass.OPTED_OUT
    ]


def test_the_ledger_has_room_for_every_class():
    assert max(map(len, ErrorClass)) <= 12


def test_what_a_gateway_says_is_made_harmless():
    error = errors.InvalidRecipient("21211", "The number\x00 +12125550123 is\n'<b>' " + "x" * 900)
    assert error.message.startswith("The number  +***0123 is '<b>' x")
    assert len(error.message) == 200


def test_an_unknown_kind_of_gateway_is_named_with_the_cure():
    with pytest.raises(Invalid) as refused:
        registry.credential_fields("carrier-pigeon")
    assert refused.value.field == "kind"
    assert "infobip, twilio" in refused.value.cure


@pytest.mark.parametrize("kind", ["infobip", "twilio"])
def test_credentials_that_are_secret_are_marked(kind):
    secret = {field.name for field in registry.credential_fields(kind) if field.secret}
    assert all(("token" in name or "key" in name or "password" in name) for name in secret)
    assert secret
