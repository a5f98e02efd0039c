# SPDX-License-Identifier: Apache-2.0
"""Prints the values of the chart as a Markdown table: values_table.py values.yaml. The comment above a value explains it."""

import re
import sys

import yaml


def rows(path):
    """(dotted name, default, comment) of every value that has no values below it."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    values, place, comment = yaml.safe_load(text), [], []
    for line in text.splitlines():
        note = re.match(r" *# (.*)", line)
        entry = re.match(r"( *)([A-Za-z]+):", line)
        if note:
            comment.append(note.group(1))
        elif entry:
            del place[len(entry.group(1)) // 2:]
            place.append(entry.group(2))
            if comment:
                default = values
                for name in place:
                    default = default[name]
                yield ".".join(place), default, " ".join(comment)
            comment = []
        else:
            comment = []


def shown(default):
    if isinstance(default, (dict, list)):
        return yaml.safe_dump(default, default_flow_style=True, width=1000, sort_keys=False).strip()
    return {"": '""', True: "true", False: "false"}.get(default, str(default))


def main():
    print("| value | default | meaning |\n|---|---|---|")
    for name, default, comment in rows(sys.argv[1]):
        print(f"| `{name}` | `{shown(default)}` | {comment} |")


main()
