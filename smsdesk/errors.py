"""What can be refused, and how it is said.

A `DomainError` carries a stable `code`, a sentence for people and, where one field is at fault, its name, its
value and the cure. It is translated at three edges only: API (RFC 9457), admin (a message), task (a log line).
"""


class DomainError(Exception):
    """Something was asked that the rules refuse; nothing was changed."""

    status = 422

    def __init__(self, code: str, message: str, *, field: str = "", value: str = "", cure: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.value = value
        self.cure = cure

    def sentence(self) -> str:
        """Field, value, reason and cure in one line for a person."""
        subject = f"{self.field}: " if self.field else ""
        shown = f" (given: {self.value!r})" if self.value else ""
        return f"{subject}{self.message}{shown}{' ' + self.cure if self.cure else ''}"


class Invalid(DomainError):
    """A value cannot be understood or is not allowed."""

    status = 400


class NotPermitted(DomainError):
    """The actor may not do this."""

    status = 403


class WrongState(DomainError):
    """The thing is no longer, or not yet, in a state from which this can be done."""

    status = 409


class Conflict(DomainError):
    """Somebody else was faster, or the same key already names something else."""

    status = 409
