#include "libcore/ops/request.h"

#include <fmt/format.h>

namespace ktstr {

namespace {

struct TargetText {
  std::string operator()(const SymbolTarget& t) const { return fmt::format("Symbol '{}'", t.name); }
  std::string operator()(const DirectTarget& t) const {
    return fmt::format("Direct {:#x}", t.kva.value());
  }
  std::string operator()(const KvaTarget& t) const {
    return fmt::format("Kva {:#x}", t.kva.value());
  }
  std::string operator()(const PerCpuFieldTarget& t) const {
    return fmt::format("PerCpuField {}.{}[cpu={}]", t.symbol, t.field, t.cpu);
  }
  std::string operator()(const TaskFieldTarget& t) const {
    return fmt::format("TaskField pid={} '{}'", t.pid, t.field);
  }
};

struct ValueName {
  std::string_view operator()(const U32Value&) const { return "U32"; }
  std::string_view operator()(const U64Value&) const { return "U64"; }
  std::string_view operator()(const BytesValue&) const { return "Bytes"; }
  std::string_view operator()(const BytesWidth&) const { return "Bytes"; }
  std::string_view operator()(const OrU32Value&) const { return "OrU32"; }
};

}  // namespace

std::string Describe(const OpTarget& target) { return std::visit(TargetText(), target); }
std::string_view KindName(const OpValue& value) { return std::visit(ValueName(), value); }

}  // namespace ktstr
