"""Fits what tells of a service into its processes: a listener for metrics, spans of OpenTelemetry.

metrics_listener ... opens the listener of the metrics, where they have one of their own, and serves
traced_service ..... has the service make spans, where tracing is configured

Neither knows the other.
"""
