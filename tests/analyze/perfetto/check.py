"""Compares a Perfetto trace, as protoc prints it (trace.proto), with tables of the same state.

usage: check.py DIRECTORY <TRACE: each table is DIRECTORY/NAME.json. Exit code 1 when they differ.
"""

import ast
import json
import re
import sys

FIELD = re.compile(r"\s*(\w+)(?:: (.*)| (\{))$")


def parse(lines):
    """The message that protoc prints from here on: a list of (name, value)."""
    message = []
    for line in lines:
        line = line.rstrip("\n")
        if line.strip() == "}":
            return message
        name, value, begins = FIELD.match(line).groups()
        if begins:
            message.append((name, parse(lines)))
        elif value.startswith('"'):
            message.append((name, ast.literal_eval("b" + value).decode(errors="replace")))
        else:
            message.append((name, int(value) if re.fullmatch(r"-?\d+", value) else value))
    return message


def one(message, name, default=None):
    return next((value for key, value in message if key == name), default)


def each(message, name):
    return [value for key, value in message if key == name]


def kernel_events(packets):
    """(cpu, time, pid, event, fields) of every event, those of a CPU in their order."""
    found = {}
    for bundle in (one(packet, "ftrace_events") for packet in packets):
        for event in each(bundle or [], "event"):
            own = [(k, v) for k, v in event if k not in ("timestamp", "pid")]
            assert len(own) == 1, own
            name, fields = own[0]
            if name == "generic":
                name = one(fields, "event_name")
                values = {}
                for field in each(fields, "field"):
                    values[one(field, "name")] = next(v for k, v in field if k.endswith("_value"))
            else:
                values = dict(fields)
            cpu = one(bundle, "cpu")
            row = (one(event, "timestamp"), one(event, "pid"), name, values)
            found.setdefault(cpu, []).append(row)
    return found


def differ(what, ours, theirs):
    if ours == theirs:
        return
    print(f"{what}: {len(ours)} in the table, {len(theirs)} in the trace", file=sys.stderr)
    for a, b in zip(ours, theirs):
        if a != b:
            sys.exit(f"the first that differs:\n  table {a}\n  trace {b}")
    sys.exit(1)


def main(directory):
    def table(name):
        with open(f"{directory}/{name}.json", encoding="utf-8") as file:
            return json.load(file)

    packets = each(parse(sys.stdin), "packet")
    sequences = {one(packet, "sequence") for packet in packets}
    assert sequences == {1} and one(packets[0], "sequence_flags") == 1, sequences

    events = {}
    for row in table("trace"):
        fields = row["fields"] if isinstance(row["fields"], dict) else json.loads(row["fields"])
        fields = {k: v for k, v in fields.items() if v is not None}
        events.setdefault(row["cpu"], []).append((row["log_ns"], row["pid"], row["event"], fields))
    theirs = kernel_events(packets)
    differ("CPUs with events", sorted(events), sorted(theirs))
    for cpu, rows in events.items():
        differ(f"events of CPU {cpu}", rows, theirs[cpu])

    trees = [tree for tree in (one(packet, "process_tree") for packet in packets) if tree]
    threads = [(one(t, "tid"), one(t, "tgid"), one(t, "name")) for t in each(trees[0], "threads")]
    differ("threads", [(t["pid"], t["tgid"], t["comm"]) for t in table("task")], threads)

    tracks = {}
    for packet in packets:
        track = one(packet, "track_descriptor")
        if track:
            assert one(track, "uuid") not in tracks
            thread = one(track, "thread")
            tracks[one(track, "uuid")] = one(thread, "tid") if thread else one(track, "name")
    on_track = {}
    for packet in packets:
        event = one(packet, "track_event")
        if event:
            rows = on_track.setdefault(tracks[one(event, "track_uuid")], [])
            rows.append((one(packet, "timestamp"), one(event, "type"), event))
    log = [(time, one(event, "name")) for time, _, event in on_track.get("kernel log", [])]
    differ("lines of the log", [(row["time_ns"], row["text"]) for row in table("log")], log)
    found = [one(event, "name") for _, _, event in on_track.get("findings", [])]
    differ("findings", [row["text"] for row in table("finding")], found)
    lengths = sorted(
        one(event, "counter_value")
        for name, rows in on_track.items()
        if "DSQ" in str(name)
        for _, kind, event in rows
        if kind == "TYPE_COUNTER"
    )
    differ("lengths of DSQs", sorted(row["nr"] for row in table("dsq")), lengths)
    waits = []
    for tid, rows in on_track.items():
        if not isinstance(tid, int):
            continue
        (begin, first, _), (end, last, _) = rows
        assert (first, last) == ("TYPE_SLICE_BEGIN", "TYPE_SLICE_END"), (first, last)
        waits.append((tid, end - begin))
    expected = [(row["pid"], row["wait_ns"]) for row in table("waiting")]
    differ("who waits", expected, sorted(waits))
    count = sum(map(len, theirs.values()))
    print(f"{count} events, {len(threads)} threads, {len(log)} log lines, {len(waits)} wait")


main(sys.argv[1])
