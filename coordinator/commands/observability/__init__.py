"""Fits what tells of a service into its processes: a listener for metrics, spans of OpenTelemetry,
findings of the doctor.

metrics_listener ... opens the listener of the metrics, where they have one of their own, and serves
examined_service ... has the service say what `coordinator doctor` says
traced_service ..... has the service make spans, where tracing is configured

None knows another.
"""
