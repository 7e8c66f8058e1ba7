"""Python environments for tests of the installation: the packages of this one, without a copy or a download."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NEVER_LINKED = ("tilescope", "pip", "__pycache__", "_virtualenv")


@dataclass(frozen=True)
class Environment:
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def command(self) -> Path:
        return self.folder / "bin" / "tilescope"

    @property
    def packages(self) -> Path:
        (folder,) = self.folder.glob("lib/python*/site-packages")
        return folder

    @property
    def home(self) -> dict[str, str]:
        """Variables that keep what a program writes for its user in the folder of the environment."""
        names = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "TILESCOPE_DATA_DIR")
        return dict.fromkeys(names, str(self.folder / "home"))

    def install(self, archive: Path) -> None:
        """Install a wheel or a source archive, without its dependencies, which are there, and without a network."""
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "--no-deps",
             "--no-index", "--no-build-isolation", "--disable-pip-version-check", str(archive)],
            check=True,
        )  # fmt: skip


def linked_environment(folder: Path, without: tuple[str, ...] = ()) -> Environment:
    """A new environment with links to the installed packages of this one, except those that begin with `without`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    environment = Environment(folder)
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith((*_NEVER_LINKED, *without)):
            (environment.packages / entry.name).symlink_to(entry)
    return environment


def built(folder: Path) -> tuple[Path, Path]:
    """Build the wheel and the source archive of this checkout; returns both."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, archive
