// ktstr-analyze as a user runs it on a small archive.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "archives.h"
#include "run_program.h"

namespace ktstr {

// What the program writes to standard output and standard error is `out`, in its order. Arguments
// are written as a user's shell takes them.
inline Ran Ask(const std::string& arguments) {
  return RunInShell(fmt::format("{} {} 2>&1", KTSTR_ANALYZE, arguments));
}

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    setenv("XDG_CACHE_HOME", (directory_ / "cache").c_str(), 1);
    archive_ = (directory_ / "a.kts").string();
    WriteGuest(MakeGuest(), archive_);
  }

  // Of a member of task_struct, in bytes.
  uint64_t OffsetOf(const std::string& path) {
    const std::string sql = " sql \"SELECT offset_of('task_struct', '" + path + "') AS o\" --json";
    return nlohmann::json::parse(Ask(archive_ + sql).out)[0]["o"];
  }

  TemporaryDirectory directory_;
  std::string archive_;
};

}  // namespace ktstr
