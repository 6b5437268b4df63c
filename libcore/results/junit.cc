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

pugi::xml_document CaseElement(const CaseResult& result) {
  pugi::xml_document element;
  pugi::xml_node test = element.append_child("testcase");
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
  return element;
}

}  // namespace

void JunitSuite::Add(const CaseResult& result) {
  std::ostringstream text;
  constexpr unsigned kDepth = 2;  // below <testsuites> and <testsuite>
  CaseElement(result).first_child().print(text, "  ", pugi::format_default, pugi::encoding_auto,
                                          kDepth);
  cases_ += text.str();
  ++tests_;
  failures_ += result.outcome == Outcome::kFailed;
  errors_ += result.outcome == Outcome::kError;
  skipped_ += result.outcome == Outcome::kSkipped;
  time_ += result.duration;
}

std::string JunitSuite::Text(const std::string& name) const {
  pugi::xml_document document;
  pugi::xml_node node = document.append_child("testsuites").append_child("testsuite");
  node.append_attribute("name") = SafeText(name).c_str();
  node.append_attribute("tests") = std::to_string(tests_).c_str();
  node.append_attribute("failures") = std::to_string(failures_).c_str();
  node.append_attribute("errors") = std::to_string(errors_).c_str();
  node.append_attribute("skipped") = std::to_string(skipped_).c_str();
  node.append_attribute("time") = Seconds(time_).c_str();
  std::ostringstream empty;
  document.save(empty, "  ");
  const std::string around = empty.str();
  if (cases_.empty()) return around;
  // The suite stands there without cases, and so without an end tag.
  constexpr std::string_view kEmptyEnd = " />\n";
  const size_t end = around.rfind(kEmptyEnd);
  std::string text;
  text.reserve(around.size() + cases_.size() + 64);
  text.append(around, 0, end).append(">\n").append(cases_).append("  </testsuite>\n");
  return text.append(around, end + kEmptyEnd.size());
}

std::string ToJunit(const std::string& suite, const std::vector<CaseResult>& cases) {
  JunitSuite junit;
  for (const CaseResult& result : cases) junit.Add(result);
  return junit.Text(suite);
}

}  // namespace ktstr
