from django.db import models
from django.db.models import Q

from campaigns.models import OutboundMessage, Sender
from contacts.models import Brand
from smsdesk.public_ids import PublicIdModel


class OptInForm(PublicIdModel):
    """A page on which people give their number and agree to texts; what it says stands in its wordings."""

    prefix = "frm"

    name = models.CharField(max_length=100, unique=True, help_text="For the desk. People see the title.")
    title = models.CharField(max_length=100, help_text="The heading of the page.")
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="opt_in_forms")
    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, related_name="+")
    purposes = models.JSONField(default=list)  # of Purpose
    double_opt_in = models.BooleanField(
        default=True,
        help_text="The sign-up counts when the person answers YES to one text. Without it, whoever types a "
        "number signs it up.",
    )
    question = models.CharField(
        max_length=480,
        default="{brand}: Reply YES to get our recurring texts, up to 4 msgs/mo. Did not sign up? Ignore this. "
        "Msg & data rates may apply. Reply HELP for help, STOP to cancel.",
        help_text="Asks for the YES. {brand} stands for the brand's name.",
    )
    reminder = models.CharField(
        max_length=480,
        default="{brand}: Still want our recurring texts, up to 4 msgs/mo? Reply YES, we will not ask again. "
        "Msg & data rates may apply. Reply HELP for help, STOP to cancel.",
        help_text="Sent once, a day later, where no answer came.",
    )
    welcome = models.CharField(
        max_length=480,
        default="{brand}: You're in! Up to 4 msgs/mo. Msg & data rates may apply. Reply HELP for help, "
        "STOP to cancel.",
        help_text="Confirms the sign-up.",
    )
    is_active = models.BooleanField(default=True, help_text="Off: the page says that the form is closed.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "opt-in form"

    def __str__(self) -> str:
        return self.name

    @property
    def asks_for_yes(self) -> bool:
        return self.double_opt_in or self.brand.double_opt_in

    def wording(self) -> "Wording | None":
        """The version that is shown now."""
        return self.wordings.order_by("-number").first()


class Wording(models.Model):
    """What a form showed, to the letter. A changed text is a new version: the database refuses to change one."""

    form = models.ForeignKey(OptInForm, on_delete=models.PROTECT, related_name="wordings")
    number = models.PositiveIntegerField()
    text = models.TextField()
    terms_url = models.URLField(max_length=300)
    privacy_url = models.URLField(max_length=300)
    sha256 = models.CharField(max_length=64)  # of `shown`
    author = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["form", "number"], name="one_wording_per_form_and_number")]

    def __str__(self) -> str:
        return f"version {self.number}"

    @property
    def shown(self) -> str:
        """Everything a person agrees to, as it stands beside the box."""
        return f"{self.text}\nTerms: {self.terms_url}\nPrivacy: {self.privacy_url}"


class SignUpState(models.TextChoices):
    ASKED = "asked", "Waiting for YES"
    JOINED = "joined", "Joined"
    ENDED = "ended", "No YES in time"
    WITHDRAWN = "withdrawn", "Opted out instead"
    REPLACED = "replaced", "Signed up again"
    NOT_ASKED = "not_asked", "No text sent"


class SignUp(PublicIdModel):
    """One form that was sent in. Until the phone itself says YES it says nothing about anybody's consent."""

    prefix = "sgn"

    form = models.ForeignKey(OptInForm, on_delete=models.PROTECT, related_name="sign_ups")
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="+")
    wording = models.ForeignKey(Wording, on_delete=models.PROTECT, related_name="+")
    nonce = models.CharField(max_length=32, unique=True)  # of the page that was filled in: it counts once
    phone = models.CharField(max_length=16, blank=True)
    subscriber_key = models.CharField(max_length=44)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=9, choices=SignUpState)
    reason = models.CharField(max_length=40, blank=True)  # why no text was sent
    question = models.ForeignKey(OutboundMessage, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True)  # when a text was queued for it
    reminded_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)  # the first instant at which YES no longer counts
    done_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "sign-up"
        constraints = [
            models.UniqueConstraint(
                fields=["subscriber_key", "brand"], condition=Q(state="asked"), name="one_open_sign_up_per_brand"
            ),
            models.CheckConstraint(
                condition=~Q(state="asked") | Q(asked_at__isnull=False, ends_at__isnull=False),
                name="an_open_sign_up_was_asked_and_ends",
            ),
        ]
        indexes = [
            # how many texts a phone got lately; whose YES this is
            models.Index(fields=["subscriber_key", "created_at"], name="sign_ups_of_a_phone"),
            # reminders and the end, each few minutes
            models.Index(fields=["ends_at"], condition=Q(state="asked"), name="open_sign_ups"),
            models.Index(fields=["form", "state"], name="sign_ups_of_a_form"),  # the forms' figures
        ]

    def __str__(self) -> str:
        return self.ref
