// The language of the virtio-serial port between the host and our init: one JSON object a line.
//
//   guest → host, once:     {"event": "hello", "version": 1, "release": "6.12…"}
//   host → guest:           {"id": N, "do": VERB, …}
//   guest → host, each:     {"id": N, "ok": true, …} or {"id": N, "ok": false, "error": TEXT}
//                           before that, every second, {"id": N, "busy": true} of what takes long
//   guest → host, any time: {"event": "worker-exit", "pid": P, "worker": NAME, "status": S} when a
//                           worker ended that nobody stopped
//                           {"event": "payload-exit", "name", "status", "output"}
//                           {"event": "capture-request", "why": TEXT} (capture_request.h)
//                           {"event": "scheduler-exit", …as "scheduler-state" answers} when a
//                           loaded scheduler ended by itself
//
// Verbs: "start" with "workers": [{"kind", "count", "name", "tasks", …}], answered when all of them
// run; "ping"; "stop" with "workers": [NAME, …]; "workers", answered with "workers" (worker_pool.h)
// and "payloads" (payload_pool.h); "payload" with "name", "argv", "env", "root" and how to schedule
// it, answered when it runs; "signal" with the "name" of a payload and "signal"; "write-file" with
// "path", "text", "wait" (write_file.h); "report", answered with "account" (/proc) and "workers";
// "system", answered with "system" (system_account.h); "cgroup" with "path" and "files" (cgroup.h);
// "run" with "argv" and "stdin", answered with "status" (as waitpid tells it) and "stdout" when
// that program has ended; "bye", answered, then the machine is switched off. Of sched_ext
// schedulers (scheduler.h): "scheduler-load" with "object" (a path in the guest) and "variables"
// (name → value), answered when it is enabled; "scheduler-set" with "variables"; "scheduler-state",
// answered with "sched_ext", "object", "variables" and "exit"; "scheduler-unload", answered with
// the same, after the end.
#pragma once

namespace ktstr::guest {

inline constexpr int kProtocolVersion = 1;
// The port's name, as the virtserialport device gives it.
inline constexpr char kPortName[] = "ktstr";
// The port over which the guest sends operations (libcore/ops/WIRE.md) to the host, and the program
// in the initramfs that does it: a request as JSON on its standard input, the reply on its output.
inline constexpr char kOpsPortName[] = "ktstr.ops";
inline constexpr char kOpsProgramPath[] = "/ktstr/ops";
// In the guest: the FIFO that takes requests for a capture.
inline constexpr char kCapturePath[] = "/ktstr/capture";
// In the initramfs: the paths of the modules to load, one a line, in this order.
inline constexpr char kModuleListPath[] = "/ktstr/modules";
// The first line that init writes to the console, and how the line begins that says why it gives
// up.
inline constexpr char kConsoleMark[] = "ktstr: init";
inline constexpr char kFarewell[] = "ktstr: giving up: ";

}  // namespace ktstr::guest
