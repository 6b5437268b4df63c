// Memory as bytes: what people and programs get of a range of kernel addresses. What cannot be read
// is told with its reason, in the place of its bytes.
#pragma once

#include <cstdint>
#include <string>

#include "analyze/memory_sql/memory_source.h"
#include "libcore/base/address.h"
#include "libcore/base/result.h"

namespace ktstr {

// Lines of 16 bytes and their characters, headed by a symbol where one begins. `length` is in
// bytes. Errors: those of MemorySource::Kernel.
Result<std::string> HexDump(MemorySource& memory, Kva begin, uint64_t length);
// Lines of one 8-byte word and the symbol that it points to.
Result<std::string> WordDump(MemorySource& memory, Kva begin, uint64_t length);
// An array of ranges: address, length and either bytes (hexadecimal digits) or error.
Result<std::string> HexDumpJson(MemorySource& memory, Kva begin, uint64_t length);

}  // namespace ktstr
