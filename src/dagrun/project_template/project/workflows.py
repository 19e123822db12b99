"""The Python functions that the DAGs of this project call; `dagrun workflows` lists them."""

import hashlib
import tarfile
from pathlib import Path

from dagrun import workflow


@workflow("verify_archive")
def verify_archive(archive: Path, **upstream: object) -> dict[str, object]:
    """Read an archive completely; return the number of its files and its checksum."""
    with tarfile.open(archive) as packed:
        files = [member.name for member in packed if member.isfile()]
    if not files:
        raise ValueError(f"{archive} has no files")
    return {"files": len(files), "sha256": hashlib.sha256(archive.read_bytes()).hexdigest()}
