"""HTTP: the only package that knows the web framework. `create_app` puts it together."""

from coordinator.api.wire.schedules import run_of
from coordinator.registry.queries.queue_sizes import QueueSizes

from .app import create_app
from .endpoint_services import EndpointServices

__all__ = ["EndpointServices", "QueueSizes", "create_app", "run_of"]
