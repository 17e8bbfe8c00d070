"""A task is only a wake-up: "there may be work". It may run zero, one or several times; rows decide.

django-q2's own options go through `q_options` only, because it swallows keyword arguments of the same names.
"""

from django_q.tasks import async_task


def wake(task: str, *arguments: int | str) -> None:
    """Queue one run of `task` (dotted path); inside a transaction when that commits, or not at all."""
    async_task(task, *arguments, q_options={"group": task.rpartition(".")[2], "save": False})
