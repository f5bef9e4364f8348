"""What the documents promise is what the program takes: it is asked, not its sources."""

import pathlib
import re

import pytest
from rollup_testing import program as terms_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOBODY = "{zzzzzzzzzzzzzzzz}"


@pytest.mark.parametrize(
    "stream, alert",
    [
        ({"publish": [terms_of.output(NOBODY)]}, {}),
        ({}, {"topic": NOBODY}),
        ({}, {"message": NOBODY}),
    ],
    ids=["output topic", "alert topic", "alert message"],
)
def test_the_names_that_a_template_takes_are_documented(start, broker, stream, alert):
    program = start()
    program.hello()
    # Without a capture, so that only the template's own names are left.
    rules = terms_of.rules(
        [("t", terms_of.stream("plain", **stream))], [("a", terms_of.alert("t", "value > 1", **alert))]
    )
    ((_code, _place, message),) = program.check(rules, [terms_of.broker(broker.port)])
    names = re.search(r"expected one of ((?:\{\w+\} ?)+)", message)[1].strip()
    assert "{series}" in names
    assert f"`{names}`" in (ROOT / "ejabberd" / "README.md").read_text(encoding="utf-8")
