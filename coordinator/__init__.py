"""A message-broker based, event-driven coordinator for fleets of agents, on RabbitMQ."""

__all__ = ["__version__"]

__version__ = "0.1.0"
