// read_u8 … read_i64, read_string, read_bytes, arena.
#include <fmt/format.h>

#include "analyze/memory_sql/functions.h"
#include "libcore/walk/value/typed_value.h"

namespace ktstr {

namespace {

constexpr uint64_t kMaxBytes = 1 << 20;
constexpr uint64_t kDefaultString = 1024;

// The map by its id, or by its name where one has it.
Result<int64_t> MapId(MemorySource& memory, const Value& map) {
  if (const auto* id = std::get_if<int64_t>(&map)) return *id;
  return KTSTR_TRY(memory.Arenas())->IdOf(KTSTR_TRY(TextArgument(map, "map")));
}

Result<Value> Arena(MemorySource& memory, SqlArguments arguments) {
  const int64_t id = KTSTR_TRY(MapId(memory, arguments[0]));
  const Kva pointer = KTSTR_TRY(KvaArgument(arguments[1], "pointer"));
  return Value(ToText(Hex(KTSTR_TRY(KTSTR_TRY(memory.Arenas())->ResolveIn(id, pointer)))));
}

template <typename T>
Result<Value> ReadNumber(MemorySource& memory, SqlArguments arguments) {
  const GuestKernel* kernel = KTSTR_TRY(memory.Kernel());
  const T value = KTSTR_TRY(kernel->Read<T>(KTSTR_TRY(KvaArgument(arguments[0], "addr"))));
  if constexpr (std::is_signed_v<T>) return Value(static_cast<int64_t>(value));
  return UnsignedValue(static_cast<uint64_t>(value));
}

Result<Value> ReadString(MemorySource& memory, SqlArguments arguments) {
  const Kva kva = KTSTR_TRY(KvaArgument(arguments[0], "addr"));
  const uint64_t max = arguments.size() < 2
                           ? kDefaultString
                           : KTSTR_TRY(CountArgument(arguments[1], "max", kMaxBytes));
  return Value(KTSTR_TRY(KTSTR_TRY(memory.Kernel())->ReadString(kva, max)));
}

Result<Value> ReadBytes(MemorySource& memory, SqlArguments arguments) {
  const Kva kva = KTSTR_TRY(KvaArgument(arguments[0], "addr"));
  std::string bytes(KTSTR_TRY(CountArgument(arguments[1], "n", kMaxBytes)), '\0');
  KTSTR_TRY(KTSTR_TRY(memory.Kernel())->Read(kva, std::as_writable_bytes(std::span(bytes))));
  return Value(std::move(bytes));
}

ScalarFunction NumberFunction(std::string_view name, std::string_view meaning,
                              Result<Value> (*call)(MemorySource&, SqlArguments)) {
  return {name, {"addr"}, 0, meaning, call};
}

}  // namespace

std::vector<ScalarFunction> ReadFunctions() {
  return {
      NumberFunction("read_u8", "The unsigned byte at a kernel address.", ReadNumber<uint8_t>),
      NumberFunction("read_u16", "The same for 2 bytes.", ReadNumber<uint16_t>),
      NumberFunction("read_u32", "The same for 4 bytes.", ReadNumber<uint32_t>),
      NumberFunction("read_u64", "The same for 8 bytes; from 2^63 on text '0x…'.",
                     ReadNumber<uint64_t>),
      NumberFunction("read_i8", "The signed byte at a kernel address.", ReadNumber<int8_t>),
      NumberFunction("read_i16", "The same for 2 bytes.", ReadNumber<int16_t>),
      NumberFunction("read_i32", "The same for 4 bytes.", ReadNumber<int32_t>),
      NumberFunction("read_i64", "The same for 8 bytes.", ReadNumber<int64_t>),
      {"read_string",
       {"addr", "max"},
       1,
       "The text at a kernel address up to its NUL, cut after max bytes (1024).",
       ReadString},
      {"read_bytes",
       {"addr", "n"},
       0,
       "n bytes as a BLOB, shown as hexadecimal digits.",
       ReadBytes,
       /*gives_blob=*/true},
      {"arena",
       {"map", "pointer"},
       0,
       "Where the kernel has what a pointer leads to that a BPF program keeps, in the arena of "
       "that "
       "map (its id or name).",
       Arena},
  };
}

}  // namespace ktstr
