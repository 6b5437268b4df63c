// Archives of synthetic kernels.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "fixtures/sample/temporary_directory.h"
#include "fixtures/synthetic/log_builder.h"
#include "fixtures/synthetic/sched_builder.h"
#include "fixtures/synthetic/stack_builder.h"
#include "fixtures/synthetic/system_builder.h"
#include "libcore/archive/writer.h"

namespace ktstr {

using synthetic::TemporaryDirectory;

// A kernel with `threads` sleeping threads of process 100 beside init, and two log lines.
inline synthetic::SyntheticGuest MakeGuest(uint32_t threads = 3,
                                           const std::string& comm = "worker") {
  synthetic::KernelBuilder kernel;
  synthetic::SchedBuilder sched(kernel);
  synthetic::StackBuilder stacks(kernel, sched);
  synthetic::SystemBuilder system(kernel, {.beside_sched = true});
  synthetic::LogBuilder log(kernel);
  sched.AddProcess({.pid = 1, .comm = "init"});
  const Kva leader = sched.AddProcess({.pid = 100, .comm = comm, .state = 1});
  for (uint32_t i = 1; i < threads; ++i)
    sched.AddThread(leader, {.pid = 100 + i, .comm = comm, .state = 1});
  stacks.Finish();
  system.Finish();
  sched.Finish();
  log.Add({.text = "Linux version synthetic", .time_ns = 0});
  log.Add({.text = "a line with \x1b[31mcolour", .time_ns = 1'500'000'000});
  log.Finish();
  return kernel.Finish();
}

inline void WriteGuest(const synthetic::SyntheticGuest& guest, const std::filesystem::path& path) {
  ArchiveMetadata metadata;
  metadata.captured_at_ns = 1'700'000'000'123'456'789;
  metadata.captured_by = "a test";
  metadata.trigger = "manual";
  metadata.tags = {{"suite", "analyze"}};
  metadata.derivations = {{.name = "vmcoreinfo_pa",
                           .method = "scan",
                           .value = fmt::format("{:#x}", guest.vmcoreinfo.value()),
                           .chosen = true}};
  const auto written =
      WriteArchive(path, {*guest.memory, guest.vcpus, {}, metadata}, {.overwrite = true});
  ASSERT_TRUE(written) << written.error().ToString();
}

}  // namespace ktstr
