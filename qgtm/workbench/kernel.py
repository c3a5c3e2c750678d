"""JupyterLab's kernels, forked off a warm process, so that a notebook answers as soon as it is opened."""

from jupyter_server.services.kernels.kernelmanager import ServerKernelManager

from qgtm.reporting.forked_kernel import ForkManager


class LabKernel(ForkManager, ServerKernelManager):
    """A forked kernel with what the Jupyter server asks of one."""
