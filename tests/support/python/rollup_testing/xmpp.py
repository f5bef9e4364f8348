"""An XMPP client: messages as events, ad-hoc commands with their forms."""

import asyncio
import dataclasses
import threading
import xml.etree.ElementTree as ET

import slixmpp
from slixmpp.exceptions import IqError, IqTimeout

from . import process

NS_COMMANDS = "http://jabber.org/protocol/commands"
NS_DATA = "jabber:x:data"
NS_ITEMS = "http://jabber.org/protocol/disco#items"
NS_INFO = "http://jabber.org/protocol/disco#info"
NS_CORRECT = "urn:xmpp:message-correct:0"
NS_VALIDATE = "http://jabber.org/protocol/xdata-validate"


@dataclasses.dataclass(frozen=True)
class Message:
    id: str
    sender: str
    type: str
    body: str
    replaces: str  # the id of the message that this one corrects, or ""


@dataclasses.dataclass
class Field:
    var: str
    type: str
    label: str
    values: list
    options: list
    datatype: str  # XEP-0122, or ""
    required: bool


@dataclasses.dataclass
class Command:
    """One answer of an ad-hoc command (XEP-0050) with its form (XEP-0004)."""

    status: str
    session: str
    actions: list
    notes: list
    form_type: str
    title: str
    instructions: str
    fields: list
    columns: list
    rows: list

    def field(self, var):
        (found,) = [field for field in self.fields if field.var == var]
        return found

    def column(self, var):
        return [row.get(var, "") for row in self.rows]


class CommandError(Exception):
    """The service answered with a stanza error."""

    def __init__(self, condition, text):
        super().__init__(f"{condition}: {text}")
        self.condition = condition
        self.text = text


def parse_field(element):
    datatype = element.find(f"{{{NS_VALIDATE}}}validate")
    return Field(
        var=element.get("var", ""),
        type=element.get("type", ""),
        label=element.get("label", ""),
        values=[value.text or "" for value in element.findall(f"{{{NS_DATA}}}value")],
        options=[option.findtext(f"{{{NS_DATA}}}value") for option in element.findall(f"{{{NS_DATA}}}option")],
        datatype="" if datatype is None else datatype.get("datatype", ""),
        required=element.find(f"{{{NS_DATA}}}required") is not None,
    )


def parse_command(element):
    data = "{%s}" % NS_DATA
    form = element.find(f"{data}x")
    if form is None:
        form = ET.Element(f"{data}x")
    actions = element.find(f"{{{NS_COMMANDS}}}actions")
    fields = [parse_field(field) for field in form.findall(f"{data}field")]
    reported = form.find(f"{data}reported")
    rows = []
    for item in form.findall(f"{data}item"):
        rows.append({f.var: "\n".join(f.values) for f in map(parse_field, item.findall(f"{data}field"))})
    return Command(
        status=element.get("status", ""),
        session=element.get("sessionid", ""),
        actions=[] if actions is None else [action.tag.split("}")[1] for action in actions],
        notes=[note.text or "" for note in element.findall(f"{{{NS_COMMANDS}}}note")],
        form_type=form.get("type", ""),
        title=form.findtext(f"{data}title", ""),
        instructions="\n".join(text.text or "" for text in form.findall(f"{data}instructions")),
        fields=fields,
        columns=[] if reported is None else [field.get("var") for field in reported.findall(f"{data}field")],
        rows=rows,
    )


class XmppClient:
    """Logs in at once, without TLS: the server is on loopback. slixmpp runs in a thread with its own event loop."""

    def __init__(self, port, jid, password, timeout=process.PATIENCE):
        self.jid = jid
        self.messages = process.Events()
        self._timeout = timeout
        self._logins = process.Events()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(port, password), daemon=True)
        self._thread.start()
        outcome = self._logins.wait_for(lambda _: True, timeout, f"the login of {jid}")
        if outcome != "ok":
            self.close()
            raise AssertionError(f"{jid} cannot log in: {outcome}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _run(self, port, password):
        asyncio.set_event_loop(self._loop)
        client = slixmpp.ClientXMPP(self.jid, password)
        client.loop = self._loop
        self._client = client
        client.auto_authorize = client.auto_subscribe = None
        client["feature_mechanisms"].unencrypted_scram = True
        client.add_event_handler("session_start", self._on_start)
        client.add_event_handler("failed_all_auth", lambda _: self._logins.append("authentication failed"))
        client.add_event_handler("connection_failed", lambda e: self._logins.append(f"no connection: {e}"))
        client.register_handler(
            slixmpp.xmlstream.handler.Callback(
                "every message", slixmpp.xmlstream.matcher.MatchXPath("{jabber:client}message"), self._on_message
            )
        )
        client.connect((process.LOOPBACK, port), use_ssl=False, force_starttls=False, disable_starttls=True)
        self._loop.run_forever()

    def _on_start(self, _event):
        self._client.send_presence()
        self._logins.append("ok")

    def _on_message(self, stanza):
        element = stanza.xml
        replace = element.find(f"{{{NS_CORRECT}}}replace")
        self.messages.append(
            Message(
                id=element.get("id", ""),
                sender=element.get("from", ""),
                type=element.get("type", "normal"),
                body=element.findtext("{jabber:client}body", ""),
                replaces="" if replace is None else replace.get("id", ""),
            )
        )

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(self._timeout + 5)

    async def _ask(self, to, kind, payload):
        iq = self._client.make_iq(ito=to, itype=kind, ifrom=self._client.boundjid)
        iq.append(payload)
        try:
            return (await iq.send(timeout=self._timeout)).xml
        except IqError as error:
            raise CommandError(error.iq["error"]["condition"], error.iq["error"]["text"]) from None
        except IqTimeout:
            raise process.Timeout(f"{to} did not answer within {self._timeout} s") from None

    def wait_for_message(self, wanted=lambda _: True, timeout=process.PATIENCE, what="a message", since=0):
        return self.messages.wait_for(wanted, timeout, what, since)

    def send_message(self, to, body):
        async def send():
            self._client.send_message(mto=to, mbody=body, mtype="chat")

        self._do(send())

    def query(self, to, payload, kind="get"):
        """The answer to an IQ with this child element; a stanza error is raised as CommandError."""
        return self._do(self._ask(to, kind, payload))

    def disco_info(self, to, node=None):
        """(identities as (category, type, name), features)"""
        query = ET.Element(f"{{{NS_INFO}}}query", {} if node is None else {"node": node})
        answer = self.query(to, query).find(f"{{{NS_INFO}}}query")
        identities = [
            (identity.get("category"), identity.get("type"), identity.get("name", ""))
            for identity in answer.findall(f"{{{NS_INFO}}}identity")
        ]
        return identities, [feature.get("var") for feature in answer.findall(f"{{{NS_INFO}}}feature")]

    def disco_items(self, to, node=None):
        """(jid, node, name) of each item"""
        query = ET.Element(f"{{{NS_ITEMS}}}query", {} if node is None else {"node": node})
        answer = self.query(to, query).find(f"{{{NS_ITEMS}}}query")
        return [
            (item.get("jid"), item.get("node", ""), item.get("name", ""))
            for item in answer.findall(f"{{{NS_ITEMS}}}item")
        ]

    def commands(self, to):
        """The nodes of the ad-hoc commands that a service offers."""
        return [node for _, node, _ in self.disco_items(to, NS_COMMANDS)]

    def command(self, to, node, values=None, session="", action=""):
        """One step of an ad-hoc command: without `values` it asks for the form, with them it submits one."""
        element = ET.Element(f"{{{NS_COMMANDS}}}command", {"node": node})
        if action or not session:
            element.set("action", action or "execute")
        if session:
            element.set("sessionid", session)
        if values is not None:
            form = ET.SubElement(element, f"{{{NS_DATA}}}x", {"type": "submit"})
            for var, value in values.items():
                field = ET.SubElement(form, f"{{{NS_DATA}}}field", {"var": var})
                for text in value if isinstance(value, (list, tuple)) else [value]:
                    ET.SubElement(field, f"{{{NS_DATA}}}value").text = str(text)
        answer = self.query(to, element, "set")
        return parse_command(answer.find(f"{{{NS_COMMANDS}}}command"))

    def run_command(self, to, node, values=None):
        """Asks for the form and sends it back with `values`: the result. A command without a form is done at once."""
        first = self.command(to, node)
        if first.status == "completed":
            return first
        return self.command(to, node, values or {}, first.session, "complete")

    def close(self):
        async def leave():
            await self._client.disconnect(wait=1)
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        if self._thread.is_alive():
            try:
                asyncio.run_coroutine_threadsafe(leave(), self._loop).result(5)
            finally:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join(5)
                self._loop.close()
