#include "libcore/results/junit.h"

#include <fmt/format.h>

#include <algorithm>
#include <pugixml.hpp>
#include <sstream>

#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

using Outcome = CaseResult::Outcome;

std::string Seconds(std::chrono::milliseconds duration) {
  return fmt::format("{:.3f}", std::chrono::duration<double>(duration).count());
}

// Line breaks stay.
std::string XmlText(std::string_view text) {
  std::string safe;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (begin > 0) safe += '\n';
    safe += SafeText(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return safe;
}

void AddCase(const CaseResult& result, pugi::xml_node suite) {
  pugi::xml_node test = suite.append_child("testcase");
  test.append_attribute("classname") = SafeText(result.group).c_str();
  test.append_attribute("name") = SafeText(result.name).c_str();
  test.append_attribute("time") = Seconds(result.duration).c_str();
  if (result.outcome == Outcome::kSkipped) test.append_child("skipped");
  if (result.outcome == Outcome::kFailed || result.outcome == Outcome::kError) {
    pugi::xml_node wrong =
        test.append_child(result.outcome == Outcome::kFailed ? "failure" : "error");
    wrong.append_attribute("type") = SafeText(result.type).c_str();
    wrong.append_attribute("message") = XmlText(result.message).c_str();
  }
  if (!result.output.empty()) {
    test.append_child("system-out").text() = XmlText(result.output).c_str();
  }
}

}  // namespace

std::string ToJunit(const std::string& suite, const std::vector<CaseResult>& cases) {
  pugi::xml_document document;
  pugi::xml_node node = document.append_child("testsuites").append_child("testsuite");
  std::chrono::milliseconds time{};
  for (const CaseResult& result : cases) time += result.duration;
  const auto count = [&](Outcome outcome) {
    return std::to_string(std::ranges::count(cases, outcome, &CaseResult::outcome));
  };
  node.append_attribute("name") = SafeText(suite).c_str();
  node.append_attribute("tests") = std::to_string(cases.size()).c_str();
  node.append_attribute("failures") = count(Outcome::kFailed).c_str();
  node.append_attribute("errors") = count(Outcome::kError).c_str();
  node.append_attribute("skipped") = count(Outcome::kSkipped).c_str();
  node.append_attribute("time") = Seconds(time).c_str();
  for (const CaseResult& result : cases) AddCase(result, node);
  std::ostringstream text;
  document.save(text, "  ");
  return text.str();
}

}  // namespace ktstr
