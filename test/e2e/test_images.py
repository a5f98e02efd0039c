# SPDX-License-Identifier: Apache-2.0
"""What is in the images, and what is not."""

import gzip
import json
import os
import re
import tarfile

import pytest
from kube import CHART, ROOT, images

LIBRARIES = re.compile(r"lib/[^/]+/lib[^/]+\.so(\.[0-9]+)+|lib(64)?/ld-linux[^/]*\.so\.\d")


class Image:
    """A docker-archive."""

    def __init__(self, path):
        self.archive = tarfile.open(path)
        manifest = json.load(self.archive.extractfile("manifest.json"))[0]
        self.names = manifest["RepoTags"]
        self.config = json.load(self.archive.extractfile(manifest["Config"]))["config"]
        self.layers = manifest["Layers"]

    def compressed(self):
        """Bytes of all layers as a registry would keep them."""
        return sum(len(gzip.compress(self.archive.extractfile(layer).read(), 6)) for layer in self.layers)

    def files(self):
        """name -> tarfile member of everything that is no directory, as the last layer has it."""
        found = {}
        for layer in self.layers:
            with tarfile.open(fileobj=self.archive.extractfile(layer)) as tar:
                for member in tar:
                    if not member.isdir():
                        found[member.name.removeprefix("./")] = (layer, member)
        return found

    def text(self, name):
        layer, member = self.files()[name]
        with tarfile.open(fileobj=self.archive.extractfile(layer)) as tar:
            return tar.extractfile(member).read().decode()


@pytest.fixture(scope="module")
def directory():
    return images()


@pytest.fixture(scope="module")
def controller(directory):
    return Image(os.path.join(directory, "controller.tar"))


@pytest.fixture(scope="module")
def engine(directory):
    return Image(os.path.join(directory, "engine.tar"))


def test_the_controllers_image_holds_its_program_and_nothing_else(controller):
    names = set(controller.files())
    others = {name for name in names if not LIBRARIES.fullmatch(name)}
    assert others == {"usr/bin/kubeferry-controller", "etc/ssl/certs/ca-certificates.crt"}
    assert any("libcurl" in name for name in names) and not any("libpq" in name for name in names)


def test_the_controllers_image_is_small(controller):
    assert controller.compressed() < 25e6


@pytest.mark.parametrize("name", ["controller", "engine"])
def test_both_run_as_nobody_in_particular_and_say_what_they_are(name, request):
    image = request.getfixturevalue(name)
    assert image.config["User"] == "65532:65532"
    assert image.config["Entrypoint"] == [f"/usr/bin/kubeferry-{name}"]
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.title"] == f"kubeferry-{name}"
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as file:
        version = re.search(r"^VERSION := (.*)", file.read(), re.M)[1]
    assert labels["org.opencontainers.image.version"] == version
    assert image.names == [f"docker.io/kubeferry/kubeferry-{name}:{version}"]
    assert {"org.opencontainers.image.description", "org.opencontainers.image.licenses"} <= set(labels)


def test_the_engines_image_has_the_newest_clients_and_a_name_for_its_user(engine):
    majors = [int(found[1]) for name in engine.files() if (found := re.fullmatch(r"usr/lib/postgresql/(\d+)/bin/pg_dump", name))]
    assert len(majors) == 1
    # The template promises sources up to that major.
    with open(os.path.join(CHART, "templates", "template.yaml"), encoding="utf-8") as file:
        assert f"PostgreSQL10.* - {majors[0]}.* to" in file.read()
    assert "kubeferry:x:65532:65532:" in engine.text("etc/passwd")


def test_nothing_of_the_machine_that_built_them_stays(controller, engine):
    for image in (controller, engine):
        assert not [name for name in image.files() if name.startswith(("run/secrets", "root/", "src/", "tmp/")) and "/.bash" not in name
                    and "/.profile" not in name]
        assert not any("proxy" in one.lower() for one in image.config.get("Env", []))
    sources = [name for name in engine.files() if name.startswith("etc/apt/sources.list")]
    text = "".join(engine.text(name) for name in sources)
    assert set(re.findall(r"https?://([^/ ]+)", text)) == {"deb.debian.org"}
    assert not [name for name in engine.files() if name.startswith("etc/apt/apt.conf.d/") and "roxy" in engine.text(name)]
