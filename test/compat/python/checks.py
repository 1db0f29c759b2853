"""Prints a line for each check: ok NAME, or FAIL NAME why."""

import sys
import traceback

_failed = []


def check(name, run):
    try:
        run()
    except Exception as e:  # whatever it is, it is the answer
        at = [f for f in traceback.extract_tb(e.__traceback__) if not f.filename.endswith("checks.py")][-1]
        _failed.append(name)
        print("FAIL", name, type(e).__name__, " ".join(str(e).split()), f"line {at.lineno}", flush=True)
    else:
        print("ok", name, flush=True)


def equal(want, got):
    if want != got:
        raise AssertionError(f"want {str(want)[:200]}, got {str(got)[:200]}")


def holds(condition, why):
    if not condition:
        raise AssertionError(str(why))


def finish():
    sys.exit(1 if _failed else 0)
