"""`make lab`: JupyterLab on this project, with warm kernels, the house's theme and the tile "New strategy".

It listens on this machine alone, and asks for the token that it prints.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Timer
from typing import Final

from qgtm.core.errors import QgtmError
from qgtm.export.press import find_root
from qgtm.reporting.forked_kernel import can_fork, warmed

HERE: Final = Path(__file__).with_name("lab")
# Nothing of ours: a kernel that is restarted after an export has to see the new prints.
IMPORTS: Final = ("numpy", "pandas", "holoviews.plotting.mpl")
# Ploomber's put cells into a notebook when it is opened; the classic notebook fills the screen with advice.
NOT_WANTED: Final = ("ploomber", "ploomber_extension", "nbclassic")
CONFIG_PATH: Final = "JUPYTER_CONFIG_PATH"
MERCY_S: Final = 10.0


def main(root: Path, arguments: Sequence[str]) -> int:
    """Run JupyterLab until it ends, and return its exit code; `arguments` are handed on to it."""
    jupyter = str(Path(sys.executable).with_name("jupyter-lab"))
    with warmed(IMPORTS) as address:
        lab = subprocess.Popen(
            [jupyter, *options(root), *arguments], cwd=root, env=environ(os.environ) | address
        )
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # JupyterLab hears it too, and asks before it ends
        signal.signal(signal.SIGTERM, lambda *_: end(lab))
        return lab.wait()


def end(lab: "subprocess.Popen[bytes]", mercy_s: float = MERCY_S) -> None:
    """Ask JupyterLab to end, and kill it if it is still there after `mercy_s` seconds.

    Now and then its server has closed everything and still waits for a thread that waits for work.
    """
    lab.terminate()
    late = Timer(mercy_s, lab.kill)
    late.daemon = True
    late.start()


def options(root: Path) -> list[str]:
    """Return what JupyterLab is told on its command line, which wins over anybody's own configuration."""
    extensions = {"qgtm.workbench.server": True} | dict.fromkeys(NOT_WANTED, False)
    warm = ["--MappingKernelManager.kernel_manager_class=qgtm.workbench.kernel.LabKernel"]
    return [
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.allow_remote_access=False",
        f"--ServerApp.root_dir={root}",
        f"--ServerApp.jpserver_extensions={extensions}",
        f"--LabApp.extra_labextensions_path={HERE / 'labextensions'}",
        "--LabApp.extension_manager=readonly",
        *(warm if can_fork() else []),
    ]


def environ(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment: our configuration first, and that of the person behind it."""
    paths = [str(HERE / "config"), *filter(None, [given.get(CONFIG_PATH)])]
    return {**given, CONFIG_PATH: os.pathsep.join(paths), "PLOOMBER_STATS_ENABLED": "false"}


if __name__ == "__main__":
    try:
        sys.exit(main(find_root(Path.cwd()), sys.argv[1:]))
    except QgtmError as refusal:
        sys.exit(str(refusal))
