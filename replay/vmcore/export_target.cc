#include "replay/vmcore/export_target.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "replay/vmcore/flat_format.h"

namespace ktstr::vmcore {

namespace {

constexpr size_t kGather = 1 << 20;

std::string_view Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class FileTarget : public ExportTarget {
 public:
  explicit FileTarget(OutputFile file) : file_(std::move(file)) {}

 protected:
  Status Write(uint64_t offset, std::span<const std::byte> bytes) override {
    return file_.WriteAt(offset, bytes);
  }
  Status End(uint64_t size) override {
    KTSTR_TRY(file_.ExtendTo(size));
    return file_.Publish();
  }

 private:
  OutputFile file_;
};

class StreamTarget : public ExportTarget {
 public:
  explicit StreamTarget(Output& output) : output_(output) {}

 protected:
  Status Write(uint64_t offset, std::span<const std::byte> bytes) override {
    KTSTR_TRY(FillTo(offset));
    at_ += bytes.size();
    return output_.Write(Text(bytes));
  }
  Status End(uint64_t size) override { return FillTo(size); }

 private:
  Status FillTo(uint64_t offset) {
    if (offset < at_) return Fail(ErrorCode::kInvalidArgument, "a stream cannot go back");
    static constexpr std::array<char, 65536> kZeros = {};
    while (at_ < offset) {
      const size_t part = std::min<uint64_t>(offset - at_, kZeros.size());
      KTSTR_TRY(output_.Write({kZeros.data(), part}));
      at_ += part;
    }
    return {};
  }

  Output& output_;
  uint64_t at_ = 0;
};

class FlattenedTarget : public ExportTarget {
 public:
  explicit FlattenedTarget(Output& output) : output_(output) {}

 protected:
  Status Write(uint64_t offset, std::span<const std::byte> bytes) override {
    KTSTR_TRY(Begin());
    KTSTR_TRY(Header(offset, bytes.size()));
    return output_.Write(Text(bytes));
  }
  Status End(uint64_t) override {
    KTSTR_TRY(Begin());
    return Header(kFlatEnd, kFlatEnd);
  }

 private:
  Status Begin() {
    if (std::exchange(begun_, true)) return {};
    std::array<char, kFlatHeaderSize> header = {};
    std::memcpy(header.data(), kFlatSignature.data(), kFlatSignature.size());
    const uint64_t numbers[] = {ToBigEndian(kFlatType), ToBigEndian(kFlatVersion)};
    std::memcpy(header.data() + kFlatSignature.size(), numbers, sizeof numbers);
    return output_.Write({header.data(), header.size()});
  }
  Status Header(uint64_t offset, uint64_t size) {
    const std::array<uint64_t, 2> numbers = {ToBigEndian(offset), ToBigEndian(size)};
    return output_.Write(Text(std::as_bytes(std::span(numbers))));
  }

  Output& output_;
  bool begun_ = false;
};

}  // namespace

Status ExportTarget::Put(uint64_t offset, std::span<const std::byte> bytes) {
  if (offset != at_ + gathered_.size() || gathered_.size() + bytes.size() > kGather) {
    KTSTR_TRY(Flush());
    at_ = offset;
  }
  gathered_.insert(gathered_.end(), bytes.begin(), bytes.end());
  return {};
}

Status ExportTarget::Flush() {
  if (gathered_.empty()) return {};
  KTSTR_TRY(Write(at_, gathered_));
  at_ += gathered_.size();
  written_ += gathered_.size();
  gathered_.clear();
  return {};
}

Status ExportTarget::Finish(uint64_t size) {
  KTSTR_TRY(Flush());
  return End(size);
}

std::unique_ptr<ExportTarget> ToFile(OutputFile file) {
  return std::make_unique<FileTarget>(std::move(file));
}
std::unique_ptr<ExportTarget> ToStream(Output& output) {
  return std::make_unique<StreamTarget>(output);
}
std::unique_ptr<ExportTarget> ToFlattenedStream(Output& output) {
  return std::make_unique<FlattenedTarget>(output);
}

}  // namespace ktstr::vmcore
