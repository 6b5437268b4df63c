"""Collections of frozen machines (ktstr-analyze corpus)."""

import os
import shutil
import subprocess
import tempfile
import weakref
from pathlib import Path

from ._errors import Error, NotFoundError
from ._library import analyze_program
from ._rows import ask
from .machine import Machine


def corpus(path, accept_damage=False):
    """A corpus, a packed one (a file), or any directory of archives. `accept_damage` as open() takes
    it, for each machine. Errors: NotFoundError, Error."""
    return Corpus(path, accept_damage)


def _unpack(pack, directory):
    ran = subprocess.run(
        [analyze_program(), "corpus", "unpack", str(pack), str(directory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    if ran.returncode != 0:
        message = ran.stderr.decode("utf-8", "replace").strip()
        raise Error(message.removeprefix("ktstr-analyze: ") or f"exit code {ran.returncode}")


class Corpus:
    """Iterates over its machines, each opened when its turn comes. A machine of a corpus has its
    row there as `entry`; in a directory that is no corpus `entry` is None.

    A packed one is unpacked (TMPDIR says where), and goes when it is closed, by itself or in a
    `with` statement: `path` is where it is until then."""

    def __init__(self, path, accept_damage=False):
        self.path = Path(os.fspath(path))
        self.accepts_damage = accept_damage
        self._remove_unpacked = None
        if self.path.is_file():
            directory = Path(tempfile.mkdtemp(prefix="ktstr-corpus-"))
            # It goes by itself, too, and then without the warning of tempfile.TemporaryDirectory.
            self._remove_unpacked = weakref.finalize(self, shutil.rmtree, directory)
            try:
                _unpack(self.path, directory)
            except BaseException:
                self.close()
                raise
            self.path = directory
        elif not self.path.is_dir():
            raise NotFoundError(f"{self.path} is neither a directory nor a packed corpus")
        self._is_corpus = (self.path / "corpus.toml").exists()

    def close(self):
        """Removes what was unpacked; machines of it can be asked no SQL any more."""
        if self._remove_unpacked is not None:
            self._remove_unpacked()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def _open(self, path, entry):
        machine = Machine(path, self.accepts_damage)
        machine.entry = entry
        # What was unpacked stays as long as one of its machines.
        machine._corpus = self
        return machine

    def entries(self):
        """What the corpus says of each archive: name, trigger, release, tags, ...; no rows for a
        directory that is no corpus. Of an archive that cannot be opened it lacks what only that
        says, and the notes say so."""
        if not self._is_corpus:
            return []
        return ask(["corpus", "list", self.path], accept_damage=True)

    def __iter__(self):
        if self._is_corpus:
            for entry in self.entries():
                yield self._open(self.path / "archives" / f"{entry.digest}.kts", entry)
            return
        for path in sorted(self.path.glob("*.kts")):
            yield self._open(path, None)

    def __len__(self):
        return len(self.entries()) if self._is_corpus else len(list(self.path.glob("*.kts")))

    def sql(self, query, timeout=60):
        """One query over all archives of a corpus at once; every table has the column archive.
        Errors: QueryError, also where an archive cannot be opened; where damage is accepted the
        rows are those of the others, and the notes name it."""
        return ask(["corpus", "query", self.path, query, "--timeout", timeout], self.accepts_damage)
