#include "run_program.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "analyze/index/index.h"
#include "analyze/text/output.h"
#include "capture/system/memory_file.h"

namespace ktstr {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::minutes;

fs::path Write(const fs::path& file, const std::string& text) {
  std::ofstream(file) << text;
  fs::permissions(file, fs::perms::owner_all);
  return file;
}

std::string Read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

fs::path FixtureScenario(const std::string& name) {
  return fs::path(KTSTR_SCENARIO_DIR) / (name + ".toml");
}

RunProgram::RunProgram(const synthetic::TemporaryDirectory& directory,
                       std::vector<std::string> arguments)
    : out_(directory / "out"), said_(*MakeMemoryFile("said")) {
  std::vector<std::string> argv = {KTSTR_RUN_PROGRAM, "--out", out_.string()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  if (const char* accelerator = std::getenv("KTSTR_TEST_ACCEL")) {
    argv.insert(argv.end(), {"--accel", accelerator});
  }
  auto started =
      ChildProcess::Start({.argv = argv, .stdout_fd = said_.get(), .stderr_fd = said_.get()});
  if (started) process_.emplace(*std::move(started));
}

int RunProgram::Wait() {
  if (!process_) return -1;
  const auto status = process_->Wait(After(minutes(4)));
  return status && WIFEXITED(*status) ? WEXITSTATUS(*status) : -1;
}

void RunProgram::Signal(int number) { kill(process_->pid(), number); }

bool RunProgram::AwaitText(const std::string& file, const std::string& text) {
  // What another process writes to a file is announced by nothing.
  for (const Deadline deadline = After(minutes(2)); PollTimeout(deadline) > 0;) {
    if (Read(out_ / file).find(text) != std::string::npos) return true;
    if (process_->Wait(After(milliseconds(10)))) return false;
  }
  return false;
}

std::string RunProgram::said() const { return ReadTail(said_.get(), 1 << 20).value_or(""); }

std::vector<std::string> RunProgram::Files(const std::string& suffix) const {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(out_, ignored)) {
    std::string name = entry.path().filename().string();
    if (name.ends_with(suffix)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

std::vector<std::string> Rows(const fs::path& archive, const std::string& sql) {
  // With a file, so that the next question finds it.
  const auto index = OpenIndex(archive, {});
  if (!index) return {index.error().ToString()};
  const auto result = index->Query(sql, {});
  if (!result) return {result.error().ToString()};
  std::vector<std::string> rows;
  for (const auto& row : result->rows) {
    std::string& text = rows.emplace_back();
    for (const auto& value : row) text += (text.empty() ? "" : " ") + ToDisplay(value);
  }
  return rows;
}

}  // namespace ktstr
