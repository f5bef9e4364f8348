"""What the documents quote is what the program and the module say."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def quoted_log_lines():
    """The first column of the table of log lines."""
    text = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    section = text.split("## Log lines\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE)


def template_names(kind):
    """Those beside the captured ones, as the program knows them."""
    text = (ROOT / "c_src" / "engine" / "plan.cc").read_text(encoding="utf-8")
    return re.findall(r'"(\w+)"', re.search(rf"\b{kind} = \{{(.*?)\}};", text, flags=re.DOTALL)[1])


def sources():
    """All that is said, with literals that follow each other joined."""
    files = [*(ROOT / "erl" / "src").glob("*.erl"), *(ROOT / "c_src").rglob("*.cc")]
    return re.sub(r'"\s*"', "", "\n".join(path.read_text(encoding="utf-8") for path in files))


def test_every_log_line_in_the_operations_manual_is_in_the_sources():
    said = sources()
    lines = quoted_log_lines()
    assert len(lines) > 10
    # What stands for something else is an ellipsis.
    missing = [line for line in lines if not all(part in said for part in line.split("…"))]
    assert missing == []


@pytest.mark.parametrize("kind", ["kOutputNames", "kAlertTopicNames", "kMessageNames"])
def test_the_names_that_a_template_takes_are_documented_with_it(kind):
    names = template_names(kind)
    assert "series" in names
    manual = (ROOT / "ejabberd" / "README.md").read_text(encoding="utf-8")
    assert "`" + " ".join(f"{{{name}}}" for name in names) + "`" in manual
    documentation = re.sub(r"\(the condition\)", "", sources().split("\noptions_doc() ->")[1])
    assert re.sub(r"\s+", "", ",".join(f"'{{{name}}}'" for name in names)) in re.sub(r"\s+", "", documentation)
