// What tests on real guests share: booting one, and results that explain themselves.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "capture/boot/guest_machine.h"
#include "guest_kernels.h"
#include "ready_guest.h"

namespace ktstr {

inline constexpr uint64_t kMiB = uint64_t{1} << 20;

inline testing::AssertionResult IsOk(const Status& status) {
  if (status) return testing::AssertionSuccess();
  return testing::AssertionFailure() << status.error().ToString();
}
template <typename T>
testing::AssertionResult IsOk(const Result<T>& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << result.error().ToString();
}
#define ASSERT_OK(result) ASSERT_TRUE(IsOk(result))
#define EXPECT_OK(result) EXPECT_TRUE(IsOk(result))

inline MachineOptions Machine(const std::string& kernel = "6.12") {
  MachineOptions options;
  options.kernel = StockKernel(kernel);
  return options;
}

inline std::vector<std::byte> FileBytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// The sum of all workers' rounds.
inline uint64_t Rounds(const nlohmann::json& report) {
  uint64_t rounds = 0;
  for (const nlohmann::json& worker : report["workers"]) rounds += worker["rounds"].get<uint64_t>();
  return rounds;
}

inline std::string RunState(QmpClient& qmp) {
  const auto status = qmp.Execute("query-status");
  return status ? (*status)["status"].get<std::string>() : status.error().ToString();
}

}  // namespace ktstr
