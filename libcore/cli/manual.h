// What the manual page of a program says beyond its help.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace ktstr {

// Texts are written as in help: an empty line ends a paragraph, and lines that are indented stand
// as they are.
struct ManualSection {
  std::string title;  // "FILES"
  std::string text;
  std::vector<std::pair<std::string, std::string>> entries;  // terms, and what each is
};

struct Manual {
  std::string brief;        // what the program does, in the half sentence that apropos shows
  std::string description;  // behind what help begins with
  // Each behind those that come from help. EXAMPLES is added to the examples of help.
  std::vector<ManualSection> sections;
  std::vector<std::string> see_also;  // "ktstr-run(1)"
};

}  // namespace ktstr
