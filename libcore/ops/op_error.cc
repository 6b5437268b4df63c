#include "libcore/ops/op_error.h"

namespace ktstr {

namespace {

// The value up to `last` that has this name.
template <typename Enum>
std::optional<Enum> OfName(std::string_view name, Enum last, std::string_view (*name_of)(Enum)) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    if (name_of(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view OpErrorCodeName(OpErrorCode code) {
  switch (code) {
    case OpErrorCode::kValueKind:
      return "value-kind";
    case OpErrorCode::kUncheckedWrite:
      return "unchecked-write";
    case OpErrorCode::kReplyTooLarge:
      return "reply-too-large";
    case OpErrorCode::kTooManyEntries:
      return "too-many-entries";
    case OpErrorCode::kSymbolUnknown:
      return "symbol-unknown";
    case OpErrorCode::kSymbolNotAnAddress:
      return "symbol-not-an-address";
    case OpErrorCode::kPerCpuSymbolUnknown:
      return "per-cpu-symbol-unknown";
    case OpErrorCode::kTypesUnavailable:
      return "types-unavailable";
    case OpErrorCode::kTypeUnknown:
      return "type-unknown";
    case OpErrorCode::kFieldUnknown:
      return "field-unknown";
    case OpErrorCode::kNoSchedExt:
      return "no-sched-ext";
    case OpErrorCode::kBelowDirectMap:
      return "below-direct-map";
    case OpErrorCode::kBeyondDirectMap:
      return "beyond-direct-map";
    case OpErrorCode::kAddressOverflow:
      return "address-overflow";
    case OpErrorCode::kBelowKernelHalf:
      return "below-kernel-half";
    case OpErrorCode::kNoSuchCpu:
      return "no-such-cpu";
    case OpErrorCode::kPerCpuBelowKernel:
      return "per-cpu-below-kernel";
    case OpErrorCode::kUnmapped:
      return "unmapped";
    case OpErrorCode::kUnreadable:
      return "unreadable";
    case OpErrorCode::kReadOnly:
      return "read-only";
    case OpErrorCode::kTaskListEmpty:
      return "task-list-empty";
    case OpErrorCode::kTaskListBroken:
      return "task-list-broken";
    case OpErrorCode::kTaskWalkCap:
      return "task-walk-cap";
    case OpErrorCode::kTaskUnmapped:
      return "task-unmapped";
    case OpErrorCode::kTaskIsInit:
      return "task-is-init";
    case OpErrorCode::kTaskNotFound:
      return "task-not-found";
    case OpErrorCode::kTaskPid:
      return "task-pid";
    case OpErrorCode::kTaskStartTime:
      return "task-start-time";
    case OpErrorCode::kTaskDead:
      return "task-dead";
    case OpErrorCode::kTaskOnRq:
      return "task-on-rq";
    case OpErrorCode::kTaskOnDsq:
      return "task-on-dsq";
    case OpErrorCode::kTaskRunnable:
      return "task-runnable";
    case OpErrorCode::kTaskClass:
      return "task-class";
    case OpErrorCode::kTaskRecycled:
      return "task-recycled";
  }
  return "?";
}

std::string_view OpLayerName(OpLayer layer) {
  switch (layer) {
    case OpLayer::kRequest:
      return "request";
    case OpLayer::kName:
      return "name";
    case OpLayer::kAddress:
      return "address";
    case OpLayer::kMemory:
      return "memory";
    case OpLayer::kTaskLookup:
      return "task-lookup";
    case OpLayer::kL1:
      return "L1";
    case OpLayer::kL2:
      return "L2";
    case OpLayer::kL3:
      return "L3";
    case OpLayer::kL4:
      return "L4";
    case OpLayer::kL5:
      return "L5";
    case OpLayer::kL6:
      return "L6";
    case OpLayer::kL8:
      return "L8";
  }
  return "?";
}

std::optional<OpErrorCode> OpErrorCodeOfName(std::string_view name) {
  return OfName(name, OpErrorCode::kTaskRecycled, OpErrorCodeName);
}

std::optional<OpLayer> OpLayerOfName(std::string_view name) {
  return OfName(name, OpLayer::kL8, OpLayerName);
}

OpError MemoryError(const Error& error) {
  OpErrorCode code = OpErrorCode::kUnreadable;
  if (error.code() == ErrorCode::kUnmapped) code = OpErrorCode::kUnmapped;
  if (error.code() == ErrorCode::kReadOnly) code = OpErrorCode::kReadOnly;
  return {code, OpLayer::kMemory, error.ToString()};
}

}  // namespace ktstr
