// ktstr-run as a user runs it, in a directory of the test's.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analyze/index/database.h"
#include "capture/system/child_process.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

// The scenario of that name in fixtures/scenarios.
std::filesystem::path FixtureScenario(const std::string& name);

// Writes a file that may be executed, in place of what is there; returns its name.
std::filesystem::path Write(const std::filesystem::path& file, const std::string& text);
// All of a file; "" when there is none.
std::string Read(const std::filesystem::path& file);

class RunProgram {
 public:
  // Starts it with --out in `directory`/"out"; with --accel as the environment's KTSTR_TEST_ACCEL
  // says.
  RunProgram(const synthetic::TemporaryDirectory& directory, std::vector<std::string> arguments);

  // Its exit code; -1 when a signal ended it.
  int Wait();
  void Signal(int number);
  void Kill() { process_->Kill(); }
  // Waits until a file of the out directory has `text` in it; false when the program ended before.
  bool AwaitText(const std::string& file, const std::string& text);
  // What it said on both outputs so far.
  std::string said() const;

  std::filesystem::path out() const { return out_; }
  // The names of the files in the out directory that end so.
  std::vector<std::string> Files(const std::string& suffix) const;

 private:
  std::filesystem::path out_;
  UniqueFd said_;
  std::optional<ChildProcess> process_;
};

// All rows of a query over an archive, each as its values joined by a blank; an error as one row.
std::vector<std::string> Rows(const std::filesystem::path& archive, const std::string& sql);

}  // namespace ktstr
