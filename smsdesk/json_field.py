from typing import Any

from django import forms


class JSONField(forms.JSONField):
    """Django's lets a number of 5,000 digits and 100,000 brackets through to a 500."""

    default_error_messages = {"invalid": "Write valid JSON, without thousands of digits or levels."}

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was typed; where it cannot be read, as it was typed."""
        try:
            return super().bound_data(data, initial)
        except (ValueError, RecursionError):
            return forms.fields.InvalidJSONInput(data)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return super().has_changed(initial, data)
        except (ValueError, RecursionError):
            return True
