"""The code a run runs: the checkout itself, or a copy with mutants put into it.

A mutant is a file `mutants/<name>.mutant`: a first line that says what is wrong, then changes of the form

    --- path/to/file.py
    <<<<<<<
    the lines as they are
    =======
    the lines as they become
    >>>>>>>

The lines must stand in the file exactly once: a mutant that no longer fits is an error, not a pass.
"""

import io
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.world import ROOT

FOLDER = Path(__file__).resolve().parent / "mutants"
CODE = ("smsdesk", "contacts", "campaigns", "inbound")
_COPIED = (*CODE, "templates", "tests")
_FILES = ("manage.py", "pyproject.toml")


class DoesNotFit(Exception):
    """A mutant's lines are not in the code (any more), or more than once."""


@dataclass(frozen=True, slots=True)
class Change:
    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    says: str
    changes: tuple[Change, ...]


def names() -> list[str]:
    return sorted((path.stem for path in FOLDER.glob("*.mutant")), key=_order)


def _order(name: str) -> tuple[int, str]:
    digits = "".join(character for character in name if character.isdigit())
    return int(digits or 0), name


def read(name: str) -> Mutant:
    """Raises `DoesNotFit` for a file nobody can follow, or none."""
    path = FOLDER / f"{name}.mutant"
    if not path.exists():
        raise DoesNotFit(f"There is no mutant {name}; known are {', '.join(names())}.")
    lines = path.read_text().splitlines(keepends=True)
    changes: list[Change] = []
    target, before, part = "", "", None
    taken: list[str] = []
    for line in lines[1:]:
        mark = line.rstrip("\n")
        if part is None and mark.startswith("--- "):
            target = mark[4:].strip()
        elif part is None and mark == "<<<<<<<":
            part, taken = "before", []
        elif part == "before" and mark == "=======":
            before, part, taken = "".join(taken), "after", []
        elif part == "after" and mark == ">>>>>>>":
            changes.append(Change(target, before, "".join(taken)))
            part = None
        elif part is not None:
            taken.append(line)
    if not changes or part is not None:
        raise DoesNotFit(f"{path.name} holds no complete change.")
    return Mutant(name, lines[0].strip().lstrip("# "), tuple(changes))


def put_in(mutant: Mutant, root: Path) -> None:
    """Change the code under `root`. Raises `DoesNotFit`."""
    for change in mutant.changes:
        path = root / change.path
        text = path.read_text() if path.exists() else ""
        if not change.before:
            if path.exists():
                raise DoesNotFit(f"{mutant.name}: {change.path} exists already.")
            path.write_text(change.after)
            continue
        if text.count(change.before) != 1:
            raise DoesNotFit(
                f"{mutant.name} does not fit {change.path} any more: its lines stand there "
                f"{text.count(change.before)} times. Write the mutant anew for the code as it is."
            )
        path.write_text(text.replace(change.before, change.after))


def has_migrations(mutants: tuple[str, ...]) -> bool:
    """Whether one of them changes the schema."""
    return any("/migrations/" in change.path for name in mutants for change in read(name).changes)


def revision(folder: Path, name: str) -> Path:
    """The code as it was at a revision, beside the tests as they are."""
    root = folder / "old"
    root.mkdir()
    packed = subprocess.run(
        ["git", "archive", name, *CODE, "templates", *_FILES], cwd=ROOT, capture_output=True, check=False
    )  # fmt: skip
    if packed.returncode:
        raise DoesNotFit(f"There is no revision {name} here: {packed.stderr.decode().strip()[:200]}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(root, filter="data")
    shutil.copytree(ROOT / "tests", root / "tests", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    return root


def tree(folder: Path, mutants: tuple[str, ...]) -> Path:
    """The root of the code to run."""
    if not mutants:
        return ROOT
    root = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "node_modules", "data", "var")
    root.mkdir()
    for name in _COPIED:
        ignore = ignored if name == "tests" else shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    for name in _FILES:
        shutil.copy(ROOT / name, root / name)
    for name in mutants:
        put_in(read(name), root)
    return root
