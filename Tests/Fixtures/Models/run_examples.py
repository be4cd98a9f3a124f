"""Runs the scripts of docs/models.md: trains, exports, scores with `whence` and compares, in the page's order.

    venv/bin/python run_examples.py WHENCE

WHENCE is the binary. A script whose library is not installed is left out, and named.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs/models.md"
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main():
    whence = pathlib.Path(sys.argv[1]).resolve()
    text = PAGE.read_text()
    os.environ["PATH"] = f"{whence.parent}:{os.environ['PATH']}"
    names, scored, missing = {}, 0, None
    with tempfile.TemporaryDirectory(prefix="whence-examples-") as directory:
        os.chdir(directory)
        for block in BLOCK.finditer(text):
            kind, body = block.groups()
            line = text[: block.start()].count("\n") + 1
            # A script that could not import its library takes the command and the comparison behind it along.
            if missing and not body.startswith(("import", "from")):
                continue
            missing = None
            if kind == "sh":
                subprocess.run(body, shell=True, check=True, capture_output=True)
                scored += 1
                continue
            try:
                exec(compile("\n" * line + body, str(PAGE), "exec"), names)
            except ModuleNotFoundError as error:
                missing = error.name
                print(f"left out: {PAGE.name}:{line}, which needs {missing}")
        os.chdir("/")
    if scored < 5:
        sys.exit(f"only {scored} examples of {PAGE.name} were scored")
    print(f"{scored} examples of {PAGE.name}: trained, exported, scored by Whence, and compared")


main()
