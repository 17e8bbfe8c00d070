from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class ContactsConfig(AppConfig):
    name = "contacts"
    verbose_name = "Contacts"

    def ready(self) -> None:
        """Every app, those above too, registers in these modules, so that nothing here imports upward.

        What a segment may ask of a contact; what a proof must tell; what is held on a person; what happened to
        them; what becomes of it when two contacts turn out to be one person.
        """
        autodiscover_modules("segment_conditions", "testimony", "holdings", "timeline_sources", "uniting_parts")
