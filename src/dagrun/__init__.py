"""dagrun: validates, plans and runs workflows written as YAML DAGs. This is its one public face."""

from dagrun.registry import workflow
from dagrun.work import Result, TaskContext

__all__ = ["Result", "TaskContext", "workflow"]
__version__ = "0.1.0"
