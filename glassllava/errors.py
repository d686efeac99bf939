"""The errors a person can meet, and nothing else.

    GlassError
    ├── UnreadableMicrograph   the file cannot be read as a micrograph
    ├── Uncalibrated           a length in metres was asked of an image without a scale
    ├── BadInput               a sample, recipe, setting or argument cannot be used as given
    ├── ModelUnavailable       the checkpoint or endpoint cannot be opened, or does not answer
    ├── LiteratureUnavailable  the library cannot be opened or searched
    ├── RunUnavailable         a run folder cannot be created, opened or written
    └── MissingPart            a library that this command needs is not installed

Each says what happened, where, what to do about it and whether trying again may help. Commands
print a GlassError without a traceback and exit 2; any other exception is a bug and shows its own.
"""

from __future__ import annotations

from pathlib import Path


class GlassError(Exception):
    """A condition that a person can understand and act on.

    Parameters
    ----------
    what : what went wrong, a sentence without its full stop.
    where : the file, key or address it concerns.
    remedy : what the person can do.
    retry : True if the same call may succeed later without any change.
    """

    def __init__(
        self, what: str, *, where: str | Path = "", remedy: str = "", retry: bool = False
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = str(where)
        self.remedy = remedy
        self.retry = retry

    @property
    def kind(self) -> str:
        return type(self).__name__

    def __str__(self) -> str:
        where = f"{self.where}: ".replace("\n", "·") if self.where else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        told = f"{where}{self.what}.{remedy}"
        # Names of files are anyone's: no terminal shall obey them.
        return "".join(sign if sign.isprintable() or sign == "\n" else "·" for sign in told)

    def __reduce__(self) -> tuple[object, ...]:
        # Worker processes hand errors back: keyword-only arguments do not survive plain pickling.
        return (_rebuild, (type(self), self.what, self.where, self.remedy, self.retry))

    def to_json(self) -> dict[str, object]:
        return {
            "error": {
                "kind": self.kind,
                "what": self.what,
                "where": self.where,
                "remedy": self.remedy,
            }
        }


def _rebuild(kind: type[GlassError], what: str, where: str, remedy: str, retry: bool) -> GlassError:
    return kind(what, where=where, remedy=remedy, retry=retry)


class UnreadableMicrograph(GlassError):
    """The file is missing, torn, or not a picture that this product reads."""


class Uncalibrated(GlassError):
    """The ruler refuses: there is no trustworthy pixel size."""


class BadInput(GlassError):
    """A sample, recipe, setting or argument cannot be used as given."""


class ModelUnavailable(GlassError):
    """A checkpoint or endpoint cannot be opened, or does not answer as it must."""


class LiteratureUnavailable(GlassError):
    """The library cannot be opened or searched."""


class RunUnavailable(GlassError):
    """A run folder cannot be created, opened or written."""


class MissingPart(GlassError):
    """An optional library is not installed."""
