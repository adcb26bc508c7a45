"""What only ZeroMQ does: keys, roles, addresses; and that it lets nobody else in."""

import asyncio
import dataclasses
import stat
import subprocess
import sys
import textwrap

import pytest
import zmq

from pxshell.errors import AuthenticationError, LaunchError, LinkLostError
from pxshell.protocol.message import Message
from pxshell.protocol.types import Lane, Role
from pxshell.transport.base import make_hello
from pxshell.transport.keys import KeyPair, make_keys
from pxshell.transport.zeromq import ZmqConnector, ZmqServer


def connect(driver, recorder, role, **changes):
    made = recorder()
    options = {
        "addresses": driver.server.addresses,
        "server_public": driver.server_keys.public,
        "public": driver.keys.public,
        "secret": driver.keys.secret,
        "settings": driver.settings,
    }
    connector = ZmqConnector(driver.loop, made, make_hello(role), **(options | changes))
    driver._closing.append(connector)
    return connector, made


def test_a_wrong_server_key_is_an_authentication_error(zmq_tcp, recorder):
    """P9: a server that is another one than the file says learns nothing."""
    zmq_tcp.start_server()
    _, made = connect(zmq_tcp, recorder, Role.NODE, server_public=make_keys().public, keep=True)
    zmq_tcp.until(lambda: made.error, "it has failed")
    assert isinstance(made.error, AuthenticationError)
    assert made.events == ["failed"]
    assert zmq_tcp.above.events == []


def test_an_unknown_key_is_an_authentication_error(zmq_tcp, recorder):
    """P9."""
    zmq_tcp.start_server()
    keys = make_keys()
    _, made = connect(zmq_tcp, recorder, Role.NODE, public=keys.public, secret=keys.secret, keep=True)
    zmq_tcp.until(lambda: made.error, "it has failed")
    assert isinstance(made.error, AuthenticationError)
    assert zmq_tcp.above.events == []


def test_a_key_proves_its_role_and_no_other(zmq_tcp, recorder):
    """P9: an observer that says it is an operator."""
    zmq_tcp.role = Role.OBSERVER
    zmq_tcp.start_server()
    _, made = connect(zmq_tcp, recorder, Role.OPERATOR)
    zmq_tcp.until(lambda: made.error, "it is refused")
    assert isinstance(made.error, AuthenticationError)
    assert "does not allow the role 'operator'" in str(made.error)
    assert zmq_tcp.above.events == []


def test_an_observer_cannot_run_a_cell_and_may_ask_for_stacks(zmq_tcp):
    """P9."""
    zmq_tcp.role = Role.OBSERVER
    zmq_tcp.start()
    zmq_tcp.up("execute_request", "r1")
    zmq_tcp.up("px_stacks_request", "r2")
    zmq_tcp.until(lambda: zmq_tcp.below.messages and zmq_tcp.above.messages, "both are answered")
    assert [message.id for message in zmq_tcp.above.messages] == ["r2"]
    why = zmq_tcp.below.messages[0].data()["why"]
    assert why == "observers may not send execute_request; connect with the operator's connection file"


def test_an_id_cannot_be_taken_over_with_another_roles_key(zmq_tcp, recorder):
    """P9."""
    zmq_tcp.role = Role.OPERATOR
    zmq_tcp.start()
    observer = make_keys()
    zmq_tcp.authorized[observer.public] = Role.OBSERVER
    made = recorder()
    hello = make_hello(Role.OBSERVER, id=zmq_tcp.above.peer.id)
    zmq_tcp._closing.append(
        ZmqConnector(
            zmq_tcp.loop,
            made,
            hello,
            addresses=zmq_tcp.server.addresses,
            server_public=zmq_tcp.server_keys.public,
            public=observer.public,
            secret=observer.secret,
        )
    )
    zmq_tcp.until(lambda: made.error, "it is refused")
    assert "belongs to somebody else" in str(made.error)
    assert zmq_tcp.above.events == ["hello", "joined"]


@pytest.mark.parametrize("mechanism", ["null", "plain"])
def test_a_socket_without_curve_gets_nothing(zmq_tcp, mechanism):
    """P9."""
    zmq_tcp.start_server()
    context = zmq.Context()
    sock = context.socket(zmq.DEALER)
    if mechanism == "plain":
        sock.plain_username, sock.plain_password = b"me", b"x"
    watch = sock.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
    sock.connect(zmq_tcp.server.addresses["work"][0])
    sock.send(b"hello")
    zmq_tcp.until(lambda: watch.poll(1), "it is turned away")
    sock.disable_monitor()
    watch.close(0)
    sock.close(0)
    context.term()
    assert not zmq_tcp.server._strangers
    assert zmq_tcp.above.events == []


def test_a_known_key_delivers_nothing_before_its_hello(zmq_tcp):
    """P9: it is told to say hello again."""
    from pxshell.protocol.prefix import Kind, Prefix

    zmq_tcp.start_server()
    context = zmq.Context()
    sock = context.socket(zmq.DEALER)
    sock.curve_serverkey = zmq_tcp.server_keys.public.encode()
    sock.curve_publickey, sock.curve_secretkey = (key.encode() for key in zmq_tcp.keys)
    sock.connect(zmq_tcp.server.addresses["work"][0])
    sock.send_multipart([Prefix(Kind.DATA, number=1).pack(), *Message.make("stream", "1").to_frames()])
    zmq_tcp.until(lambda: sock.poll(1), "it is answered")
    assert Prefix.unpack(sock.recv()).kind is Kind.AGAIN
    sock.close(0)
    context.term()
    assert zmq_tcp.above.events == []


def test_random_frames_of_a_known_key_end_its_connection_and_nothing_else(zmq_tcp, recorder):
    zmq_tcp.start()
    connector, made = connect(zmq_tcp, recorder, Role.NODE)
    zmq_tcp.until(lambda: made.events == ["joined"], "a second one has joined")
    wire = connector._attempts[Lane.WORK].wire
    wire.write([b"nonsense", b"more"])
    zmq_tcp.until(lambda: "left" in zmq_tcp.above.events, "it is put out")
    assert "broke the protocol" in zmq_tcp.above.why_left
    zmq_tcp.above.peer = next(iter(zmq_tcp.server.peers))
    zmq_tcp.up("stream", 1)
    zmq_tcp.until(lambda: zmq_tcp.above.messages, "the other one goes on")


def test_without_addresses_only_this_machine_can_connect(zmq_tcp):
    """P9."""
    zmq_tcp.start_server()
    for addresses in zmq_tcp.server.addresses.values():
        (address,) = addresses
        assert address.startswith("tcp://127.0.0.1:")
        assert not address.endswith((":*", ":0"))


def test_a_unix_path_is_locked_private_and_removed(zmq_ipc, directory):
    zmq_ipc.start_server()
    assert stat.S_IMODE((directory / "w").stat().st_mode) == 0o600
    with pytest.raises(LaunchError, match="another process listens there"):
        zmq_ipc.make_server_again()
    zmq_ipc.server.close()
    assert list(directory.iterdir()) == []


def test_an_address_that_cannot_be_bound_is_a_launch_error(zmq_tcp):
    """P10."""
    zmq_tcp.start_server()
    zmq_tcp.addresses = zmq_tcp.server.addresses
    with pytest.raises(LaunchError, match="cannot listen at tcp://127"):
        zmq_tcp.make_server_again()


def test_a_port_of_ipv6_can_be_given(zmq_tcp):
    zmq_tcp.addresses = {"work": ["tcp://[::1]:*"], "control": ["tcp://[::1]:*"]}
    try:
        zmq_tcp.start()
    except LaunchError as error:
        pytest.skip(f"no IPv6 here: {error}")
    zmq_tcp.up("stream", 1)
    zmq_tcp.until(lambda: zmq_tcp.above.messages, "it has arrived")


def test_addresses_are_tried_in_turn(zmq_tcp, recorder, directory):
    zmq_tcp.start_server()
    dead = f"ipc://{directory}/nobody"
    addresses = {lane: [dead, *there] for lane, there in zmq_tcp.server.addresses.items()}
    _, made = connect(zmq_tcp, recorder, Role.NODE, addresses=addresses)
    zmq_tcp.until(lambda: made.events == ["joined"], "the second address is the one")


def test_when_no_address_answers_that_is_one_error(zmq_tcp, recorder, directory):
    zmq_tcp.start_server()
    addresses = {lane: [f"ipc://{directory}/a", f"ipc://{directory}/b"] for lane in ("work", "control")}
    _, made = connect(zmq_tcp, recorder, Role.NODE, addresses=addresses)
    zmq_tcp.until(lambda: made.error, "it has failed")
    assert isinstance(made.error, LinkLostError)


def test_a_restarted_server_is_joined_anew_with_the_same_keys(zmq_ipc):
    """P8."""
    zmq_ipc.start(keep=True)
    for router in zmq_ipc.server._routers.values():
        router._reader.socket.linger = 0
    zmq_ipc.server._sessions.clear()  # it dies without a word
    zmq_ipc.server.close()
    zmq_ipc.until(lambda: "silent" in zmq_ipc.below.events, "the connector has noticed", [zmq_ipc.loop])
    zmq_ipc.up("stream", "meanwhile")
    zmq_ipc.server = zmq_ipc.make_server_again()
    zmq_ipc._closing.append(zmq_ipc.server)
    zmq_ipc.until(lambda: zmq_ipc.above.messages, "what was said meanwhile has arrived")
    assert zmq_ipc.below.events == ["joined", "silent", "left", "joined"]


def test_a_killed_client_is_known_to_be_gone(zmq_tcp, recorder):
    """P3: by its connection, long before any heartbeat."""
    zmq_tcp.settings = dataclasses.replace(zmq_tcp.settings, ping_interval=60.0)
    zmq_tcp.start_server()
    script = textwrap.dedent("""
        import sys
        from pxshell.protocol.types import Role
        from pxshell.transport.base import make_hello
        from pxshell.transport.loop import SelectLoop
        from pxshell.transport.zeromq import ZmqConnector

        class Handler:
            def peer_joined(self, peer):
                connector.send(Message.make("stream", "last words"))

        from pxshell.protocol.message import Message
        work, control, server, public, secret = sys.argv[1:]
        loop = SelectLoop()
        addresses = {"work": [work], "control": [control]}
        connector = ZmqConnector(loop, Handler(), make_hello(Role.NODE), addresses=addresses, server_public=server,
            public=public, secret=secret)
        loop.run()
    """)
    addresses = zmq_tcp.server.addresses
    argv = [*addresses["work"], *addresses["control"], zmq_tcp.server_keys.public, *zmq_tcp.keys]
    with subprocess.Popen([sys.executable, "-c", script, *argv]) as process:
        zmq_tcp.until(lambda: zmq_tcp.above.messages, "it has spoken")
        process.kill()
        zmq_tcp.until(lambda: "left" in zmq_tcp.above.events, "it is known to be gone")
    assert zmq_tcp.above.why_left == "the connection was closed"


def test_closing_everything_at_any_moment_does_not_hang(zmq_tcp, recorder):
    """Closing a connector while its server closes, before the hello, after it, with messages under way."""
    for steps in range(12):
        server = zmq_tcp.make_server()
        zmq_tcp.server = server
        connector, _ = connect(zmq_tcp, recorder, Role.NODE)
        connector.send(Message.make("stream", "1"))
        for _ in range(steps):
            zmq_tcp.step()
        first, second = (server, connector) if steps % 2 else (connector, server)
        first.close()
        second.close()
        assert connector.error is None


def test_closing_twice_does_nothing(zmq_tcp):
    zmq_tcp.start()
    for thing in (zmq_tcp.connector, zmq_tcp.server):
        thing.close()
        thing.close()


def test_both_ends_work_on_asyncio(zmq_tcp, recorder):
    """Controller and client: the loops that are really used."""

    async def talk():
        loop = asyncio.get_running_loop()
        keys, client = make_keys(), make_keys()
        above, below = recorder(), recorder()
        server = ZmqServer(
            loop, above, public=keys.public, secret=keys.secret, authorized={client.public: Role.OPERATOR}
        )
        connector = ZmqConnector(
            loop,
            below,
            make_hello(Role.OPERATOR),
            addresses=server.addresses,
            server_public=keys.public,
            public=client.public,
            secret=client.secret,
        )
        for number in range(1000):
            assert connector.send(Message.make("execute_request", str(number)))
        async with asyncio.timeout(30):
            while len(above.messages) < 1000:
                await asyncio.sleep(0)
        closed = loop.create_future()
        connector.close(linger=5.0, done=lambda: closed.set_result(None))
        await closed
        server.close()
        return above.ids(Lane.WORK)

    assert asyncio.run(talk()) == [str(number) for number in range(1000)]


def test_a_secret_key_is_not_shown():
    """P9: keys reach no log."""
    keys = make_keys()
    assert keys.secret not in repr(keys)
    assert keys.public in repr(keys)
    assert len(keys.public) == 40
    assert isinstance(keys, KeyPair)
