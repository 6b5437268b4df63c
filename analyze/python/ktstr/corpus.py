"""Collections of frozen machines (ktstr-analyze corpus)."""

import os
from pathlib import Path

from ._errors import NotFoundError
from ._rows import ask
from .machine import Machine


def corpus(directory):
    """A corpus, or any directory of archives."""
    return Corpus(directory)


class Corpus:
    """Iterates over its machines, each opened when its turn comes. A machine of a corpus has its
    row there as `entry`; in a directory that is no corpus `entry` is None."""

    def __init__(self, directory):
        self.path = Path(os.fspath(directory))
        if not self.path.is_dir():
            raise NotFoundError(f"{self.path} is no directory")
        self._is_corpus = (self.path / "corpus.toml").exists()

    def entries(self):
        """What the corpus says of each archive: name, trigger, release, tags, ...; no rows for a
        directory that is no corpus."""
        return ask(["corpus", "list", self.path]) if self._is_corpus else []

    def __iter__(self):
        if self._is_corpus:
            for entry in self.entries():
                machine = Machine(self.path / "archives" / f"{entry.digest}.kts")
                machine.entry = entry
                yield machine
            return
        for path in sorted(self.path.glob("*.kts")):
            machine = Machine(path)
            machine.entry = None
            yield machine

    def __len__(self):
        return len(self.entries()) if self._is_corpus else len(list(self.path.glob("*.kts")))

    def sql(self, query, timeout=60):
        """One query over all archives of a corpus at once; every table has the column archive.
        Errors: QueryError."""
        return ask(["corpus", "query", self.path, query, "--timeout", timeout])
