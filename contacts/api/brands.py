from contacts.models import Brand
from smsdesk.errors import Invalid


def brand_of(slug: str) -> Brand:
    """The brand a request names; raises `Invalid` naming those there are."""
    brand = Brand.objects.filter(slug=slug).first()
    if brand is None:
        known = ", ".join(Brand.objects.order_by("slug").values_list("slug", flat=True)[:10])
        raise Invalid(
            "unknown_brand", "There is no such brand.", field="brand", value=slug, cure=f"Known: {known}."
        )
    return brand
