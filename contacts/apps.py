from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class ContactsConfig(AppConfig):
    name = "contacts"
    verbose_name = "Contacts"

    def ready(self) -> None:
        """Every app, those above too, says in this module what a segment may ask of a contact."""
        autodiscover_modules("segment_conditions")
