"""Forms of the import: the file, then its columns with what they carry."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.files import File

from contacts import claims, importing, mapping, uploads
from contacts.forms import DATE_TIME
from contacts.models import Brand, ContactImport, ContactList, Purpose
from smsdesk.errors import Invalid

_ATTRIBUTE = "attribute"
_TARGET_CHOICES = [(mapping.IGNORED, "Ignored"), *mapping.TARGETS.items(), (_ATTRIBUTE, "Attribute …")]


class UploadForm(forms.Form):
    file = forms.FileField(
        label="CSV file or Excel workbook",
        allow_empty_file=True,  # an empty one gets an answer with its cure
        help_text="The first line holds the names of the columns. CSV: UTF-8, UTF-16 or Windows-1252; comma, "
        "semicolon, tab or |. Workbook: .xlsx, the first sheet in which something stands. At most 256 MB.",
    )

    def clean_file(self) -> File[bytes]:
        file: File[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > uploads.MAX_BYTES:
            raise forms.ValidationError("The file is larger than 256 MB. Split it, each part with the header line.")
        return file


class ColumnsForm(forms.Form):
    """One choice per column of the file, then brand, list, country and the consent that is claimed."""

    brand = forms.ModelChoiceField(
        Brand.objects.order_by("name"), help_text="Consent in this file is for this brand."
    )
    contact_list = forms.ModelChoiceField(
        ContactList.objects.order_by("name"),
        required=False,
        empty_label="No list",
        label="Put them on the list",
    )
    new_list = forms.CharField(
        max_length=100, required=False, label="… or on a new list", help_text="Made when you continue."
    )
    default_country = forms.CharField(
        max_length=2, help_text="Two letters; how numbers without + and country code are read."
    )
    purpose = forms.ChoiceField(
        required=False,
        label="Consent in this file",
        choices=[
            ("", "None claimed: no marketing"),
            (Purpose.MARKETING.value, "Marketing texts, all of them"),
            (Purpose.TRANSACTIONAL.value, "Service texts, all of them"),
        ],
        help_text="Claim it only with proof that holds for everybody in the file; each part is then required.",
    )
    basis = forms.ChoiceField(
        required=False,
        choices=[("", "—"), *((b.value, b.label) for b in claims.BASES)],
        help_text="Marketing to the US needs express written consent.",
    )
    obtained_at = forms.DateTimeField(
        required=False, label="When", widget=DATE_TIME, help_text="The latest moment at which they had all agreed."
    )
    method = forms.ChoiceField(required=False, label="How", choices=[("", "—"), *claims.METHODS.items()])
    wording = forms.CharField(
        required=False,
        max_length=5_000,
        label="The exact words they saw",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    source = forms.CharField(
        required=False, max_length=300, label="Where the proof is kept", help_text="Form, page, document, system."
    )

    def __init__(
        self, *args: Any, contact_import: ContactImport, example: ContactImport | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._header: Sequence[str] = contact_import.header
        remembered = example.mapping if example else {}
        guessed = contact_import.mapping or remembered or mapping.guess(self._header)
        for place, name in enumerate(self._header):
            target = guessed.get(name, mapping.IGNORED)
            own = target.removeprefix("attributes.") if target.startswith("attributes.") else ""
            self.fields[f"column_{place}"] = forms.ChoiceField(
                label=name, required=False, choices=_TARGET_CHOICES, initial=_ATTRIBUTE if own else target
            )
            self.fields[f"attribute_{place}"] = forms.CharField(
                label=f"Name of the attribute for {name}", required=False, max_length=40, initial=own
            )

    def columns(self) -> list[tuple[str, forms.BoundField, forms.BoundField]]:
        """Name, choice and attribute name of each column, for the page."""
        return [
            (name, self[f"column_{place}"], self[f"attribute_{place}"]) for place, name in enumerate(self._header)
        ]

    def settings(self) -> list[forms.BoundField]:
        return [self[name] for name in ("brand", "contact_list", "new_list", "default_country")]

    def claim_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("purpose", "basis", "obtained_at", "method", "wording", "source")]

    def clean_default_country(self) -> str:
        try:
            return importing.country(self.cleaned_data["default_country"])
        except Invalid as error:
            raise forms.ValidationError(f"{error.message} {error.cure}") from error

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("purpose"):
            for name in ("basis", "obtained_at", "method", "wording", "source"):
                if not given.get(name) and name not in self.errors:
                    self.add_error(name, "Consent is claimed, so this part of the proof is needed.")
        return given

    def mapping(self) -> dict[str, str]:
        chosen = {}
        for place, name in enumerate(self._header):
            target = self.cleaned_data[f"column_{place}"]
            if target == _ATTRIBUTE:
                target = f"attributes.{self.cleaned_data[f'attribute_{place}'].strip()}"
            chosen[name] = target
        return chosen

    def claim(self) -> claims.Claim | None:
        given = self.cleaned_data
        if not given["purpose"]:
            return None
        return claims.Claim(
            purpose=given["purpose"],
            basis=given["basis"],
            obtained_at=given["obtained_at"],
            method=given["method"],
            wording=given["wording"],
            source=given["source"],
        )

    def chosen_list(self) -> ContactList | None:
        name = self.cleaned_data["new_list"].strip()
        if name:
            return ContactList.objects.get_or_create(name=name)[0]
        chosen: ContactList | None = self.cleaned_data["contact_list"]
        return chosen
