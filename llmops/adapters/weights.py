"""Weights that ship in the package: found, and checked against the SHA-256 in their manifest before they are used."""

import json
from hashlib import file_digest
from importlib.resources import files
from pathlib import Path

from llmops.domain.errors import LlmopsError
from llmops.domain.records import record

MANIFEST = "manifest.json"
REINSTALL = "Install llmops again from where it came: pip install --force-reinstall --no-deps PATH_OF_LLMOPS"


@record
class Weights:
    """One model's folder and what its manifest promises."""

    folder: Path
    name: str
    dimensions: int
    max_tokens: int
    sha256: dict[str, str]
    """Hexadecimal digest by file name; all files of the model."""

    @property
    def identity(self) -> str:
        """Name and the digests of all files, shortened: another weight or vocabulary is another model."""
        digests = ",".join(self.sha256[file][:16] for file in sorted(self.sha256))
        return f"{self.name}@{digests}"

    def checked(self, file: str) -> Path:
        """The path of a file whose content is what the manifest says.

        Raises:
            LlmopsError: the file is missing or was changed.
        """
        path = self.folder / file
        try:
            with path.open("rb") as stream:
                found = file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise LlmopsError(
                f"The embedded model file {str(path)!r} cannot be read: {error.strerror}.", hint=REINSTALL
            ) from error
        expected = self.sha256[file]
        if found != expected:
            message = f"The embedded model file {str(path)!r} was changed: SHA-256 {found[:16]}..., expected {expected[:16]}..."
            raise LlmopsError(message, hint=REINSTALL)
        return path


def packaged(model: str) -> Path:
    """The folder of a model that ships in the package, such as `minilm`."""
    return Path(str(files("llmops") / "data" / model))


def read_weights(folder: Path) -> Weights:
    """The manifest of a folder; the files themselves are checked when they are opened.

    Raises:
        LlmopsError: there is no manifest, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return Weights(folder, manifest["name"], manifest["dimensions"], manifest["max_tokens"], dict(manifest["sha256"]))
    except OSError as error:
        raise LlmopsError(f"No embedded model in {str(folder)!r}: {MANIFEST} cannot be read.", hint=REINSTALL) from error
    except (ValueError, KeyError, TypeError) as error:
        raise LlmopsError(f"{str(path)!r} is damaged: {error}.", hint=REINSTALL) from error
