"""Finding the application, `module:attribute` or `module`, and saying in one line what is wrong if it is none."""

import importlib
import importlib.machinery
import inspect
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from zerogate.errors import StartError, UsageError
from zerogate.process import current_folder
from zerogate.worker.import_failure import explain_failure
from zerogate.worker.interface import (
    INTERFACE_WORDS,
    N_ARGUMENTS,
    interface_of,
    is_async,
    is_factory,
    signature_of,
    takes,
)

# Of an interface: whatever is found out. The others are in `interface.py`.
AUTO: Final = "auto"

# What a module has its application as, if nobody says; and what makes one there.
APPLICATION_NAMES: Final = ("app", "application")
FACTORY_NAMES: Final = ("create_app", "make_app")

_EXAMPLE = "write MODULE:ATTRIBUTE, for example mypkg.app:app, or MODULE"


@dataclass(frozen=True)
class Found:
    """An application, which interface it speaks, and where it was found, as one would write it.

    knows_its_routes: it takes the prefix of its route off the path itself
    """

    application: Any
    interface: str
    target: str
    knows_its_routes: bool = False

    @property
    def words(self) -> str:
        """For people: `mypkg.app:app, WSGI`."""
        return f"{self.target}, {INTERFACE_WORDS[self.interface]}"


def load_application(target: str, app_dir: str = "", *, interface: str = AUTO, factory: bool = False) -> Found:
    """Import `module:attribute`, from `app_dir`, what is installed, or the current folder. The attribute may be dotted.

    `module` alone has one of APPLICATION_NAMES, else of FACTORY_NAMES. With `factory`, or where `()` is written behind
    the attribute, that is called to make the application.

    Raises UsageError if it is not written so, StartError if the module or the attribute is not there, or if it is not
    called as an application is.
    """
    written = target.removesuffix("()")
    factory = factory or written != target
    module_name, separator, attribute = written.partition(":")
    if module_name.endswith(".py") or os.sep in module_name:
        raise UsageError(_not_a_file(target, Path(module_name), attribute))
    if not module_name or bool(separator) != bool(attribute) or (written != target and not attribute):
        raise UsageError(f"{target!r} is not an application: {_EXAMPLE}")
    folder = _search_too(app_dir)
    module = _import(module_name, folder)
    if not attribute:
        attribute, factory = _guess(module, module_name, factory)
    found = _attribute(module, module_name, attribute)
    where = f"{module_name}:{attribute}"
    if factory:
        found, where = _make(where, found), f"{where}()"
    return Found(found, _checked(where, found, interface), where)


def recognise(application: Any, *, interface: str = AUTO, factory: bool = False) -> Found:
    """An application that is here already, or with `factory` what makes it. Raises StartError if it is none."""
    where = getattr(application, "__qualname__", None) or type(application).__qualname__
    if factory:
        application, where = _make(where, application), f"{where}()"
    return Found(application, _checked(where, application, interface), where)


def _import(module_name: str, folder: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            meant = _meant_attribute(error.name)
            raise StartError(f"no module named {error.name!r}, in {folder} or installed{meant}") from error
        raise StartError(f"importing {module_name!r} failed: {explain_failure(error)}") from error
    except (Exception, SystemExit) as error:
        raise StartError(f"importing {module_name!r} failed: {explain_failure(error)}") from error


def _meant_attribute(name: str) -> str:
    """What to say if the last dot before what is not there should have been a colon."""
    module_name, _, attribute = name.rpartition(".")
    is_there = callable(getattr(sys.modules.get(module_name), attribute, None))
    return f": write {module_name}:{attribute}" if is_there else ""


def _guess(module: ModuleType, module_name: str, factory: bool) -> tuple[str, bool]:
    """The name of what a module has for an application, and whether that is a factory."""

    def has(name: str) -> bool:
        # A package may well have a module of that name.
        found = getattr(module, name, None)
        return callable(found) and not isinstance(found, ModuleType)

    if not factory:
        for name in APPLICATION_NAMES:
            if has(name):
                return name, False
    for name in FACTORY_NAMES:
        if has(name):
            return name, True
    makers = [f"{name}()" for name in FACTORY_NAMES]
    *others, last = makers if factory else [*APPLICATION_NAMES, *makers]
    paths = getattr(module, "__path__", None)
    # What `django-admin startproject` makes.
    has_wsgi = paths is not None and importlib.machinery.PathFinder.find_spec(f"{module_name}.wsgi", paths) is not None
    raise StartError(
        f"module {module_name!r} has none of {', '.join(others)} and {last}: write "
        + (f"{module_name}.wsgi" if has_wsgi else f"{module_name}:ATTRIBUTE")
    )


def _attribute(module: ModuleType, module_name: str, attribute: str) -> Any:
    found: Any = module
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            import difflib

            near = difflib.get_close_matches(name, (each for each in dir(found) if not each.startswith("_")), 1)
            hint = f": did you mean {near[0]}?" if near else ""
            raise StartError(f"module {module_name!r} has no attribute {attribute!r}{hint}") from error
    return found


def _make(where: str, factory: Any) -> Any:
    """What the factory makes. Raises StartError."""
    if not callable(factory):
        raise StartError(f"{where} is {type(factory).__name__!r}: no factory, which is called to make the application")
    signature = signature_of(factory)
    if signature is not None and not takes(signature, 0):
        taken = signature.replace(return_annotation=inspect.Signature.empty)
        raise StartError(f"{where} takes {taken}: a factory is called without anything to make the application")
    try:
        made = factory()
    except (Exception, SystemExit) as error:
        raise StartError(f"{where}() failed: {explain_failure(error)}") from error
    if inspect.iscoroutine(made):
        made.close()
        raise StartError(
            f"{where} is async: a factory is called before there is anything to await, and returns at once"
        )
    return made


def _checked(where: str, found: Any, interface: str) -> str:
    """The interface by which to call it. Raises StartError for what each such call would fail of."""
    if not callable(found):
        raise StartError(f"{where} is {type(found).__name__!r}, not an application")
    signature = signature_of(found)
    if interface != AUTO:
        if signature is not None and not takes(signature, N_ARGUMENTS[interface]):
            taken = signature.replace(return_annotation=inspect.Signature.empty)
            raise StartError(
                f"{where} takes {taken}, which is not how --interface {interface} calls it: leave that out"
            )
        return interface
    told = interface_of(found)
    if told is not None:
        return told
    if is_factory(found):
        if inspect.isclass(found):
            raise StartError(f"{where} is a class: write app = {found.__name__}() and name that, or add --factory")
        kind = "an async function: name what it returns" if is_async(found) else "a factory: add --factory"
        raise StartError(f"{where} is {kind}")
    if inspect.isclass(found):
        raise StartError(f"{where} is a class: make one of it, app = {found.__name__}(...), and name that")
    if signature is None or any(each.kind is each.VAR_POSITIONAL for each in signature.parameters.values()):
        raise StartError(f"{where} does not tell how it is called: say --interface asgi3 or --interface wsgi")
    taken = signature.replace(return_annotation=inspect.Signature.empty)
    raise StartError(
        f"{where} is no application: it takes {taken}, not (scope, receive, send) as ASGI or "
        f"(environ, start_response) as WSGI"
    )


def _not_a_file(target: str, path: Path, attribute: str) -> str:
    """What to write instead of a file's name."""
    directory = ""
    if path.is_absolute() or ".." in path.parts:
        directory = f", in the directory {path.parent}"
        path = Path(path.name)
    path = path.with_suffix("") if path.suffix == ".py" else path
    module_name = ".".join(path.parent.parts if path.name == "__init__" else path.parts)
    written = f"{module_name}:{attribute}" if attribute else module_name
    return f"{target!r} is a file's name, not a module's: write {written}{directory}"


def _search_too(app_dir: str) -> str:
    """Have Python look in `app_dir` first; without one, in the current folder last. Returns the folder.

    Last, because what happens to lie about there (`logging.py`, `test/`) must not get in the way of everybody else.
    """
    folder = os.path.abspath(app_dir if os.path.isabs(app_dir) else os.path.join(current_folder(), app_dir))
    if app_dir:
        if not os.path.isdir(folder):
            raise UsageError(f"--app-dir {app_dir}: no such folder")
        sys.path.insert(0, folder)
        return folder
    if "" not in sys.path and folder not in sys.path:
        sys.path.append(folder)
    return folder
