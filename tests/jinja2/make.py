"""Makes cases.json: snippets of chat-template Jinja and what Jinja2 3.1.6 renders for each, or that it refuses.

    pip install jinja2==3.1.6 && python tests/jinja2/make.py

The environment is the one that transformers 5 renders chat templates in (its utils/chat_template_utils.py). `now` is
fixed at 2026-01-02T03:04:05. What is refused is written without its message: only that it is refused must agree.
"""

import datetime
import json
import pathlib

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: NOW.strftime(format)
    return env


CONTEXT = {
    "text": "  Hello, World! <b>é漢</b>\n",
    "name": "get_weather",
    "empty": "",
    "none": None,
    "yes": True,
    "no": False,
    "n": 7,
    "neg": -3,
    "f": 2.5,
    "one": 1.0,
    "big": 1e16,
    "tiny": 0.00001,
    "list": [3, 1, 2],
    "words": ["b", "a", "C", "a"],
    "mixed": [1, "two", 3.0, None, True, ["x"], {"k": "v"}],
    "map": {"b": 1, "a": "x", "C": None, "n": {"deep": [1, 2]}},
    "people": [
        {"name": "Ann", "age": 30, "city": "Oslo"},
        {"name": "Bo", "age": 25, "city": "Rome"},
        {"name": "Cy", "age": 35, "city": "Oslo", "admin": True},
    ],
    "messages": [
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello"},
        {"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image"}]},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "Look \"up\" <it> & more",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            },
        }
    ],
}


def main():
    folder = pathlib.Path(__file__).parent
    snippets = [s for s in (folder / "snippets.txt").read_text().split("\n----\n") if s]
    cases = []
    for source in snippets:
        try:
            output = environment().from_string(source).render(**CONTEXT)
        except Exception:  # noqa: BLE001: a refusal of any kind is a refusal
            output = None
        cases.append([source, output])
    with open(folder / "cases.json", "w", encoding="utf-8") as file:
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
        file.write('{"context": ' + json.dumps(CONTEXT, ensure_ascii=False) + ',\n"cases": [\n' + lines + "\n]}\n")
    print(len(cases), "cases,", sum(case[1] is None for case in cases), "refused")


if __name__ == "__main__":
    main()
