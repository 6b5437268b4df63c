// Runs a command as a user's shell does.
#pragma once

#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "fixtures/sample/temporary_directory.h"

namespace ktstr {

struct Ran {
  int exit_code = -1;  // -1: ended by a signal
  std::string out, err;
};

// By bash, with nothing on standard input.
inline Ran RunInShell(const std::string& command) {
  const synthetic::TemporaryDirectory directory;
  const auto text_of = [&](const char* name) {
    std::ifstream file(directory / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  std::ofstream(directory / "command") << command << '\n';
  const std::string path = directory.path().string();
  const int status =
      std::system(fmt::format("bash {0}/command < /dev/null > {0}/out 2> {0}/err", path).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of("out"), text_of("err")};
}

// The subcommands of ktstr-analyze, by what it says that may follow an archive.
inline std::vector<std::string> SubcommandsOf(const std::string& analyze) {
  std::istringstream lines(RunInShell(analyze + " --complete-words x.kts ''").out);
  std::vector<std::string> names;
  std::string line;
  std::getline(lines, line);  // what files may follow
  while (std::getline(lines, line)) names.push_back(line.substr(0, line.find('\t')));
  return names;
}

}  // namespace ktstr
