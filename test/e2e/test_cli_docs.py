# SPDX-License-Identifier: Apache-2.0
"""The pages for people hold every verb, every reason and every check, and their links lead somewhere."""

import os
import re

import pytest
from conftest import ROOT

PAGES = ["getting-started.md", "coming-from-kbcli.md", "troubleshooting.md", "README.md", "commands.md"]


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf8") as file:
        return file.read()


def test_every_reason_is_explained():
    explained = {word for row in re.findall(r"^\| ([A-Za-z, ]+) \|", read("docs", "troubleshooting.md"), re.M) for word in row.split(", ")}
    of_workers = set(re.findall(r'\[ERROR_\w+\] = \{"\w+", \d+, \w+, "(\w+)"\}', read("common", "base", "error.c")))
    of_tasks = {row.split("|")[5].strip() for row in read("docs", "task-states.md").splitlines() if row.startswith("| ") and row.count("|") >= 7} - {"reason", "---", ""}
    assert len(of_workers) > 10 and len(of_tasks) > 10
    assert of_workers | of_tasks <= explained, (of_workers | of_tasks) - explained


def test_every_verb_is_in_the_pages():
    verbs = re.findall(r'^    X\(\w+, "([a-z ]+)"', read("cli", "commands.h"), re.M)
    assert len(verbs) > 15
    both = read("docs", "coming-from-kbcli.md") + read("docs", "getting-started.md")
    for verb in verbs:
        word = verb.split()[-1]
        assert re.search(rf"\b{word}\b", both), verb
        assert f"`{verb}" in read("docs", "commands.md"), verb


def test_every_check_has_a_remedy_in_the_page_that_is_linked():
    checks = read("docs", "prechecks.md")
    ids = re.findall(r"^\| \[`(\w+)`\]", checks, re.M)
    assert len(ids) > 40
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", checks, re.M | re.S))
    assert all("Remedy: " in sections[one] for one in ids)
    assert "with meaning and remedy: [prechecks.md]" in read("docs", "troubleshooting.md")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", read("docs", page)):
        assert "://" in target or os.path.exists(os.path.join(ROOT, "docs", target)), target


def test_the_examples_are_understood():
    """Each command line of the pages, as far as it can be without a cluster: its verb and options exist."""
    verbs = re.findall(r'^    X\(\w+, "([a-z ]+)"', read("cli", "commands.h"), re.M)
    options = set(re.findall(r'\.name = "([a-z-]+)"', read("cli", "cli_options.c")))
    lines = [line for page in PAGES[:3] for line in re.findall(r"kubeferry ((?:migration|addon|version|completion)\b[^\n`|]*)", read("docs", page))]
    assert len(lines) > 30
    for line in lines:
        words = [word for word in line.replace(",", " ").split() if not word.startswith("-")]
        assert " ".join(words[:2]) in verbs or words[0] in verbs, line
        for option in re.findall(r"(?<!\S)--([a-z-]+)", line):
            assert option in options, line
