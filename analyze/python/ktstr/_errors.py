"""What can fail."""


class Error(Exception):
    """Anything that a frozen machine does not answer; the message says why."""


class NotFoundError(Error):
    """A file, a symbol, a CPU, a program that there is not."""


class DamagedError(Error):
    """The archive's bytes contradict their checksums."""


class QueryError(Error):
    """ktstr-analyze refused a query; `exit_code` is its exit code."""

    def __init__(self, message, exit_code):
        super().__init__(message)
        self.exit_code = exit_code


class UnmappedError(Error):
    """A virtual address leads nowhere. `address` is the first such one."""

    def __init__(self, message, address):
        super().__init__(message)
        self.address = address


class MissingPageError(Error):
    """Memory whose contents are not in the archive.

    `address` is the first address that could not be read, `physical` where it leads, `fate` what
    became of that page ("not captured", "outside memory", "damaged"), `reason` why it was left out
    ("user data", "page cache", "free", ...; "" where it was not).
    """

    def __init__(self, message, address, physical, fate, reason):
        super().__init__(message)
        self.address = address
        self.physical = physical
        self.fate = fate
        self.reason = reason
