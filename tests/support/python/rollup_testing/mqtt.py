"""An MQTT 5 client with everything it received in sight."""

import dataclasses
import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from . import process


@dataclasses.dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: dict

    @property
    def text(self):
        return self.payload.decode("utf-8")


class MqttClient:
    """Connects at once. The callbacks run in a thread of their own; every method here waits for its answer."""

    def __init__(self, port, username=None, password=None, client_id="", timeout=process.PATIENCE):
        self.messages = process.Events()
        self.disconnects = process.Events()
        self._timeout = timeout
        self._connected = process.Events()
        self._acknowledged = process.Events()
        self._lock = threading.Lock()
        self._client = paho.Client(client_id=client_id, protocol=paho.MQTTv5)
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.max_queued_messages_set(0)
        self._client.on_connect = lambda _c, _u, _f, code, _p=None: self._connected.append(code)
        self._client.on_disconnect = lambda _c, _u, code, _p=None: self.disconnects.append(code)
        self._client.on_subscribe = lambda _c, _u, mid, codes, _p=None: self._acknowledged.append((mid, codes))
        self._client.on_message = self._on_message
        self._client.connect(process.LOOPBACK, port, keepalive=30)
        self._client.loop_start()
        self.reason = self._connected.wait_for(lambda _: True, timeout, "the broker's CONNACK")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _on_message(self, _client, _user_data, message):
        properties = {name: value for name, value in vars(message.properties).items() if not name.startswith("_")}
        for name in ("names", "packetType", "types", "properties"):
            properties.pop(name, None)
        self.messages.append(
            Message(message.topic, bytes(message.payload), message.qos, bool(message.retain), properties)
        )

    def subscribe(self, topic_filter, qos=1, retain_handling=0, retain_as_published=True):
        """The reason code of the SUBACK (0 to 2: granted)."""
        options = SubscribeOptions(
            qos=qos, retainAsPublished=retain_as_published, retainHandling=retain_handling
        )
        with self._lock:
            result, mid = self._client.subscribe([(topic_filter, options)])
        assert result == paho.MQTT_ERR_SUCCESS, f"subscribe {topic_filter}: {paho.error_string(result)}"
        _, codes = self._acknowledged.wait_for(
            lambda answer: answer[0] == mid, self._timeout, f"the SUBACK for {topic_filter}"
        )
        return codes[0].value

    def publish(self, topic, payload, qos=1, retain=False, expiry=None, wait=True):
        """Returns when the broker has taken it (QoS 1), or at once without `wait`."""
        properties = None
        if expiry is not None:
            properties = Properties(PacketTypes.PUBLISH)
            properties.MessageExpiryInterval = expiry
        sent = self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        if wait:
            sent.wait_for_publish(self._timeout)
            assert sent.is_published(), f"the broker did not take a message on {topic}"
        return sent

    def wait_for(self, wanted, timeout=process.PATIENCE, what="a message", since=0):
        return self.messages.wait_for(wanted, timeout, what, since)

    def wait_for_topic(self, topic, timeout=process.PATIENCE, since=0):
        return self.wait_for(lambda message: message.topic == topic, timeout, f"a message on {topic}", since)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


def retained(port, topic, username=None, password=None, timeout=process.PATIENCE):
    """What a client that comes now finds on the topic: waits for the retained message."""
    with MqttClient(port, username, password) as client:
        code = client.subscribe(topic)
        assert code <= 2, f"subscribe {topic} was refused with {code}"
        return client.wait_for(lambda message: message.retain, timeout, f"a retained message on {topic}")
