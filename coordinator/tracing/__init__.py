"""Makes OpenTelemetry spans of what passes over the broker, where somebody has configured where to send them.

trace_export ........ starts the SDK's exporter; all that needs more than the package `opentelemetry-api`
exporter_log ........ bounds what the exporter logs while the collector is away
span_contexts ....... between a `TraceContext`, which travels, and a context of OpenTelemetry
messaging_spans ..... names and attributes, by the conventions for messaging
publish_spans ....... a span for each task that the service publishes
fold_spans .......... a span for each end of a task that is written to the ledger
log_trace_ids ....... the id of the trace in each line that is logged within a span

The span of an attempt is the agent SDK's: `consumers._handling.attempt_spans`. That of an HTTP request is the
official instrumentation's: `coordinator.web_server.traced_application`. All modules but the first two import
OpenTelemetry, and are themselves imported only where it said that spans are made.
"""
