"""The cases of the sweep: every failpoint with each kind of harm, and scenes that no failpoint makes."""

from dataclasses import dataclass

SCALE = 0.05
LEASE = 60.0 * SCALE
LAPSE = 30.0 * SCALE
ACTIONS = {"kill": "kill", "raise": "raise", "sleep": f"hold:{LEASE * 1250:.0f}"}
# Name → which later hit. Where none has been reached sooner, rows of a frozen worker make one.
LATER = {
    "lane.won": 3, "batch.read": 3, "batch.rendered": 3,
    "submit.lane_checked": 3, "submit.contacts_locked": 3, "submit.after_recheck": 3, "submit.before_commit": 3,
    "submit.after_commit": 3,
    "call.connected": 3, "call.before_write": 3, "call.after_write": 3, "call.after_answer": 2,
    "record.before_commit": 3, "record.after_commit": 3, "lane.before_handback": 3,
    "reaper.selected": 2, "reaper.before_commit": 2,
    "reconcile.before_lookup": 2, "reconcile.after_lookup": 2, "reconcile.before_commit": 2,
    "launch.before_commit": 2, "launch.between_ranges": 2,
    "receipt.before_commit": 2, "receipt.after_commit": 2,
    "inbound.before_commit": 2, "inbound.after_commit": 2,
    "stop.locked": 2, "stop.before_commit": 2, "stop.draining": 2,
    "import.row": 2,
}  # fmt: skip
FROZEN = f"submit.after_commit=hold:{LAPSE * 1700:.0f}"
# What a change of the send path must pass: a minute, not twenty.
CORE = (
    ("submit.before_commit", "kill", 1), ("submit.after_commit", "kill", 1), ("submit.after_commit", "sleep", 3),
    ("call.before_write", "sleep", 1), ("call.after_write", "kill", 3), ("call.after_answer", "sleep", 1),
    ("record.before_commit", "kill", 1), ("receipt.before_commit", "kill", 1), ("stop.before_commit", "kill", 1),
    ("launch.between_ranges", "kill", 1), ("import.row", "kill", 2),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    action: str
    at: int
    given: str = ""  # a spec of its own
    faults: tuple[tuple[str, float], ...] = ()  # of the carrier, while it is played

    @property
    def spec(self) -> str:
        if self.given:
            return self.given
        own = f"{self.name}={ACTIONS[self.action]}@{self.at}"
        if self.name.startswith("reaper."):
            # Where the first two are found at once, the one that is sent again later is found by itself.
            return f"{own};{FROZEN}@1;{FROZEN}@3;{FROZEN}@5"
        if self.name.startswith("reconcile."):
            return f"{own};{FROZEN}@1;{FROZEN}@3"
        return own

    @property
    def title(self) -> str:
        if self.action == "scene":
            return self.name
        return " ".join([f"{self.name} {self.action}@{self.at}", *(name for name, _ in self.faults)])


# Accepted messages show up in the gateway's log late, but before "never seen" counts (a grace of 3 s here).
LATE_LOG = (("lookup_lag_ms", 2_000.0),)
# Receipts that carry only the gateway's id, which the desk does not know yet when they come.
NAMELESS = (("rate_nameless_receipts", 1.0), ("rate_early_receipts", 1.0))
# What no failpoint makes by itself (`scenes.py` says what happens in each).
SCENES = {
    "scene.unreadable": Case("scene.unreadable", "scene", 1, "*=watch"),
    "scene.overtaken": Case(
        "scene.overtaken", "scene", 1, f"batch.rendered={ACTIONS['sleep']}@1;lane.before_handback=hold:1200~1"
    ),
    "scene.clock": Case("scene.clock", "scene", 1, "*=watch"),
    "scene.crossing": Case("scene.crossing", "scene", 1, "*=watch"),
    "scene.nameless": Case("receipt.after_commit", "raise", 1, "", NAMELESS),
    "scene.late_log": Case("call.after_write", "kill", 1, "", LATE_LOG),
}


def cases(*, only: str = "", core: bool = False) -> list[Case]:
    if core:
        return [Case(*one) for one in CORE]
    made = [
        Case(name, action, at)
        for name, later in LATER.items()
        if name.startswith(only)
        for action in ACTIONS
        for at in (1, later)
    ]
    return [*made, *(case for name, case in SCENES.items() if name.startswith(only))]
