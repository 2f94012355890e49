"""Serves the API over HTTP: nobody else knows the web server, uvicorn.

server_socket ... binds the socket, or takes that of a parent process, and tells its address
http_server ..... serves the application on it
http_protocol ... reads HTTP/1.1 from a connection: uvicorn's protocol, with its faults mended
metrics_application ... answers nothing but `GET /metrics`, on a socket of its own

`http_server` knows `server_socket` and `http_protocol`.
"""
