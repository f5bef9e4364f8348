"""A small simulated home that publishes over MQTT, once a second and device."""

import json
import math
import random
import threading
import time

GARAGE_SPEAKS = 15  # seconds, then it goes silent
FRIDGE_CYCLE = 60  # seconds from one open door to the next
FRIDGE_OPENS, FRIDGE_CLOSES = 6, 14

# What happens, and in which second, for whoever looks on.
STORY = [
    (3, "The firmware of the hall's thermometer sends garbage in every third message, and goes on with it."),
    (FRIDGE_OPENS, "Somebody leaves the fridge's door open."),
    (FRIDGE_CLOSES, "The fridge's door is closed."),
    (GARAGE_SPEAKS, "The battery of the garage's thermometer is empty: it is silent from now on."),
]

GARBAGE = ["ERR", "", "nan", "\u0000\u0000", '{"temperature":', '{"temperature": "warm"}', "{" * 100, '{"temperature": 900}']


class Room:
    """A thermometer with JSON as zigbee2mqtt sends it."""

    def __init__(self, name, temperature, humidity, chance):
        self.topic = f"zigbee2mqtt/{name}"
        self._temperature = temperature
        self._humidity = humidity
        self._chance = chance

    def payload(self, second):
        wave = math.sin(second / 9 + self._temperature)
        temperature = self._temperature + 1.5 * wave + self._chance.gauss(0, 0.05)
        return json.dumps(
            {
                "temperature": round(temperature, 1),
                "humidity": round(self._humidity - 4 * wave),
                "linkquality": self._chance.randrange(60, 180),
            }
        )


class Garage(Room):
    """Its battery ends soon."""

    def payload(self, second):
        return super().payload(second) if second < GARAGE_SPEAKS else None


class Hall(Room):
    """Its firmware sends garbage in every third message."""

    def payload(self, second):
        return super().payload(second) if second % 3 else GARBAGE[second // 3 % len(GARBAGE)]


class Fridge:
    """Plain text; somebody leaves the door open for a while."""

    topic = "home/kitchen/fridge"

    def __init__(self, chance):
        self._temperature = 5.0
        self._chance = chance

    def payload(self, second):
        is_open = FRIDGE_OPENS <= second % FRIDGE_CYCLE < FRIDGE_CLOSES
        self._temperature += ((13.0 if is_open else 5.0) - self._temperature) * 0.35
        return f"{self._temperature + self._chance.gauss(0, 0.05):.1f} °C"


class Home:
    """Publishes with the given client in a thread until it is stopped."""

    def __init__(self, client, seed=1):
        chance = random.Random(seed)
        self._client = client
        self._devices = [
            Room("living-room", 21.5, 43, chance),
            Room("bedroom", 18.0, 50, chance),
            Garage("garage", 9.0, 70, chance),
            Hall("hall", 19.0, 48, chance),
            Fridge(chance),
        ]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join()

    def _run(self):
        begin = time.monotonic()
        second = 0
        while not self._stop.wait(max(0.0, begin + second - time.monotonic())):
            for device in self._devices:
                payload = device.payload(second)
                if payload is not None:
                    self._client.publish(device.topic, payload, wait=False)
            second += 1
