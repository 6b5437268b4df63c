#include "libcore/walk/trace/event_format.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/walk/container/list.h"
#include "libcore/walk/row/globals.h"

namespace ktstr {

// Every event of the kernel, those of tracepoints, system calls, probes and of ftrace itself, has a
// struct trace_event_call in the list ftrace_events (kernel/trace/trace_events.c). Its number is in
// each record; its class has the fields, the last one first. Events that begin a system call have
// theirs with the call instead (syscall_get_enter_fields).

namespace {

constexpr size_t kMostName = 256, kMostPrintFormat = 32 << 10;
constexpr size_t kMostFields = 1024;

std::optional<int64_t> EnumeratorOf(const TypeInfo& types, std::string_view name) {
  const auto value = types.FindEnumerator(name);
  return value ? std::optional(*value) : std::nullopt;
}

class Enumerators final : public PrintConstants {
 public:
  explicit Enumerators(const TypeInfo& types) : types_(types) {}
  std::optional<int64_t> ValueOf(std::string_view name) const override {
    return EnumeratorOf(types_, name);
  }

 private:
  const TypeInfo& types_;
};

}  // namespace

const EventField* EventFormat::Find(std::string_view field) const {
  const auto found = std::ranges::find(fields, field, &EventField::name);
  return found == fields.end() ? nullptr : &*found;
}

EventFormats::EventFormats(const Walk& walk)
    : walk_(walk), call_(walk), class_(walk), field_(walk), syscall_(walk) {
  tracepoint_name_ = Fields(walk, Structure{"tracepoint", "", true}).Need("name");
  is_tracepoint_ = EnumeratorOf(walk.types, "TRACE_EVENT_FL_TRACEPOINT");
  is_custom_ = EnumeratorOf(walk.types, "TRACE_EVENT_FL_CUSTOM");
  enter_fields_function_ = Globals(walk).Address({"syscall_get_enter_fields"});
}

const EventFormat* EventFormats::Find(uint16_t type) {
  const auto call = calls_.find(type);
  if (call == calls_.end()) return nullptr;
  const auto [known, is_new] = formats_.try_emplace(type);
  if (is_new) known->second = ReadCall(call->second);
  return known->second ? &*known->second : nullptr;
}

void EventFormats::Read() {
  const auto list = Globals(walk_).Address({"ftrace_events"});
  if (!list || !call_.list) {
    walk_.anomalies.Add("no symbol", std::nullopt, "no list of trace events: ftrace_events");
    return;
  }
  for (const Kva node : WalkList(walk_, *list, "trace events")) {
    const Kva kva = node - call_.list->offset;
    CellReader call(walk_, kva, "a trace event");
    const auto type = call.Unsigned(call_.type);
    // Of two with one number the kernel prints the first.
    if (type && *type <= UINT16_MAX) calls_.emplace(static_cast<uint16_t>(*type), kva);
  }
}

std::string EventFormats::Text(std::optional<Kva> at, size_t most) {
  if (!at || *at == Kva(0)) return "";
  auto text = walk_.kernel.ReadString(*at, most);
  if (text) return *std::move(text);
  walk_.anomalies.Add(text.error(), *at, "reading a name of a trace event");
  return "";
}

std::optional<Kva> EventFormats::FieldList(CellReader& call, CellReader& event_class,
                                           Kva class_kva) {
  const auto get = event_class.Pointer(class_.get_fields);
  if (!get) return std::nullopt;
  if (*get == Kva(0)) {
    return class_.fields ? std::optional(class_kva + class_.fields->offset) : std::nullopt;
  }
  if (!syscall_.enter_fields || get != enter_fields_function_) return std::nullopt;
  const auto data = call.Pointer(call_.data);
  if (!data || *data == Kva(0)) return std::nullopt;
  return *data + syscall_.enter_fields->offset;
}

std::vector<EventField> EventFormats::ReadFields(Kva list) {
  std::vector<EventField> fields;
  if (!field_.link) return fields;
  WalkLimits limits = walk_.limits;
  limits.max_nodes = std::min(kMostFields, fields_left_);
  for (const Kva node : WalkList(walk_.Within(limits), list, "fields of a trace event")) {
    CellReader object(walk_, node - field_.link->offset, "a field of a trace event");
    EventField field;
    field.name = Text(object.Pointer(field_.name), kMostName);
    field.type = Text(object.Pointer(field_.type), kMostName);
    const auto offset = object.Integer(field_.offset), size = object.Integer(field_.size);
    if (field.name.empty() || !offset || !size || *offset < 0 || *size < 0) continue;
    field.offset = static_cast<uint64_t>(*offset);
    field.size = static_cast<uint64_t>(*size);
    field.is_signed = object.Integer(field_.is_signed).value_or(0) != 0;
    fields.push_back(std::move(field));
  }
  fields_left_ -= fields.size();
  std::ranges::reverse(fields);
  return fields;
}

std::optional<EventFormat> EventFormats::ReadCall(Kva kva) {
  CellReader call(walk_, kva, "a trace event");
  const auto class_kva = call.Pointer(call_.event_class);
  const auto flags = call.Integer(call_.flags);
  if (!class_kva || *class_kva == Kva(0) || !flags) return std::nullopt;
  EventFormat format;
  const bool is_custom = is_custom_ && (*flags & *is_custom_) != 0;
  if (!is_custom && is_tracepoint_ && (*flags & *is_tracepoint_) != 0) {
    const auto tracepoint = call.Pointer(call_.tracepoint);
    if (!tracepoint || *tracepoint == Kva(0)) return std::nullopt;
    CellReader object(walk_, *tracepoint, "a tracepoint");
    format.name = Text(object.Pointer(tracepoint_name_), kMostName);
  } else {
    format.name = Text(call.Pointer(call_.name), kMostName);
  }
  CellReader event_class(walk_, *class_kva, "a class of trace events");
  format.system = Text(event_class.Pointer(class_.system), kMostName);
  if (const auto list = FieldList(call, event_class, *class_kva)) {
    format.fields = ReadFields(*list);
  }
  const Enumerators enumerators(walk_.types);
  const std::string print =
      Text(call.Pointer(call_.print_fmt), std::min(kMostPrintFormat, print_left_));
  print_left_ -= print.size();
  format.print = PrintFormat::Parse(print, &enumerators);
  return format;
}

}  // namespace ktstr
