#include "dump_text.h"

#include <regex>

namespace ktstr {

namespace {

class Parser {
 public:
  ParsedDump Parse(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      if (!line.empty() && !line.starts_with("# ")) Take(line);
    }
    return std::move(dump_);
  }

 private:
  void Take(const std::string& line) {
    static const std::regex cpu(R"(CPU (\d+) *: .*)"),
        task(R"( ([* ])\S .*\[(\d+)\].* ([+-]\d+)ms)"), ending(R"(  \? .*\[\d+\].* \?ms)"),
        event(R"(( *SCX_EV_\w+: )( *(\d+)))");
    std::smatch m;
    if (std::regex_match(line, m, cpu)) {
      cpu_ = std::stoll(m[1]);
      into_ = &dump_.cpus[cpu_];
      into_->push_back(line);
    } else if (into_ != &dump_.head && std::regex_match(line, m, task)) {
      TaskText& text = dump_.tasks[std::stoll(m[2])];
      text = {cpu_, m[1] == "*", std::stoll(m[3]), {}};
      if (!text.running) dump_.order[cpu_].push_back(std::stoll(m[2]));
      into_ = &text.lines;
      into_->push_back(std::string(m[0].first, m[3].first) + "NOW");
    } else if (into_ != &dump_.head && std::regex_match(line, m, ending)) {
      into_ = &dump_.ending;
      into_->push_back(line);
    } else if (std::regex_match(line, m, event)) {
      dump_.events[m[1]] = std::stoll(m[3]);
      dump_.event_lines.push_back(m[1].str() + "COUNT of " + std::to_string(m[2].length()));
    } else if (line == "Event counters" || line == "--------------") {
      dump_.event_lines.push_back(line);
    } else {
      into_->push_back(line);
    }
  }

  ParsedDump dump_;
  int64_t cpu_ = 0;
  std::vector<std::string>* into_ = &dump_.head;
};

}  // namespace

ParsedDump ParseDump(const std::vector<std::string>& lines) { return Parser().Parse(lines); }

}  // namespace ktstr
