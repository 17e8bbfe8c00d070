import secrets
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from smsdesk.public_ids import PublicIdModel


class GatewayKind(models.TextChoices):
    INFOBIP = "infobip", "Infobip"
    TWILIO = "twilio", "Twilio"


def new_hook_secret() -> str:
    return secrets.token_urlsafe(24)


def check_address(value: str) -> None:
    """A web address that paths can be added to; its host may be one word, as inside a compose network."""
    try:
        address = urlsplit(value)
        is_good = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        is_good = False
    if not is_good or any(c in value for c in "?#@\\") or not value.isprintable() or " " in value:
        raise ValidationError("Give a web address without question mark and login, like https://api.example.com.")


class GatewayAccount(PublicIdModel):
    """Our account at a provider. Credentials are sealed with the row's public id; nothing shows them again."""

    prefix = "gwa"

    name = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=10, choices=GatewayKind)
    base_url = models.CharField(
        max_length=200, validators=[check_address], help_text="The provider's address, or the simulator's."
    )
    credentials = models.TextField(blank=True, editable=False)  # sealed JSON (`smsdesk/sealing.py`)
    # The key is another one since then, perhaps of another account: it cannot say what the former one never saw.
    key_changed_at = models.DateTimeField(null=True, editable=False)
    hook_secret = models.CharField(max_length=64, default=new_hook_secret, editable=False)
    is_simulator = models.BooleanField(default=False)
    max_calls = models.PositiveSmallIntegerField(default=50, help_text="Calls open at once, per worker thread.")
    paused_reason = models.CharField(max_length=300, blank=True)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )  # null: by machine, and in red on every page until somebody has acted
    paused_at = models.DateTimeField(null=True, blank=True)
    resumed_at = models.DateTimeField(null=True, editable=False)  # opt-outs from before were looked at
    # The circuit (`campaigns/circuit.py`): open until then, half open from then on; null: closed.
    circuit_until = models.DateTimeField(null=True, editable=False)
    circuit_since = models.DateTimeField(null=True, editable=False)
    circuit_openings = models.PositiveSmallIntegerField(default=0, editable=False)  # since it was closed last
    prober = models.UUIDField(null=True, editable=False)  # the token of the lane that tries it now
    troubles = models.PositiveSmallIntegerField(default=0, editable=False)  # batches in a row that met nothing else
    last_trouble = models.CharField(max_length=300, blank=True, editable=False)
    next_lookup_at = models.DateTimeField(null=True, editable=False)  # when outcomes may be asked for again
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "gateway account"

    def __str__(self) -> str:
        return self.name


class CarrierOptOut(models.Model):
    """A provider reported an opt-out; kept for a day, to see many at once (`campaigns/carrier_alarm.py`)."""

    account = models.ForeignKey(GatewayAccount, on_delete=models.CASCADE, related_name="+", db_index=False)
    reported_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["account", "reported_at"], name="carrier_opt_outs_lately")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.reported_at:%H:%M}"
