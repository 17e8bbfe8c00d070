"""What an import looks like over the API: what is sent, and what is answered."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contacts import claims, mapping
from contacts.models import ContactImport, ImportState
from smsdesk.api.fields import Moment, Ref, StrictSerializer, Text

CLAIM_PURPOSES = [(one.value, one.label) for one in claims.PURPOSES]
CLAIM_BASES = [(one.value, one.label) for one in claims.BASES]
CLAIM_METHODS = list(claims.METHODS.items())


class FileIn(StrictSerializer):
    file = serializers.FileField(allow_empty_file=True, help_text="CSV or Excel workbook (.xlsx), at most 256 MiB.")


class ClaimIn(StrictSerializer):
    purpose = serializers.ChoiceField(choices=CLAIM_PURPOSES)
    basis = serializers.ChoiceField(choices=CLAIM_BASES)
    obtained_at = Moment(help_text="The latest moment at which they had all agreed.")
    method = serializers.ChoiceField(choices=CLAIM_METHODS)
    wording = Text(max_length=5_000, help_text="The exact words they saw.")
    source = Text(max_length=300, help_text="Where the proof is kept.")  # type: ignore[assignment]


class SettingsIn(StrictSerializer):
    columns = serializers.DictField(
        child=Text(allow_blank=True, max_length=60),
        help_text="Column of the file → phone, name, external_id, language, country, region, time_zone, "
        "birth_date or attributes.<name>. A column that is left out is ignored.",
    )
    brand = Text(max_length=40, help_text="Slug.")
    list = Text(
        required=False, allow_null=True, max_length=100, help_text="Put them on it; made when there is none."
    )
    default_country = Text(max_length=2, help_text="How numbers without + are read, for example US.")
    consent = ClaimIn(required=False, allow_null=True, help_text="What all these people agreed to; null: nothing.")


class CountsOut(StrictSerializer):
    created = serializers.IntegerField()
    updated = serializers.IntegerField(help_text="Known contacts that were completed.")
    duplicate = serializers.IntegerField(help_text="The same phone stood in an earlier line.")
    invalid = serializers.IntegerField(help_text="Could not be taken.")
    suppressed = serializers.IntegerField(help_text="Taken, and still opted out.")
    consents = serializers.IntegerField(help_text="Taken, and their consent recorded.")


class ForecastOut(CountsOut):
    remarks = serializers.IntegerField()
    checked_at = Moment(allow_null=True, help_text="null: not of the whole file (yet).")


class UndoOut(StrictSerializer):
    consents = serializers.IntegerField(help_text="Claims taken back.")
    places = serializers.IntegerField(help_text="Places on lists taken back.")
    people = serializers.IntegerField(help_text="Contacts removed.")
    left = serializers.DictField(child=serializers.IntegerField(), help_text="Why something was left → how often.")
    started_at = Moment()
    undone_at = Moment(allow_null=True)


class ImportOut(StrictSerializer):
    id = Ref(prefix="imp", source="public_id")
    state = serializers.ChoiceField(choices=ImportState.choices)
    filename = Text()
    sheet = Text(help_text="Of a workbook: the sheet that is read.")
    columns = serializers.SerializerMethodField(help_text="Column → what it is read as; before settings: a guess.")
    brand = Text(source="brand.slug", default=None, allow_null=True)
    list = Text(source="list.name", default=None, allow_null=True)
    default_country = Text()
    consent = serializers.SerializerMethodField()
    percent = serializers.IntegerField(help_text="Of the dry run or the import, whichever runs or ran last.")
    counts = CountsOut(source="*", help_text="Of the import itself.")
    forecast = serializers.SerializerMethodField()
    undo = serializers.SerializerMethodField()
    failure = Text()
    created_at = Moment()
    started_at = Moment(allow_null=True)
    finished_at = Moment(allow_null=True)

    def get_columns(self, row: ContactImport) -> dict[str, str]:
        guessed = row.mapping or mapping.guess(row.header)
        return {name: guessed.get(name, "") for name in row.header}

    @extend_schema_field(ClaimIn(allow_null=True))
    def get_consent(self, row: ContactImport) -> Any:
        if not row.purpose:
            return None
        said = {
            "purpose": row.purpose,
            "basis": row.basis,
            "obtained_at": row.consent_obtained_at,
            "method": row.consent_method,
            "wording": row.consent_wording,
            "source": row.consent_source,
        }
        return ClaimIn(said).data

    @extend_schema_field(ForecastOut(allow_null=True))
    def get_forecast(self, row: ContactImport) -> Any:
        if row.check_id is None:
            return None
        counts = {name: row.forecast.get(name, 0) for name in ForecastOut().fields}
        return ForecastOut({**counts, "checked_at": row.checked_at}).data

    @extend_schema_field(UndoOut(allow_null=True))
    def get_undo(self, row: ContactImport) -> Any:
        if row.undo_started_at is None:
            return None
        done = row.undo_done
        return UndoOut(
            {
                "consents": done.get("consent", 0),
                "places": done.get("places", 0),
                "people": done.get("people", 0),
                "left": row.undo_left,
                "started_at": row.undo_started_at,
                "undone_at": row.undone_at,
            }
        ).data


class RemarkOut(StrictSerializer):
    line = serializers.IntegerField(help_text="As an editor counts; of a workbook: the sheet's row.")
    column = Text()
    value = Text()
    reason = Text()


class RemarkPage(StrictSerializer):
    data = RemarkOut(many=True)  # type: ignore[assignment]
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True, help_text="Always null: remarks are read from the first on.")
