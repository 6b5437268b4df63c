// RAM that QEMU itself is asked for, through its monitor: where nobody else may read its process.
#pragma once

#include <memory>
#include <mutex>

#include "capture/qemu/handed_file.h"
#include "capture/qemu/qmp_client.h"
#include "capture/qemu/ram_source.h"

namespace ktstr {

// Its addresses are guest-physical. Reads only.
class MonitorRam : public RamSource {
 public:
  // `qmp` must outlive it, and be used by nobody else while other threads read. Errors: kIo.
  static Result<std::unique_ptr<MonitorRam>> Open(QmpClient& qmp);

  // Errors: kPeer when QEMU refuses or writes less, kTimeout, kIo.
  Status Read(uint64_t address, std::span<std::byte> out) override;
  Status Write(uint64_t address, std::span<const std::byte> bytes) override;
  Status CheckWritable() override;
  bool slow() const override { return true; }

 private:
  MonitorRam(QmpClient& qmp, UniqueFd file, HandedFile handed)
      : qmp_(qmp), file_(std::move(file)), handed_(std::move(handed)) {}

  std::mutex mutex_;
  QmpClient& qmp_;
  UniqueFd file_;  // in memory; what was asked for last
  HandedFile handed_;
};

}  // namespace ktstr
