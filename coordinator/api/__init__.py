"""HTTP: the only package that knows the web framework. `create_app` puts it together."""

from .app import create_app
from .queue_sizes import QueueSizes
from .schedules import run_of
from .services import Services

__all__ = ["QueueSizes", "Services", "create_app", "run_of"]
