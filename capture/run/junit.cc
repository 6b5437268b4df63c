#include "ktstr/run/junit.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <pugixml.hpp>
#include <sstream>

#include "ktstr/base/safe_text.h"

namespace ktstr {

namespace {

std::string Seconds(std::chrono::milliseconds duration) {
  return fmt::format("{:.3f}", std::chrono::duration<double>(duration).count());
}

void AddCase(const TestResult& result, pugi::xml_node suite) {
  pugi::xml_node test = suite.append_child("testcase");
  test.append_attribute("classname") = "ktstr";
  test.append_attribute("name") = SafeText(result.name).c_str();
  test.append_attribute("time") = Seconds(result.duration).c_str();
  if (result.verdict == Verdict::kPassed) return;
  // XML 1.0 has no way to write control characters.
  const std::string problems = SafeText(fmt::format("{}", fmt::join(result.problems, "; ")));
  pugi::xml_node wrong =
      test.append_child(result.verdict == Verdict::kFailed ? "failure" : "error");
  wrong.append_attribute("type") = result.trigger.empty()
                                       ? std::string(VerdictName(result.verdict)).c_str()
                                       : result.trigger.c_str();
  wrong.append_attribute("message") = problems.c_str();
  std::string files;
  if (!result.log.empty()) files = fmt::format("log: {}\n", result.log.string());
  for (const auto& archive : result.archives)
    files += fmt::format("archive: {}\n", archive.string());
  if (!files.empty()) test.append_child("system-out").text() = files.c_str();
}

}  // namespace

std::string ToJunit(const std::vector<TestResult>& results) {
  pugi::xml_document document;
  pugi::xml_node suite = document.append_child("testsuites").append_child("testsuite");
  std::chrono::milliseconds time{};
  for (const TestResult& result : results) time += result.duration;
  const auto count = [&](auto&& is) { return std::to_string(std::ranges::count_if(results, is)); };
  suite.append_attribute("name") = "ktstr-run";
  suite.append_attribute("tests") = std::to_string(results.size()).c_str();
  suite.append_attribute("failures") =
      count([](const TestResult& r) { return r.verdict == Verdict::kFailed; }).c_str();
  suite.append_attribute("errors") =
      count([](const TestResult& r) {
        return r.verdict == Verdict::kError || r.verdict == Verdict::kInterrupted;
      }).c_str();
  suite.append_attribute("time") = Seconds(time).c_str();
  for (const TestResult& result : results) AddCase(result, suite);
  std::ostringstream text;
  document.save(text, "  ");
  return text.str();
}

Status WriteJunit(const std::filesystem::path& file, const std::vector<TestResult>& results) {
  std::ofstream stream(file, std::ios::binary);
  stream << ToJunit(results);
  stream.close();
  if (stream) return {};
  return Fail(ErrorCode::kIo, fmt::format("writing '{}' failed", file.string()));
}

}  // namespace ktstr
