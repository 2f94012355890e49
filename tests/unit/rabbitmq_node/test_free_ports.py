"""Free ports on loopback."""

from __future__ import annotations

import socket

from coordinator.rabbitmq_node.free_ports import choose_port, is_free


def test_the_first_preferred_port_that_is_free_is_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        used = listener.getsockname()[1]
        assert not is_free(used)
        free = choose_port([], taken=set())
        assert choose_port([used, None, free], taken=set()) == free


def test_a_port_that_somebody_has_on_every_address_is_not_free() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        assert not is_free(listener.getsockname()[1])


def test_a_port_is_not_chosen_twice() -> None:
    taken: set[int] = set()
    free = choose_port([], taken=set())
    chosen = [choose_port([free], taken=taken) for _ in range(20)]
    assert len(set(chosen)) == 20
