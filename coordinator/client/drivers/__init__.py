"""Runs programs over httpx: one driver blocks, the other awaits. Nothing is decided here.

blocking_driver .. over `httpx.Client`
async_driver ..... over `httpx.AsyncClient`
program_run ...... a program, with what came of its last step
http_failures .... what httpx raises, as an error of the tree
connection_options what both clients of httpx are made with
client_options ... where the service is, with which key and which TLS, checked
presented_key .... the key: from an argument, or the environment
"""
