#include "libcore/ops/dispatcher.h"

#include <fmt/format.h>

#include "libcore/base/utf8.h"
#include "libcore/kernel/object_reader.h"
#include "libcore/ops/address_check.h"
#include "libcore/ops/value_check.h"
#include "libcore/ops/wire.h"

namespace ktstr {

namespace {

template <typename T>
OpResult<T> ReadScalar(const GuestKernel& kernel, Kva kva) {
  auto value = kernel.Read<T>(kva);
  if (!value) return tl::make_unexpected(MemoryError(value.error()));
  return *value;
}

OpStatus AsOpStatus(const Status& status) {
  if (!status) return tl::make_unexpected(MemoryError(status.error()));
  return {};
}

// A symbol's or field's name may be any bytes when the request did not come over the wire.
void MakeText(std::string* reason) {
  if (IsUtf8(*reason)) return;
  for (char& c : *reason) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
}

}  // namespace

OpReply ErrorReply(uint32_t request_id, std::string reason) {
  MakeText(&reason);
  reason.resize(CutAtCharacter(reason, kOpReasonMax).size());
  return {.request_id = request_id, .success = false, .reason = std::move(reason)};
}

OpReply Dispatcher::Dispatch(const Exclusive& exclusive, const OpRequest& request) {
  auto outcome = Run(exclusive, request);
  if (outcome) {
    return {.request_id = request.request_id, .success = true, .read_values = *std::move(outcome)};
  }
  const auto& [index, error] = outcome.error();
  const std::string target =
      index < request.entries.size() ? Describe(request.entries[index].target) + ": " : "";
  OpReply reply =
      ErrorReply(request.request_id, fmt::format("entry[{}]: {}{}", index, target, error.text));
  reply.error = {static_cast<uint32_t>(index), error.code, error.layer};
  return reply;
}

OpOutcome Dispatcher::Run(const Exclusive& exclusive, const OpRequest& request) {
  std::vector<OpValue> values;
  size_t room = kOpReplyMax - kReplyOverhead;
  for (size_t i = 0; i < request.entries.size(); ++i) {
    const OpEntry& entry = request.entries[i];
    const auto fail = [i](OpError error) {
      return tl::make_unexpected(OpFailure{i, std::move(error)});
    };
    if (auto valid = CheckValue(request.direction, entry); !valid) return fail(valid.error());
    if (request.direction == OpDirection::kWrite) {
      if (auto written = Write(exclusive, entry); !written) return fail(written.error());
      continue;
    }
    const size_t needed = EncodedValueSize(WidthOf(entry.value));
    if (needed > room) {
      return fail({OpErrorCode::kReplyTooLarge, OpLayer::kRequest,
                   fmt::format("the reply has room for {} bytes more of its {}, and {} are asked "
                               "for",
                               room, kOpReplyMax, WidthOf(entry.value))});
    }
    room -= needed;
    auto value = Read(entry);
    if (!value) return fail(std::move(value).error());
    values.push_back(*std::move(value));
  }
  return values;
}

OpResult<Kva> Dispatcher::LocateSymbol(const SymbolTarget& target) const {
  const auto kva = kernel_.symbol_kva(target.name);
  if (!kva) return Refuse(OpErrorCode::kSymbolUnknown, OpLayer::kName, kva.error().ToString());
  if (*kva < kKernelHalf) {
    return Refuse(OpErrorCode::kSymbolNotAnAddress, OpLayer::kName,
                  fmt::format("its value {:#x} is no kernel address but a number or a per-CPU "
                              "offset (see PerCpuField)",
                              kva->value()));
  }
  return *kva;
}

OpResult<Located> Dispatcher::Locate(const OpEntry& entry, uint64_t size) {
  if (const auto* symbol = std::get_if<SymbolTarget>(&entry.target)) {
    return Located{KTSTR_TRY(LocateSymbol(*symbol)), std::nullopt};
  }
  if (const auto* direct = std::get_if<DirectTarget>(&entry.target)) {
    KTSTR_TRY(
        CheckDirect(direct->kva, size, kernel_.page_offset(), kernel_.memory().end().value()));
    return Located{direct->kva, std::nullopt};
  }
  if (const auto* any = std::get_if<KvaTarget>(&entry.target)) {
    KTSTR_TRY(CheckKva(any->kva, size));
    return Located{any->kva, std::nullopt};
  }
  if (const auto* field = std::get_if<PerCpuFieldTarget>(&entry.target)) {
    return per_cpu_fields_.Resolve(*field);
  }
  return task_fields_.Resolve(std::get<TaskFieldTarget>(entry.target),
                              entry.unchecked ? TaskChecks::kIdentity : TaskChecks::kAll);
}

// A number narrower than the value asked for: of its own bits, with its sign.
OpResult<OpValue> Dispatcher::ReadNarrow(const OpEntry& entry, const Located& at) {
  const auto number = ObjectReader(kernel_, at.kva - at.member->offset).Integer(*at.member);
  if (!number) return tl::make_unexpected(MemoryError(number.error()));
  if (std::holds_alternative<U32Value>(entry.value)) {
    return U32Value{static_cast<uint32_t>(*number)};
  }
  return U64Value{static_cast<uint64_t>(*number)};
}

// And written into its own bits alone.
OpStatus Dispatcher::WriteNarrow(const Exclusive& exclusive, const OpEntry& entry,
                                 const Located& at) {
  const Member& member = *at.member;
  uint64_t storage = 0;
  const auto bytes = std::as_writable_bytes(std::span(&storage, 1)).first(member.size);
  KTSTR_TRY(AsOpStatus(kernel_.Read(at.kva, bytes)));
  const uint64_t width = member.is_bit_field() ? member.bit_size : member.size * 8;
  const uint64_t mask = (~uint64_t{0} >> (64 - width)) << member.bit_offset;
  const auto above = [width](uint64_t v) { return width >= 64 ? 0 : v >> width; };
  uint64_t value = 0;
  bool fits = true;
  if (const auto* bits = std::get_if<OrU32Value>(&entry.value)) {
    value = (storage & mask) >> member.bit_offset | bits->mask;
    fits = above(bits->mask) == 0;
  } else {
    const auto* u32 = std::get_if<U32Value>(&entry.value);
    value = u32 != nullptr ? u32->value : std::get<U64Value>(entry.value).value;
    const auto number =
        u32 != nullptr ? int64_t{static_cast<int32_t>(u32->value)} : static_cast<int64_t>(value);
    fits = above(value) == 0 || (member.is_signed && number < 0 && number >> (width - 1) == -1);
  }
  if (!fits) {
    return Refuse(OpErrorCode::kValueKind, OpLayer::kRequest,
                  fmt::format("{:#x} does not fit: the field has {} bits", value, width));
  }
  storage = (storage & ~mask) | (value << member.bit_offset & mask);
  const auto written = kernel_.Write(exclusive, at.kva, std::span<const std::byte>(bytes));
  kernel_.address_space().Flush();
  return AsOpStatus(written);
}

OpResult<OpValue> Dispatcher::Read(const OpEntry& entry) {
  const uint64_t size = WidthOf(entry.value);
  const Located at = KTSTR_TRY(Locate(entry, size));
  if (at.IsNarrowerThan(size)) return ReadNarrow(entry, at);
  const Kva kva = at.kva;
  if (std::holds_alternative<U32Value>(entry.value)) {
    return U32Value{KTSTR_TRY(ReadScalar<uint32_t>(kernel_, kva))};
  }
  if (std::holds_alternative<U64Value>(entry.value)) {
    return U64Value{KTSTR_TRY(ReadScalar<uint64_t>(kernel_, kva))};
  }
  BytesValue value;
  value.bytes.resize(size);
  const auto read = kernel_.Read(kva, value.bytes);
  if (!read) return tl::make_unexpected(MemoryError(read.error()));
  return value;
}

OpStatus Dispatcher::Write(const Exclusive& exclusive, const OpEntry& entry) {
  const Located at = KTSTR_TRY(Locate(entry, WidthOf(entry.value)));
  if (at.IsNarrowerThan(WidthOf(entry.value))) return WriteNarrow(exclusive, entry, at);
  const Kva kva = at.kva;
  Status written;
  if (const auto* u32 = std::get_if<U32Value>(&entry.value)) {
    written = kernel_.Write(exclusive, kva, u32->value);
  } else if (const auto* u64 = std::get_if<U64Value>(&entry.value)) {
    written = kernel_.Write(exclusive, kva, u64->value);
  } else if (const auto* bits = std::get_if<OrU32Value>(&entry.value)) {
    const auto old = KTSTR_TRY(ReadScalar<uint32_t>(kernel_, kva));
    written = kernel_.Write(exclusive, kva, old | bits->mask);
  } else {
    const std::span<const std::byte> bytes = std::get<BytesValue>(entry.value).bytes;
    written = kernel_.Write(exclusive, kva, bytes);
  }
  // What was written may be a page table.
  kernel_.address_space().Flush();
  return AsOpStatus(written);
}

}  // namespace ktstr
