"""Finds and merges glassview.toml; each room declares its own frozen section.

Order: defaults, `glassview.toml` in the platform's configuration folder (or --settings FILE),
`GLASSVIEW_*` variables, then flags (which the commands lay over). No key of a server ever stands
in this file: those come from the environment or the system keyring.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from glassllava.errors import BadInput

_Section = TypeVar("_Section")
_PREFIX = "GLASSVIEW_"
_named: list[str] = []
_LARGEST_TOML = 1_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What the person set, by section. `origin` is the file it came from, for messages."""

    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    origin: str = "defaults"
    #: The environment's variable that set a value, by its section and key: its text is read.
    variables: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def section(self, name: str, kind: type[_Section]) -> _Section:
        """The section as its room's frozen dataclass.

        Raises
        ------
        BadInput : for a key that `kind` does not have, or a value of another type than its
            default's.
        """
        known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
        defaults = kind()
        values = {}
        for key, value in self.values.get(name, {}).items():
            variable = self.variables.get((name, key))
            where = variable or f"{self.origin} [{name}]"
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"Did you mean '{near[0]}'?" if near else f"Known keys: {', '.join(known)}."
                raise BadInput(f"'{key}' is not a setting", where=where, remedy=hint)
            at = variable or f"{where} {key}"
            values[key] = _like(getattr(defaults, key), value, at, variable is not None)
        return kind(**values)


@contextmanager
def named(path: str) -> Iterator[None]:
    """Within this, `load` without a path reads `path`: the file of a command's --settings."""
    _named.append(path)
    try:
        yield
    finally:
        _named.pop()


def load(path: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this person on this machine, from `path`, the file of --settings or theirs.

    Raises
    ------
    BadInput : for a named file that is missing, or any file that is not TOML.
    """
    environ = os.environ if environ is None else environ
    path = path or (_named[-1] if _named else None)
    file = Path(path) if path else user_config_dir(environ) / "glassview.toml"
    values: dict[str, dict[str, Any]] = {}
    variables: dict[tuple[str, str], str] = {}
    if path or file.exists():
        for name, section in read_toml(file, "settings file").items():
            if not isinstance(section, dict):
                raise BadInput(
                    f"'{name}' stands outside a section",
                    where=file,
                    remedy="Write it under a heading such as [model].",
                )
            values[name] = dict(section)
    for variable, text in environ.items():
        # GLASSVIEW_MODEL__REFERENCE=embedded sets [model] reference.
        if variable.startswith(_PREFIX) and "__" in variable:
            section_name, key = variable[len(_PREFIX) :].lower().split("__", 1)
            values.setdefault(section_name, {})[key] = text
            variables[section_name, key] = variable
    return Settings(values, origin=str(file), variables=variables)


def read_toml(path: Path, called: str) -> dict[str, Any]:
    """The tables of a small TOML file that a person wrote; messages call it `called`.

    Raises
    ------
    BadInput : where it is missing, no regular file, too large, not UTF-8 or not TOML.
    """
    try:
        # A pipe would be waited for without end.
        if path.exists() and not path.is_file():
            raise BadInput(
                f"The {called} is not a file", where=path, remedy="Give the path of a text file."
            )
        with path.open("rb") as file:
            raw = file.read(_LARGEST_TOML + 1)
    except FileNotFoundError:
        raise BadInput(f"There is no such {called}", where=path, remedy="Check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        why = getattr(error, "strerror", None) or error
        raise BadInput(
            f"The {called} cannot be read ({why})",
            where=path,
            remedy="Check that it is a file that you may read.",
        ) from error
    if len(raw) > _LARGEST_TOML:
        raise BadInput(
            f"The {called} is larger than 1 MB",
            where=path,
            remedy="It should be a few lines of text: check that this is the file you meant.",
        )
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadInput(
            f"The {called} is not text in UTF-8",
            where=path,
            remedy="Save it anew as UTF-8 in a text editor.",
        ) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInput(
            f"The {called} is not valid TOML ({error})",
            where=path,
            remedy='A line reads: key = "value". Texts stand in quotation marks.',
        ) from error


def user_config_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where glassview.toml is looked for; GLASSVIEW_CONFIG_DIR moves it."""
    import platformdirs

    moved = (os.environ if environ is None else environ).get("GLASSVIEW_CONFIG_DIR")
    return Path(moved) if moved else Path(platformdirs.user_config_dir("glassview", False))


def user_data_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where the library and the desktop's own run live; GLASSVIEW_DATA_DIR moves it."""
    import platformdirs

    moved = (os.environ if environ is None else environ).get("GLASSVIEW_DATA_DIR")
    return Path(moved) if moved else Path(platformdirs.user_data_dir("glassview", False))


#: What a value should be, by the type of its default, and an example.
_WANTED = {
    bool: ("true or false", "true"),
    int: ("a whole number", "5"),
    float: ("a number", "0.5"),
    str: ("a text", '"text"'),
    tuple: ("a list", '["one", "two"]'),
}


def _like(default: Any, value: Any, where: str, is_text: bool = False) -> Any:
    """`value` as the type of `default`; `is_text` says that it is a text which may stand for any.

    Raises
    ------
    BadInput : it is of another type.
    """
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("1", "true", "yes", "on", "0", "false", "no", "off"):
            return str(value).lower() in ("1", "true", "yes", "on")
    elif isinstance(default, int | float):
        is_whole = not isinstance(value, float) or value.is_integer() or isinstance(default, float)
        if (is_text or not isinstance(value, bool | str)) and is_whole:
            try:
                return type(default)(value)
            except (TypeError, ValueError, OverflowError):
                pass
    elif isinstance(default, str) and isinstance(value, str):
        return value
    elif isinstance(default, tuple) and isinstance(value, list | tuple):
        return tuple(value)
    words = (words for kind, words in _WANTED.items() if isinstance(default, kind))
    wanted, example = next(words, (f"a {type(default).__name__}", "the default"))
    raise BadInput(
        f"{value!r} is not {wanted}",
        where=where,
        remedy=f"Write {wanted}, as {example.strip(chr(34)) if is_text else example}.",
    )
