"""Runs a private RabbitMQ node: the real server, with a name, ports, users and data of its own, on loopback
only.

embedded_node ........ starts the node, keeps it running, stops it
node_process ......... its processes, from one start to the end
docker_server ........ runs the server in a container, where none is installed
installed_server ..... finds the installed server, and runs it
server_launch ........ the port of the two: a command and its environment
node_files ........... its folder: identity, configuration, data, lock
node_configuration ... its rabbitmq.conf and environment
node_identity ........ its user, password and ports
free_ports ........... chooses TCP ports that are free
readiness_probe ...... asks whether it is ready, and reads why it is not
child_process ........ starts processes that do not outlive this one

Arrows run down this list. Nothing here speaks AMQP but the probe, which reads a greeting.
"""
