// Formats of trace events, as the kernel itself keeps them for
// /sys/kernel/tracing/events/*/*/format.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libcore/walk/row/fields.h"
#include "libcore/walk/trace/print_format.h"

namespace ktstr {

// One field of an event's record (struct ftrace_event_field).
struct EventField {
  std::string name, type;  // the type as C writes it: "pid_t", "char[16]", "__data_loc char[]"
  uint64_t offset = 0;     // from the record's begin, in bytes
  uint64_t size = 0;       // in bytes; 0: to the record's end
  bool is_signed = false;
};

struct EventFormat {
  std::string system, name;        // "sched", "sched_switch"
  std::vector<EventField> fields;  // in order, without the common ones
  // How the kernel prints it; null where its print_fmt is beyond what PrintFormat can do.
  std::unique_ptr<const PrintFormat> print;

  const EventField* Find(std::string_view field) const;
};

class EventFormats {
 public:
  // Looks up members; nothing is read yet.
  explicit EventFormats(const Walk& walk);

  // Reads the list of events (ftrace_events): which numbers they have. What cannot be read is an
  // anomaly.
  void Read();
  // The format of the events with that number in their trace_entry, read when it is first asked
  // for; null where there is none.
  const EventFormat* Find(uint16_t type);

 private:
  struct CallMembers : Fields {
    explicit CallMembers(const Walk& walk)
        : Fields(walk, Structure{"trace_event_call", "", true}) {}
    MaybeMember list = Need("list"), event_class = Need("class"), name = Need("name"),
                tracepoint = Need("tp"), type = Need("event.type"), print_fmt = Need("print_fmt"),
                flags = Need("flags"), data = Need("data");
  };
  struct ClassMembers : Fields {
    explicit ClassMembers(const Walk& walk)
        : Fields(walk, Structure{"trace_event_class", "", true}) {}
    MaybeMember system = Need("system"), fields = Need("fields"), get_fields = Need("get_fields");
  };
  struct FieldMembers : Fields {
    explicit FieldMembers(const Walk& walk)
        : Fields(walk, Structure{"ftrace_event_field", "", true}) {}
    MaybeMember link = Need("link"), name = Need("name"), type = Need("type"),
                offset = Need("offset"), size = Need("size"), is_signed = Need("is_signed");
  };
  struct SyscallMembers : Fields {
    explicit SyscallMembers(const Walk& walk)
        : Fields(walk, Structure{"syscall_metadata", "", true}) {}
    MaybeMember enter_fields = Maybe("enter_fields");
  };

  std::string Text(std::optional<Kva> at, size_t most);
  std::optional<EventFormat> ReadCall(Kva call);
  std::vector<EventField> ReadFields(Kva list);
  std::optional<Kva> FieldList(CellReader& call, CellReader& event_class, Kva class_kva);

  Walk walk_;
  CallMembers call_;
  ClassMembers class_;
  FieldMembers field_;
  SyscallMembers syscall_;
  MaybeMember tracepoint_name_;
  std::optional<int64_t> is_tracepoint_, is_custom_;  // bits of flags
  std::optional<Kva> enter_fields_function_;
  std::map<uint16_t, Kva> calls_;
  std::map<uint16_t, std::optional<EventFormat>> formats_;
  // How many fields, and how much of what prints them, all formats together may still have: those
  // of a guest's making could be without end.
  size_t fields_left_ = size_t{256} << 10, print_left_ = size_t{1} << 20;
};

}  // namespace ktstr
