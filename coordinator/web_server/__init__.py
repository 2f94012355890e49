"""Serves the API over HTTP: nobody else knows the web server, uvicorn.

server_socket ... binds the socket, or takes that of a parent process, and tells its address
http_server ..... serves the application on it
http_protocol ... reads HTTP/1.1 from a connection: uvicorn's protocol, with its faults mended
traced_application ... puts a span of OpenTelemetry around each request, where that is configured

`http_server` knows the others.
"""
