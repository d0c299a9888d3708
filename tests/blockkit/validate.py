"""Checks Slack messages with the models of Slack's own Python SDK (PyPI: slack_sdk).

    python tests/blockkit/validate.py MESSAGES.jsonl

Each line is {"kind": "message", "text": ..., "blocks": [...] or null} or {"kind": "view", "view": {...}}. It passes
if the SDK accepts every block, writes back all that was in it, and the limits hold that Slack documents and the SDK
leaves unchecked.
"""

import json
import sys
from collections import Counter

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

MAX_BLOCKS = 50  # https://docs.slack.dev/reference/block-kit/blocks
MAX_FIELD = 2000  # https://docs.slack.dev/reference/block-kit/blocks/section-block
MAX_VIEW_TITLE = 24  # https://docs.slack.dev/reference/views/modal-views
MAX_VIEW_BLOCKS = 100
MAX_PRIVATE_METADATA = 3000
MAX_TEXT = 40_000  # https://docs.slack.dev/reference/methods/chat.postMessage


def lost(sent, kept, at):
    """Yields what of `sent` is missing or different in `kept`."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        for key, value in sent.items():
            if key in kept:
                yield from lost(value, kept[key], f"{at}.{key}")
            else:
                yield f"{at}.{key} is not known to the SDK, or empty"
    elif isinstance(sent, list) and isinstance(kept, list):
        if len(sent) != len(kept):
            yield f"{at}: {len(sent)} items became {len(kept)}"
        for index, (one, other) in enumerate(zip(sent, kept)):
            yield from lost(one, other, f"{at}[{index}]")
    elif type(sent) is not type(kept) or sent != kept:
        yield f"{at}: {sent!r} became {kept!r}"


def repeated(ids):
    """The ids that occur more than once."""
    return [name for name, times in Counter(i for i in ids if i is not None).items() if times > 1]


def marked_up(block, at):
    """Yields what stands as mrkdwn where Slack takes plain_text alone."""
    plain = [(f"{at}.text", block.get("text"))] if block["type"] == "header" else []
    elements = [(f"{at}.accessory", block.get("accessory"))]
    elements += [(f"{at}.elements[{index}]", element) for index, element in enumerate(block.get("elements") or [])]
    for place, element in elements:
        if element and element.get("type") == "button":
            plain.append((f"{place}.text", element.get("text")))
            if confirm := element.get("confirm"):
                plain += [(f"{place}.confirm.{key}", confirm.get(key)) for key in ("title", "confirm", "deny")]
    for place, text in plain:
        if not isinstance(text, dict) or text.get("type") != "plain_text":
            yield f"{place} is not a plain_text object"


def block_problems(block, at):
    """Yields what is wrong with one block."""
    try:
        parsed = Block.parse(block)
        if parsed is None:
            yield f"{at}: the SDK knows no such block"
            return
        kept = parsed.to_dict()
    except SlackObjectFormationError as error:
        yield f"{at}: {error}"
        return
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        yield f"{at}: the SDK cannot read it: {type(error).__name__}: {error}"
        return
    yield from lost(block, kept, at)
    for index, field in enumerate(block.get("fields") or []):
        if len(field["text"]) > MAX_FIELD:
            yield f"{at}.fields[{index}] has more than {MAX_FIELD} characters"
    yield from marked_up(block, at)
    for name in repeated(element.get("action_id") for element in block.get("elements") or []):
        yield f"{at}: the action_id {name!r} occurs more than once"


def view_problems(view):
    """Yields what is wrong with one modal."""
    if not isinstance(view, dict) or view.get("type") != "modal":
        yield "not a modal"
        return
    for name in ("title", "submit", "close"):
        text = view.get(name)
        if text is None and name != "title":
            continue
        if not isinstance(text, dict) or text.get("type") != "plain_text":
            yield f"{name} is not a plain_text object"
        elif not 1 <= len(text["text"]) <= MAX_VIEW_TITLE:
            yield f"{name} has not 1 to {MAX_VIEW_TITLE} characters"
    if len(view.get("private_metadata") or "") > MAX_PRIVATE_METADATA:
        yield f"private_metadata has more than {MAX_PRIVATE_METADATA} characters"
    yield from all_block_problems(view.get("blocks"), MAX_VIEW_BLOCKS)


def message_problems(message):
    """Yields what is wrong with one message."""
    text, blocks = message.get("text"), message.get("blocks")
    if not isinstance(text, str) or not text.strip():
        yield "no text: notifications and screen readers would have nothing to say"
    elif len(text) > MAX_TEXT:
        yield f"text has more than {MAX_TEXT} characters"
    if blocks is not None:
        yield from all_block_problems(blocks, MAX_BLOCKS)


def all_block_problems(blocks, most):
    """Yields what is wrong with the blocks of a message or a view."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        yield "blocks is not a list of objects"
        return
    if not 1 <= len(blocks) <= most:
        yield f"{len(blocks)} blocks, where 1 to {most} may be"
    for name in repeated(block.get("block_id") for block in blocks):
        yield f"the block_id {name!r} occurs more than once"
    for index, block in enumerate(blocks):
        yield from block_problems(block, f"blocks[{index}]")


def line_problems(line):
    """What is wrong with one line, as a list."""
    try:
        said = json.loads(line)
    except json.JSONDecodeError as error:
        return [f"not JSON: {error}"]
    match said:
        case {"kind": "message"}:
            return list(message_problems(said))
        case {"kind": "view", "view": view}:
            return list(view_problems(view))
        case _:
            return ["neither a message nor a view"]


def main(path):
    """Prints every problem and the sum; true if there were messages and all of them passed."""
    passed = failed = 0
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            problems = line_problems(line)
            for problem in problems:
                print(f"{path}:{number}: {problem}")
            if problems:
                failed += 1
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed")
    return passed > 0 and failed == 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(0 if main(sys.argv[1]) else 1)
