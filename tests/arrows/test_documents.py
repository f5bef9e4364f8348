"""What the documents quote is what the program and the module say."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def quoted_log_lines():
    """The first column of the table of log lines."""
    text = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    section = text.split("## Log lines\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE)


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
