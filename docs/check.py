"""Check the documentation: links lead somewhere, Python examples can be read, each error has its section.

    python docs/check.py [ROOT]

Prints one line for each finding and ends with status 1 if there are any.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
SLUG = re.compile(r"""^    slug(?:: [\w\[\]]+)? = ["']([\w-]+)["']""", re.MULTILINE)


def main(arguments: list[str]) -> int:
    """Check the documents of the repository at the root that is given, by default this one."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1]
    findings = [
        f"{document.relative_to(root)}: {finding}"
        for document in documents(root)
        for check in (broken_links, unreadable_python)
        for finding in check(document)
    ]
    findings += unmatched_errors(root)
    print("\n".join(findings) or "docs: no findings")
    return 1 if findings else 0


def documents(root: Path) -> list[Path]:
    """Return README, CHANGELOG and the like, and all below docs/ and examples/."""
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("examples/**/*.md")])


def broken_links(document: Path) -> Iterator[str]:
    """Yield relative links to files or headings that are not there."""
    for target in LINK.findall(without_fences(document.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        if not path.exists():
            yield f"no file {target}"
        elif anchor and path.suffix == ".md" and anchor not in anchors(path):
            yield f"no heading {target}"


def without_fences(text: str) -> str:
    """Return the text without its code blocks and comments."""
    return COMMENT.sub("", FENCE.sub("", text))


def anchors(document: Path) -> set[str]:
    """Return the names of a document's headings as links write them."""
    headings = HEADING.findall(without_fences(document.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def unreadable_python(document: Path) -> Iterator[str]:
    """Yield the code blocks marked as Python that Python cannot parse."""
    for language, code in FENCE.findall(document.read_text()):
        if language == "python":
            try:
                ast.parse(code)
            except SyntaxError as error:
                yield f"no Python: {code.splitlines()[(error.lineno or 1) - 1].strip()!r} ({error.msg})"


def unmatched_errors(root: Path) -> list[str]:
    """Return errors without a section in docs/messages.md, and sections without an error."""
    slugs = set(SLUG.findall((root / "pxshell" / "errors.py").read_text()))
    sections = {
        heading for heading in HEADING.findall((root / "docs" / "messages.md").read_text()) if heading != "Messages"
    }
    return [
        *(f"docs/messages.md: no section for {slug}" for slug in sorted(slugs - sections)),
        *(f"docs/messages.md: no error has the slug {section}" for section in sorted(sections - slugs)),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
