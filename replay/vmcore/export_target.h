// Where an export goes: a file, whole or not there, or a stream such as standard output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/output.h"
#include "libcore/base/output_file.h"
#include "libcore/base/result.h"

namespace ktstr::vmcore {

class ExportTarget {
 public:
  virtual ~ExportTarget() = default;

  // Puts bytes at an offset. Bytes that follow those before them are gathered. Of a file what is
  // never written is a hole, which reads as zeros. Errors: kIo.
  Status Put(uint64_t offset, std::span<const std::byte> bytes);
  // The whole is `size` bytes. Errors: kIo.
  Status Finish(uint64_t size);
  // Bytes that really went somewhere.
  uint64_t written() const { return written_; }

 protected:
  virtual Status Write(uint64_t offset, std::span<const std::byte> bytes) = 0;
  virtual Status End(uint64_t size) = 0;

 private:
  Status Flush();

  std::vector<std::byte> gathered_;
  uint64_t at_ = 0;  // where they belong
  uint64_t written_ = 0;
};

// To `file`, which is published at the end.
std::unique_ptr<ExportTarget> ToFile(OutputFile file);
// To `output`, from the begin to the end: each offset follows those before it, and zeros fill gaps.
std::unique_ptr<ExportTarget> ToStream(Output& output);
// To `output`, in pieces with their offsets (flat_format.h).
std::unique_ptr<ExportTarget> ToFlattenedStream(Output& output);

}  // namespace ktstr::vmcore
