#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/trace/trace.h"

namespace ktstr {

const RowTable<TraceRow>& TraceRow::Table() {
  using R = TraceRow;
  static const RowTable<R> table(
      "trace",
      "Events that the kernel's tracing (ftrace) had recorded when it was frozen, oldest first: "
      "those of tracepoints, of BPF's bpf_printk, of probes and of the function tracer.",
      {
          Col<&R::seq>("seq", "", "Order by time, over all buffers and CPUs."),
          Col<&R::buffer>("buffer", "",
                          "Instance of tracing: 'top', or as in /sys/kernel/tracing/instances."),
          Col<&R::snapshot>("snapshot", "", "1: in that instance's snapshot, 0: in its buffer."),
          Col<&R::cpu>("cpu", "", "CPU on which it happened."),
          Col<&R::time_ns>("time_ns", "ns",
                           "When, by the buffer's clock (trace_buffer.clock); NULL for clocks that "
                           "do not count nanoseconds."),
          Col<&R::time_raw>("time_raw", "", "The same as that clock counts."),
          Col<&R::log_ns>("log_ns", "ns",
                          "When, by the clock of the kernel log (log.time_ns); where the CPUs' "
                          "clocks differ as good as the kernel knows. NULL for clocks that cannot "
                          "be compared with it."),
          Col<&R::age_ns>("age_ns", "ns",
                          "How long before the freeze, at least: before the newest time of its "
                          "clock that is known. NULL where that is not known."),
          Col<&R::pid>("pid", "", "Task that it happened in."),
          Col<&R::comm>("comm", "",
                        "That task's name as tracing saved it, else as it is now; NULL for a task "
                        "that is gone."),
          Col<&R::flags>("flags", "",
                         "State of the CPU, as in the kernel's trace: interrupts off, need to "
                         "reschedule, context, depths of preempt_disable and migrate_disable."),
          Col<&R::system>("system", "", "Subsystem of the event, such as sched."),
          Col<&R::event>("event", "", "Event, such as sched_switch."),
          Col<&R::text>("text", "",
                        "As the kernel prints it, or name=value where its format cannot be "
                        "followed; NULL for an event whose format is gone."),
          Col<&R::fields>("fields", "JSON", "Its fields by name."),
          Col<&R::missed>("missed", "",
                          "Events that were lost just before it, 0 for an unknown number; NULL: "
                          "none that the buffer tells of (trace_buffer.overrun has the rest)."),
      });
  return table;
}

const RowTable<TraceBufferRow>& TraceBufferRow::Table() {
  using R = TraceBufferRow;
  static const RowTable<R> table(
      "trace_buffer", "Ring buffers of the kernel's tracing, one per instance and CPU.",
      Structure{"ring_buffer_per_cpu", "", true},
      {
          Col<&R::buffer>("buffer", "",
                          "Instance of tracing: 'top', or as in /sys/kernel/tracing/instances."),
          Col<&R::snapshot>("snapshot", "", "1: that instance's snapshot, 0: its buffer."),
          Col<&R::cpu>("cpu", "", "Whose it is."),
          Col<&R::recording>("recording", "", "1: events are written to it; 0: it stands still."),
          Col<&R::tracer>("tracer", "", "The instance's tracer; nop: events alone."),
          Col<&R::clock>("clock", "", "Clock of its events: local, mono, …"),
          ReadCol<&R::pages>("pages", "", "Sub-buffers, without the reader's.", At("nr_pages")),
          Col<&R::subbuffer_bytes>("subbuffer_bytes", "bytes", "Size of one of them."),
          Col<&R::events>("events", "",
                          "Events in it that could be read; those in table trace, "
                          "unless they are too many."),
          ReadCol<&R::entries>("entries", "", "Events in it, as the kernel counts.",
                               At("entries.a.counter")),
          ReadCol<&R::read>("read", "", "Events that somebody read, such as trace_pipe.",
                            At("read")),
          ReadCol<&R::overrun>("overrun", "", "Events that newer ones have overwritten.",
                               At("overrun.a.counter")),
          ReadCol<&R::commit_overrun>("commit_overrun", "",
                                      "Events lost because interrupts filled the buffer.",
                                      At("commit_overrun.a.counter")),
          ReadCol<&R::dropped>("dropped", "", "Events lost because the buffer was full.",
                               At("dropped_events.a.counter")),
          Col<&R::first_ns>("first_ns", "ns", "Time of its first event, by its clock."),
          Col<&R::last_ns>("last_ns", "ns", "Time of its last event, by its clock."),
      });
  return table;
}

}  // namespace ktstr
