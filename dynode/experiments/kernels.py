"""The kernel of a notebook: this environment's own Python, whatever kernels and settings are installed for the user."""

import contextlib
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError

from dynode.errors import UserError
from dynode.experiments import children
from dynode.io import scratch
from dynode.reporting import paths
from dynode.runtime import ROOT

NAME = "python3"  # that of the notebooks' metadata
LOG = "kernel.log"  # what the process itself prints, not its cells
PATIENCE = 3.0  # seconds to end after the last cell
OPTIONS = (
    "--InteractiveShellApp.ignore_cwd=True",  # no module is imported from the folder where the command was typed
    "--InteractiveShellApp.exec_PYTHONSTARTUP=False",
    "--HistoryManager.enabled=False",  # its database locks up on network file systems
)


@contextlib.contextmanager
def own() -> Iterator[tuple[type[AsyncKernelManager], Path, "Printed"]]:
    """Yields the class by which nbclient starts the kernel of a notebook, a folder for its time, and its cells' stderr.

    Afterwards no process of it is left, and no folder.

    Raises UserError where no temporary file can be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(scratch.folder(Path(tempfile.gettempdir()), "kernel"))
        except OSError as error:
            raise UserError(
                f"A folder for temporary files could not be made ({error.strerror}): name one that can be written in TMPDIR."
            ) from None
        started: list[AsyncKernelManager] = []
        printed = Printed()

        class Own(AsyncKernelManager):
            """Starts this Python with this process's modules, in a folder of its own, reached by sockets in it."""

            def __init__(self, **options: Any):
                address = {"transport": "ipc", "ip": f"{folder}/kernel"} if sockets_in(folder) else {}
                super().__init__(**options | address, connection_file=f"{folder}/kernel.json")
                self.shutdown_wait_time = PATIENCE
                started.append(self)

            @property
            def kernel_spec(self) -> KernelSpec:
                return specification()

            async def shutdown_kernel(self, *options: Any, **named: Any) -> None:
                printed.ended = True
                await super().shutdown_kernel(*options, **named)

            async def start_kernel(self, **options: Any) -> None:
                with open(folder / LOG, "wb") as log:
                    await super().start_kernel(**options, env=environment(folder), stderr=log)

        try:
            yield Own, folder, printed
        finally:
            end(started)


class Printed:
    """This process's stderr for what cells print there, until their kernel is ended.

    A cell that a signal stops, while it imports a module for example, prints tracebacks that say nothing.
    """

    ended = False

    def write(self, text: str) -> None:
        if not self.ended:
            sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def specification() -> KernelSpec:
    """What is otherwise read from a file that any tool may have overwritten."""
    command = children.python("from dynode.experiments.kernels import main; main()")
    here = {"kernel_provisioner": {"provisioner_name": "local-provisioner"}}
    return KernelSpec(argv=[*command, "-f", "{connection_file}", *OPTIONS], language="python", metadata=here)


def environment(folder: Path) -> dict[str, str]:
    """The variables of a kernel whose settings lie in `folder`: none that change how IPython or matplotlib behave."""
    own = {
        children.PARENT: str(os.getpid()),
        "IPYTHONDIR": str(folder / "ipython"),
        **{f"JUPYTER_{each}_DIR": str(folder / "jupyter") for each in ("CONFIG", "DATA", "RUNTIME")},
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        **paths.absolute_variables(),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),  # for its children
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "ignore:IProgress not found"),  # bars here are plain text
    }
    return os.environ | own


def sockets_in(folder: Path) -> bool:
    """Whether sockets can be made in a folder: not where its path is long, on some network disks, and on Windows.

    They are better than ports, of which another user's kernel may take one at the same moment.
    """
    if not hasattr(socket, "AF_UNIX"):
        return False
    longest = folder / "kernel-12345"
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.bind(str(longest))
        except OSError:
            return False
    longest.unlink()
    return True


def end(started: list[AsyncKernelManager]) -> None:
    """End what is left of kernels: interrupt the cell, which then removes its temporary files, and kill."""
    logging.getLogger("asyncio").addFilter(is_news)
    for manager in started:
        child = getattr(manager.provisioner, "process", None)
        if child is not None:
            with contextlib.suppress(ProcessLookupError, AttributeError):
                os.killpg(child.pid, signal.SIGINT)
            with contextlib.suppress(Exception):
                child.wait(PATIENCE / 2)
            children.kill_session(child)
            child.wait()


def is_news(record: logging.LogRecord) -> bool:
    """Whether asyncio's log line is about anything but a cell whose kernel died: nobody waits for it after a signal."""
    return not (record.exc_info and isinstance(record.exc_info[1], DeadKernelError))


class Kernel(IPKernelApp):
    """IPython's kernel without the settings of the user and of the machine, which are for other notebooks."""

    def load_config_file(self, *_: Any, **__: Any) -> None:
        pass

    def init_poller(self) -> None:  # `children.end_with_parent` does more
        pass


def main() -> None:
    """Be a kernel, in a process of its own."""
    import matplotlib

    children.end_with_parent()
    matplotlib.rcdefaults()  # of the user's matplotlibrc nothing is left
    kernel = Kernel.instance()
    kernel.initialize()
    kernel.start()
