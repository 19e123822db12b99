"""A log behind a masking pipe: no secret gets into it, whichever process writes and however the text is split."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from dagrun.executors.local.masking_pipe import open_masking_pipe
from dagrun.executors.outputs import open_log


def test_the_log_is_masked_and_complete_when_the_process_has_exited(tmp_path: Path) -> None:
    log = open_log(str(tmp_path / "t.log"))
    writer, masker = open_masking_pipe(log, ["hush-hush"])
    os.close(log)
    os.write(writer, b"one hush-")
    subprocess.run(["sh", "-c", "printf 'hush two'"], stdout=writer, check=True)
    os.close(writer)
    os.waitpid(masker, 0)
    assert (tmp_path / "t.log").read_text() == "one *** two"
