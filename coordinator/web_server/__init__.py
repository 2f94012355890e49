"""Serves the API over HTTP: nobody else knows the web server, uvicorn.

server_socket ......... binds the socket, or takes that of a parent process, and tells its address
service_manager ....... takes the socket that systemd passes, tells it when the service is ready
server_options ........ how it is served, as the settings have it
tls_files ............. certificate, key and client CA, read again when they are replaced
http_server ........... serves the application on the socket
traced_application .... puts a span of OpenTelemetry around each request, where that is configured
metrics_application ... answers nothing but `GET /metrics`, on a socket of its own
http_protocol ......... reads HTTP/1.1 from a connection: uvicorn's protocol, with its faults mended
websocket_protocol .... speaks WebSocket where a request asked for it: uvicorn's protocol, bounded
unframed_answer ....... answers clients of HTTP/1.0, which know no chunks
unread_answer ......... knows for how long a client takes nothing
overdue_connections ... ends connections whose clients are late
request_target ........ reads a target that names a host: it counts in the place of the header
connection_draining ... ends connections with an answer, before the server ends
connection_bounds ..... how large a head may be, how late a client, how many connections there may be

`http_server` knows the others, `http_protocol` that of WebSocket and the target, and both the bounds.
"""
