"""Who may read what we make: only its owner, unless a configuration leaves that to the umask.

Databases are not ours to decide upon: they, the folders that hold them and the locks beside them are made as the umask,
or the database, says, so that two users who share a database also share its lock.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

WORKSPACE = "var"  # the folder below the project root that holds all of ours, and usually the databases as well
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
ANY_FILE, ANY_FOLDER = 0o666, 0o777  # what the umask is applied to

_by_umask: dict[Path, bool] = {}


def decide(places: Iterable[Path], *, by_umask: bool) -> None:
    """Say for what lies at or below some absolute places whether the umask decides; the nearest place counts."""
    _by_umask.update({form: by_umask for place in places for form in (place, Path(os.path.realpath(place)))})


def is_private(path: Path) -> bool:
    """Tell whether only we may read a file or a folder that we make at a place."""
    return not next((_by_umask[place] for place in (path, *path.parents) if place in _by_umask), False)


def make_folder(folder: Path) -> None:
    """Make a folder of ours, and those above it that are not there; one that is there is left as it is.

    Raises:
        OSError: it cannot be made, or something else is in its place.
    """
    try:
        folder.mkdir(folder_mode(folder))
    except FileNotFoundError:
        if folder.parent == folder:
            raise
        make_folder(folder.parent)
        folder.mkdir(folder_mode(folder), exist_ok=True)
    except OSError:
        if not folder.is_dir():
            raise


def folder_mode(folder: Path) -> int:
    """Return the mode with which a folder of ours is made; the umask still takes from it."""
    return PRIVATE_FOLDER if folder.name != WORKSPACE and is_private(folder) else ANY_FOLDER


def file_mode(path: Path) -> int:
    """Return the mode with which a file of ours is made; the umask still takes from it."""
    return PRIVATE_FILE if is_private(path) else ANY_FILE


def current_umask() -> int:
    """Return the umask of this process, without changing it where the system tells."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("\nUmask:")[2].split(maxsplit=1)[0], 8)
    except (OSError, ValueError, IndexError):
        found = os.umask(0o077)
        os.umask(found)
        return found


def described_owner(path: Path) -> str:
    """Say whose a file or folder is and who may do what with it, as far as this user can see that."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return f"{path} does not exist"
    except OSError as error:
        return f"{path} cannot be looked at: {error.strerror}"
    user, group = _name(path.owner, found.st_uid), _name(path.group, found.st_gid)
    return f"{path} belongs to user {user} and group {group}, with mode {stat.S_IMODE(found.st_mode):04o}"


def unwritable(places: Iterable[Path]) -> list[Path]:
    """Return those places that are there, as far as this user can see, and that he may not write."""
    return [place for place in places if os.path.lexists(place) and not os.access(place, os.W_OK)]


def nearest_there(place: Path) -> Path:
    """Return a place, or the nearest one above it that is there as far as this user can see."""
    return next((one for one in (place, *place.parents) if os.path.lexists(one)), place)


def how_to_write(places: Sequence[Path]) -> str:
    """Say how places that are there, and that this user may not write, come to be writable."""
    shown = shlex.join(map(str, places))
    try:
        if os.statvfs(places[0]).f_flag & os.ST_RDONLY:
            return f"{places[0]} is on a read-only file system: mount that for writing"
        found = [place.stat() for place in places]
    except OSError:
        return f"let somebody who may do so give this user the right to enter the folder of {shown}"
    owners = {_name(place.owner, one.st_uid) for place, one in zip(places, found, strict=True)}
    if all(one.st_uid == os.geteuid() for one in found):
        return f"give yourself write permission: chmod u+rwX {shown}"
    if all(one.st_gid in {os.getegid(), *os.getgroups()} for one in found):
        return (
            f"let {' and '.join(sorted(owners))} run `chmod g+rwX {shown}`; users who share a workspace write "
            "`permissions: umask` into its configuration and have a umask such as 002"
        )
    return f"let their owner ({', '.join(sorted(owners))}) give this user write permission on {shown}"


def _name(ask: Callable[[], str], number: int) -> str:
    try:
        return ask()
    except (KeyError, NotImplementedError):  # nobody has that number any more, or here
        return str(number)


def opener(path: str, flags: int) -> int:
    """Open a file of ours as :func:`open` does; made anew, it gets the mode that is decided for its place."""
    return os.open(path, flags, file_mode(Path(path)))


def touch(path: Path, mode: int | None = None) -> None:
    """Make an empty file of ours where there is none, so that whoever opens it next does not choose its mode.

    ``mode`` is exactly that of the file; None decides it by its place. A link is not followed.

    Raises:
        OSError: it cannot be made.
    """
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file_mode(path) if mode is None else mode)
    except FileExistsError:
        return
    try:
        if mode is not None:
            set_mode(made, mode)
    finally:
        os.close(made)


def set_mode(descriptor: int, mode: int) -> None:
    """Give an open file a mode, unless the umask has left it that one."""
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
        os.fchmod(descriptor, mode)


def write_text(file: Path, text: str) -> None:
    """Write a file of ours, and make the folders above it.

    Raises:
        OSError: it cannot be written.
    """
    make_folder(file.parent)
    with open(file, "w", encoding="utf-8", opener=opener) as writing:
        writing.write(text)
