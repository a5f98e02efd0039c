# SPDX-License-Identifier: Apache-2.0
"""Prints the reference of the API as Markdown, from the schemas: crd_reference.py CRD.yaml ..."""

import sys

import yaml


def kind_of(schema):
    if schema.get("x-kubernetes-int-or-string"):
        return "quantity"
    if schema.get("type") == "array":
        return kind_of(schema["items"]) + "[]"
    if schema.get("type") == "object" and "additionalProperties" in schema:
        return "map of " + kind_of(schema["additionalProperties"])
    return schema.get("format") or schema.get("type", "any")


def meaning(schema, required):
    words = ["Required." if required else "", schema.get("description", "")]
    choices = [value for value in schema.get("enum", schema.get("items", {}).get("enum", [])) if value]
    if choices:
        words.append("One of " + ", ".join(f"`{value}`" for value in choices) + ".")
    if "minimum" in schema and "maximum" in schema:
        words.append(f"From {schema['minimum']} to {schema['maximum']}.")
    return " ".join(" ".join(words).split()).replace("|", "\\|")


def below(schema):
    """(what is appended to the name, the schema that has the fields of a value)."""
    mark = ""
    while True:
        if schema.get("type") == "array":
            mark, schema = mark + "[]", schema["items"]
        elif "additionalProperties" in schema:
            mark, schema = mark + ".<name>", schema["additionalProperties"]
        else:
            return mark, schema


def write(name, schema, required, shown):
    """A line for the field and for each below it. What YAML's aliases made the same is shown once."""
    print(f"| `{name}` | {kind_of(schema)} | {meaning(schema, required)}", end="")
    mark, inner = below(schema)
    if not inner.get("properties"):
        print(" |")
    elif id(inner) in shown:
        print(f" Fields as in `{shown[id(inner)]}`. |")
    else:
        print(" |")
        shown[id(inner)] = name + mark
        for field, one in inner["properties"].items():
            write(f"{name}{mark}.{field}", one, field in inner.get("required", []), shown)


def main():
    print("<!-- Made from crds/ by helm/sync.sh: change the descriptions there. -->\n# The API\n\n"
          "Fields of the objects, and what they mean. `kubectl explain mt.spec` shows the same.")
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            spec = yaml.safe_load(file)["spec"]
        version = spec["versions"][0]
        schema = version["schema"]["openAPIV3Schema"]
        print(f"\n## {spec['names']['kind']}\n\n`{spec['group']}/{version['name']}`, "
              f"{'of the whole cluster' if spec['scope'] == 'Cluster' else 'in a namespace'}. {schema['description']}\n\n"
              "| field | type | meaning |\n|---|---|---|")
        shown = {}
        for part in ("spec", "status"):
            if part in schema["properties"]:
                write(part, schema["properties"][part], part in schema.get("required", []), shown)


main()
