"""Rows of a query: tuples whose columns also have names."""

import json
import subprocess

from ._errors import QueryError
from ._library import analyze_program


class Row(tuple):
    """A row. `row.pid`, `row["pid"]` and `row[0]` are the same column; an unknown value is None."""

    def __new__(cls, columns, values):
        row = super().__new__(cls, values)
        row.__dict__["_columns"] = columns
        return row

    def keys(self):
        return list(self._columns)

    def _asdict(self):
        return dict(zip(self._columns, self))

    def __getitem__(self, key):
        if isinstance(key, str):
            try:
                return super().__getitem__(self._columns[key])
            except KeyError:
                raise KeyError(f"no column '{key}': there are {', '.join(self._columns)}") from None
        return super().__getitem__(key)

    def __getattr__(self, name):
        columns = self.__dict__.get("_columns", {})
        if name in columns:
            return tuple.__getitem__(self, columns[name])
        raise AttributeError(f"no column '{name}': there are {', '.join(columns)}")

    def __reduce__(self):
        return (Row, (self._columns, tuple(self)))

    def __repr__(self):
        return "Row(" + ", ".join(f"{k}={v!r}" for k, v in self._asdict().items()) + ")"


class Rows(list):
    """The rows of an answer. `columns` are their names (empty where there is no row), `notes` what
    was told beside the answer, such as memory that could not be read; "" for nothing."""

    def __init__(self, records, notes=""):
        names = list(records[0]) if records else []
        columns = {name: index for index, name in enumerate(names)}
        super().__init__(Row(columns, record.values()) for record in records)
        self.columns = names
        self.notes = notes

    def frame(self):
        """The rows as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame([tuple(row) for row in self], columns=self.columns or None)


def _record(pairs):
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise QueryError(f"several columns are called '{twice}': give them names by AS", 2)
    return record


# Exit codes of ktstr-analyze: an answer, an answer that is "no", and what it says of damage.
_DONE, _NO, _BAD_INPUT = 0, 1, 3


def ask(arguments, accept_damage=False):
    """What ktstr-analyze answers to these arguments, with --json, as Rows. Where damage is accepted
    the answer may lack what is damaged, and the notes say so."""
    options = ["--json", "--accept-damage"] if accept_damage else ["--json"]
    answers = (_DONE, _NO, _BAD_INPUT) if accept_damage else (_DONE, _NO)
    ran = subprocess.run(
        [analyze_program(), *options, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    notes = ran.stderr.decode("utf-8", "replace").strip()
    if ran.returncode not in answers or not ran.stdout:
        message = notes.removeprefix("ktstr-analyze: ") or f"exit code {ran.returncode}"
        raise QueryError(message, ran.returncode)
    return Rows(json.loads(ran.stdout, object_pairs_hook=_record), notes)
