#!/usr/bin/env python3
"""Replays the command-line goldens against a directory of kafka-*.sh tools (README.md has the case format).

  replay.py --bin DIR [--bootstrap localhost:9092] [--data DIR] [--fresh CMD] [--lenient] [--record] [SCENARIO or SCENARIO/CASE ...]

--fresh CMD  run before every scenario that needs a broker, with the scenario's server settings as arguments and BIN, PORT, DATA in the
             environment; must leave an empty broker at --bootstrap. Without it the caller's broker is used as it is (must be empty).
--data DIR   the broker's log directory, printed in the cases as /tmp/kraft-combined-logs
--lenient    compare stdout and exit code; of stderr only the lines that are neither log lines nor stack traces
--record     write what was seen into the cases instead of comparing
"""
import argparse, difflib, os, pathlib, re, shutil, signal, subprocess, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
STOCK = "/tmp/kraft-combined-logs"
B64 = r"[A-Za-z0-9_-]{22}"
MASKS = [(re.compile(a, re.M), b) for a, b in [
    (r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\]", "[<Time>]"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<Uuid>"),
    (r"TopicId: " + B64, "TopicId: <TopicId>"),
    (r"topicId=" + B64, "topicId=<TopicId>"),
    (r"((?:Cluster ID|ClusterId|cluster\.id|Current cluster id)[:=] *)" + B64, r"\1<ClusterId>"),
    (r"(directory\.id=|directoryId\": \"|directoryId=)" + B64, r"\1<DirId>"),
    (r"((?:console|perf|console-share)-consumer-)\d{1,5}\b", r"\1<N>"),
    (r"(perf-consumer-<N>\)) +$", r"\1"),
    (r"correlation id \d+", "correlation id <N>"),
    (r"((?:CreateTime|LogAppendTime|[tT]imestamp|time_ms|commitTimestamp\":|expireTimestamp\":|timestamp\"):?\"?[:=] ?)\d{13}", r"\1<Ms>"),
    (r"((?:deadlineMs|nextAllowedTryMs|commitTimestamp\"|lastTimestamp\"?|timestamp\"|timestamp)[:=] ?)\d{6,}", r"\1<Ms>"),
    (r"\b(\w+)@[0-9a-f]{6,8}\b", r"\1@<Hash>"),
    (r"\btries=\d+", "tries=<N>"),
    (r"timed out at \d+ after \d+ attempt", "timed out at <Ms> after <N> attempt"),
    (r"\bcrc: \d+", "crc: <Crc>"),
]]
# lists whose order changes from run to run in Kafka; both sides sort them
SETS = re.compile(r'(of these options: |following options: |Valid states are: |Valid types are: |scenarios: \[|supports operations \[|Option combination "\[)((?:\[[\w-]+\]|\w+)(?:, (?:\[[\w-]+\]|\w+))*)')
LOG = re.compile(r"^\[<Time>\] ")

def mask(text, case, env):
    for real, shown in env["swap"]:
        text = text.replace(real, shown)
    port = env["port"]
    if port != 9092:  # table columns are padded to the real port's width
        d = len(str(port)) - 4
        text = re.sub(r"localhost:%d(  \(\d+\)) *?(?= )" % port, lambda m: "localhost:9092" + m[1] + " " * d, text)
        for p, q in ((port, 9092), (port + 1, 9093)):
            text = re.sub(r"(?<=\s)%d(?=  )" % p, str(q) + " " * d, text)
            text = re.sub(r"(?<=[:\s])%d\b" % p, str(q), text)
    out = []
    for line in text.splitlines(True):
        if re.match(r"^\s+at [\w.$/<>@-]+\(.*\)\s*$|^\s*\.\.\. \d+ (more|common frames omitted)\s*$", line):
            if not out or out[-1] != "<Stack>\n":
                out.append("<Stack>\n")
        else:
            out.append(line)
    text = "".join(out)
    for rx, to in MASKS:
        text = rx.sub(to, text)
    for rx, to in case.masks:
        text = rx.sub(to, text)
    text = SETS.sub(lambda m: m[1] + ", ".join(sorted(m[2].split(", "))), text)
    lines = text.splitlines(True)
    for n in (1, 2, 3):  # log lines that repeat while a client retries
        i, out = 0, []
        while i < len(lines):
            block, j = lines[i:i + n], i + n
            if len(block) == n and all(LOG.match(x) for x in block):
                while lines[j:j + n] == block:
                    j += n
                if j > i + n or block[0].startswith("<more> "):
                    out += ["<more> " + x for x in block]; i = j; continue
            out.append(lines[i]); i += 1
        lines = out
    return "".join(lines)

class Case:
    """One file. Lines start with: # note, : setting, + file, | its content, @ preparation, & background, $ command, < stdin, = exit code, > stdout, ! stderr."""
    def __init__(self, path):
        self.path, self.head, self.files, self.prep, self.back, self.cmd = path, [], {}, [], [], ""
        self.stdin, self.exit, self.out, self.err, self.set = [], 0, [], [], {}
        self.nonl, self.like, self.masks, name = set(), None, [], None
        for line in path.read_text().splitlines():
            k, v = line[:1], line[2:]
            if k == ">" : self.out.append(v); last = "out"
            elif k == "!": self.err.append(v); last = "err"
            elif k == "\\": self.nonl.add(last)
            elif k == "=": self.exit = int(v)
            else:
                self.head.append(line)
                if k == ":":
                    a, _, b = v.partition(" ")
                    if a == "mask":
                        x, _, y = b.partition(" => "); self.masks.append((re.compile(x, re.M), y))
                    else: self.set[a] = b or "yes"
                elif k == "+": name = v; self.files[name] = []
                elif k == "|": self.files[name].append(v)
                elif k == "@": self.prep.append(v)
                elif k == "&": self.back.append(v)
                elif k == "$": self.cmd += ("\n" if self.cmd else "") + v
                elif k == "<": self.stdin.append(v)
    def text(self, which):
        if self.set.get("like"):
            c = Case(self.path.parent / (self.set["like"] + ".txt")); return c.text(which)
        lines = getattr(self, which)
        return "\n".join(lines) + ("\n" if lines and which not in self.nonl else "")
    def save(self, code, out, err):
        body = [x for x in self.head if not x.startswith(": like ")]
        stem, dot, kind = self.path.stem.rpartition(".")
        if self.path.parent.name == "help" and kind != "help" and not stem.count("."):
            h = Case(self.path.parent / (stem + ".help.txt"))
            if (code, out, err) == (h.exit, h.text("out"), h.text("err")):
                self.path.write_text("\n".join([": like " + stem + ".help"] + body) + "\n"); return
        body.append("= %d" % code)
        for sign, text in ((">", out), ("!", err)):
            if text:
                body += [(sign + " " + x) for x in text[:-1].split("\n")] if text.endswith("\n") else [(sign + " " + x) for x in text.split("\n")] + ["\\ no newline"]
        self.path.write_text("\n".join(body) + "\n")

TABLE = re.compile(r"^Option(?: \(\* = required\))? +Description *$")
OPTION = re.compile(r"^ {0,2}(-[\w-]+(?: [A-Z_]{2,})?(?:, ?-[\w-]+(?: [A-Z_]{2,})?)*)(?: <(\w+)\S*)?")

def shape(text, prose):
    """A help text as its interface: usage lines and options with the type of their argument. Descriptions, everybody's own, are left out;
    so are lines above the options if not prose."""
    out, table, use = [], False, []
    for line in text.splitlines():
        if TABLE.match(line) or line in ("optional arguments:", "options:", "named arguments:"): table = True
        elif line.startswith("usage: "): use = [line]; continue
        elif use and line.startswith(" ") and line.strip(): use.append(line.strip()); continue
        elif table and not line.startswith("---") and (m := OPTION.match(line)): out.append(m[1] + (" <" + m[2] + ">" if m[2] else ""))
        elif not table and line.strip() and (prose or "error: " in line) and not line.startswith("<more>"): out.append(line)
        if use: out.append(" ".join(" ".join(use).split())); use = []
    if use: out.append(" ".join(" ".join(use).split()))
    return "".join(x + "\n" for x in out)

def fold(err, cmd):
    """The option table that ends an error, as <Usage TOOL>."""
    lines = err.splitlines(True)
    for i, x in enumerate(lines):
        if TABLE.match(x.rstrip("\n")) and (m := re.search(r"\bkafka-[\w-]+(?=\.sh)", cmd)):
            return "".join(lines[:i]) + "<Usage " + m[0] + ">\n"
    return err

def shell(cmd, env, cwd, stdin=None, timeout=90, quiet=False, background=False):
    for shown, real in env["command"]:
        cmd = re.sub(shown, real, cmd)
    e = dict(os.environ, PATH=env["bin"] + os.pathsep + os.environ["PATH"], BOOTSTRAP=env["bootstrap"], LC_ALL="C.UTF-8"); e.pop("COLUMNS", None)
    p = subprocess.Popen(["bash", "-c", cmd], cwd=cwd, env=e, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL if background else subprocess.PIPE, stderr=subprocess.DEVNULL if background else subprocess.PIPE, start_new_session=True)
    if background: return p
    try: o, r = p.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL); o, r = p.communicate(); return -1, o.decode(errors="replace"), r.decode(errors="replace") + "replay: timed out\n"
    if quiet and p.returncode: print("   preparation ended with", p.returncode, cmd, (o + r).decode(errors="replace")[-400:])
    return p.returncode, o.decode(errors="surrogateescape"), r.decode(errors="surrogateescape")

def end(p):
    try: os.killpg(p.pid, signal.SIGTERM); p.wait(20)
    except ProcessLookupError: pass

def lenient(err):
    keep, log = [], False
    for line in err.splitlines():
        line = line.removeprefix("<more> ")
        if LOG.match(line): log = True; continue
        if line == "<Stack>" or line.startswith("Caused by: ") or re.match(r"^(Exception in thread.*|[\w.$]+(Exception|Error)(: .*)?| ?\([\w.$]+\))$", line): continue
        keep.append(line)
    return "\n".join(keep).strip()

def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--bin", required=True); a.add_argument("--bootstrap", default="localhost:9092"); a.add_argument("--data", default=STOCK)
    a.add_argument("--fresh"); a.add_argument("--lenient", action="store_true"); a.add_argument("--record", action="store_true"); a.add_argument("--only-new", action="store_true")
    a.add_argument("names", nargs="*"); a = a.parse_args()
    port = int(a.bootstrap.rsplit(":", 1)[1]); good = bad = 0; failed = []
    a.bin = str(pathlib.Path(a.bin).resolve())
    command = [(r"\blocalhost:9092\b", a.bootstrap), (r"\blocalhost:9093\b", "localhost:%d" % (port + 1)), (re.escape(STOCK), a.data)]
    for scen in sorted(p for p in (HERE / "cases").iterdir() if p.is_dir()):
        files = sorted((p for p in scen.glob("*.txt") if p.name != "scenario.txt"), key=lambda p: (int((re.match(r"(\d+)-", p.name) or [0, 0])[1]), p.name))
        if a.names: files = [f for f in files if any(n == scen.name or n == scen.name + "/" + f.stem for n in a.names)]
        if not files: continue
        s = Case(scen / "scenario.txt"); work = tempfile.mkdtemp(prefix="golden-")
        env = dict(bin=a.bin, port=port, bootstrap=a.bootstrap, command=command, swap=[(work, "<Dir>"), (a.data, STOCK)])
        fresh = lambda *x: subprocess.run([*a.fresh.split(), *x], env=dict(os.environ, BIN=a.bin, PORT=str(port), DATA=a.data), check=True)
        if "broker" in s.set and a.fresh: fresh(*[x[2:] for x in s.head if x.startswith("% ")])
        for n, lines in s.files.items(): pathlib.Path(work, n).write_text("\n".join(lines) + "\n")
        for c in s.prep: shell(c, env, work, quiet=True)
        for f in files:
            c = Case(f)
            for n, lines in c.files.items(): 
                t = "\n".join(lines) + "\n"
                for x, y in command: t = re.sub(x, y, t)
                pathlib.Path(work, n).write_text(t)
            back = [shell(b, env, work, background=True) for b in c.back]
            for p in c.prep: shell(p, env, work, quiet=True)
            stdin = "".join(x + "\n" for x in c.stdin).encode() if c.stdin else None
            code, out, err = shell(c.cmd, env, work, stdin)
            for p in back: end(p)
            out, err = mask(out, c, env), mask(err, c, env)
            if scen.name == "help":
                prose = f.stem.endswith((".unknown", ".version"))
                out, err = shape(out, prose), shape(err, prose)
            else: err = fold(err, c.cmd)
            if "sort-err" in c.set: err = "".join(sorted(err.splitlines(True)))
            if "sort" in c.set: out = "".join(sorted(out.splitlines(True)))
            name = scen.name + "/" + f.stem
            if a.record: c.save(code, out, err); good += 1; continue
            want = (c.exit, c.text("out"), c.text("err"))
            if c.set.get("like"): want = (Case(scen / (c.set["like"] + ".txt")).exit,) + want[1:]
            stackless = lambda text: re.sub(r"(?m)^(<Stack>|Caused by: .*)\n", "", text) if a.lenient else text
            same = (code, stackless(out)) == (want[0], stackless(want[1])) and (lenient(err) == lenient(want[2]) if a.lenient else err == want[2])
            good += same; bad += not same
            if not same:
                failed.append(name); print("FAIL " + name + "\n   $ " + c.cmd)
                if code != want[0]: print("   exit %d, wanted %d" % (code, want[0]))
                for what, x, y in (("stdout", want[1], out), ("stderr", want[2], err)):
                    for l in list(difflib.unified_diff(x.splitlines(), y.splitlines(), what + " wanted", what + " seen", lineterm="", n=1))[:40]: print("   " + l)
        for c in s.back: shell(c, env, work)
        shutil.rmtree(work, ignore_errors=True)
        print("%-16s %d cases" % (scen.name, len(files)), flush=True)
    if a.fresh: subprocess.run([*a.fresh.split(), "stop"], env=dict(os.environ, BIN=a.bin, PORT=str(port), DATA=a.data))
    print("%d ok, %d failed" % (good, bad)); sys.exit(bad > 0)

main()
