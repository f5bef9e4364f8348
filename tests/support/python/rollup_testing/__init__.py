"""Private servers and clients for the end-to-end tests and the demo: everything on 127.0.0.1, in temporary directories."""

from .ejabberd import Ejabberd
from .mosquitto import Mosquitto
from .mqtt import MqttClient
from .xmpp import Command, XmppClient

__all__ = ["Command", "Ejabberd", "Mosquitto", "MqttClient", "XmppClient"]
