"""The private ejabberd itself, without the module: what the other tests stand on."""

import os

import pytest
from rollup_testing.mqtt import retained
from rollup_testing.process import LOOPBACK, Service, marked, remove_directory, service_directory
from rollup_testing.xmpp import CommandError


@pytest.fixture(scope="module")
def server(shared_home):
    instance = shared_home.ejabberd().start()
    instance.register("alice", "admin")
    return instance


@pytest.mark.parametrize("end", [lambda service: service.end(timeout=1), Service.kill], ids=["end", "kill"])
def test_a_service_leaves_no_process_behind(end):
    directory = service_directory("leaving")
    try:
        # As programs of an Erlang port are: out of the group of who started them, and deaf to a polite signal.
        # The child says that it is there; its parent may be ahead of it.
        script = "trap '' TERM; setsid sh -c 'echo ready; while :; do sleep 1000; done' & wait; wait"
        service = Service(["sh", "-c", script], {"PATH": os.environ["PATH"]}, directory, os.path.join(directory, "log"))
        service.wait_for_line("^ready$")
        running = marked(directory)
        assert service.pid in running and len(running) >= 2
        end(service)
        assert marked(directory) == [] and not service.is_running()
    finally:
        remove_directory(directory)


def test_listens_on_loopback_only(server):
    wanted = {f"{port:04X}" for port in (server.c2s_port, server.mqtt_port)}
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as file:
            for line in list(file)[1:]:
                local, state = line.split()[1], line.split()[3]
                address, port = local.rsplit(":", 1)
                if state == "0A" and port in wanted:
                    listening.add((address, port))
    assert listening == {("0100007F", port) for port in wanted}
    assert LOOPBACK == "127.0.0.1"


def test_a_retained_message_comes_with_its_properties(server, home):
    publisher = home.mqtt(server, "alice")
    publisher.publish("home/kitchen/temperature", "21.5", retain=True, expiry=3600)
    message = retained(server.mqtt_port, "home/kitchen/temperature", "alice@localhost", "alice")
    assert (message.text, message.qos, message.retain) == ("21.5", 1, True)
    assert 3590 <= message.properties["MessageExpiryInterval"] <= 3600


def test_a_wrong_password_is_refused(server, home):
    client = home.mqtt(server, "nobody")
    assert client.reason != 0


def test_a_message_reaches_another_user(server, home):
    alice = home.xmpp(server, "alice")
    admin = home.xmpp(server, "admin")
    admin.send_message("alice@localhost", "good morning")
    message = alice.wait_for_message(lambda m: m.body == "good morning")
    assert message.sender.startswith("admin@localhost/")
    assert message.type == "chat"


def test_an_ad_hoc_command_is_asked_for_answered_and_filled_in(server, home):
    admin = home.xmpp(server, "admin")
    node = "http://jabber.org/protocol/admin#get-user-lastlogin"
    form = admin.command("localhost", node)
    assert form.status == "executing"
    assert form.field("accountjid").required
    result = admin.command("localhost", node, {"accountjid": "alice@localhost"}, form.session, "complete")
    assert result.status == "completed"
    assert "accountjid" in [field.var for field in result.fields]


def test_an_ad_hoc_command_without_permission_is_an_error(server, home):
    alice = home.xmpp(server, "alice")
    with pytest.raises(CommandError) as refusal:
        alice.command("localhost", "http://jabber.org/protocol/admin#get-user-lastlogin")
    assert refusal.value.condition == "forbidden"


def test_accounts_and_retained_messages_survive_a_restart(home):
    instance = home.ejabberd().start()
    instance.register("alice")
    home.mqtt(instance, "alice").publish("a/b", "1", retain=True)
    instance.stop()
    assert not instance.is_running()
    instance.start()
    assert retained(instance.mqtt_port, "a/b", "alice@localhost", "alice").text == "1"


def test_mosquitto_keeps_retained_messages_over_a_restart(home):
    broker = home.mosquitto()
    home.mqtt(broker).publish("a/b", "1", retain=True)
    broker.stop()
    broker.start()
    assert retained(broker.port, "a/b").text == "1"
