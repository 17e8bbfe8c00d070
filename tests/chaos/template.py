"""`python -m tests.chaos.template FOLDER`: an empty, migrated PostgreSQL folder for `--template`.

It saves each run the migrations. Prints its path.
"""

import sys
from pathlib import Path

from tests.chaos import postgres

if __name__ == "__main__":
    print(postgres.prepare(Path(sys.argv[1])))
