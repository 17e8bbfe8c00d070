from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

from contacts.models import Contact

MOST = 10_000


class BoundedPaginator(Paginator[Contact]):
    """Counts at most 10,000 rows: nobody pages further, and counting a million for every page is a scan."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[:MOST].count() if isinstance(rows, QuerySet) else len(rows)
