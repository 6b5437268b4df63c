#include "capture/run/expectations.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "capture/qemu/json_access.h"
#include "capture/run/own_place.h"
#include "capture/system/child_process.h"
#include "capture/system/memory_file.h"
#include "libcore/base/quantity.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

constexpr std::chrono::seconds kQueryTimeout(120);
constexpr size_t kMaxAnswer = 64 << 20;
constexpr size_t kShownRow = 160;  // characters

double RoundsPerSecond(const json& task) {
  const auto ns = double(IntegerMember(task, "ran_ns").value_or(0));
  return ns <= 0 ? 0 : double(IntegerMember(task, "rounds").value_or(0)) * 1e9 / ns;
}

struct Rates {
  double least = std::numeric_limits<double>::max(), most = 0, sum = 0;
  std::string slowest;
  size_t tasks = 0;
};

void CheckGap(const Expectation& expectation, const json& task, std::vector<std::string>* wrong) {
  const nanoseconds gap(std::max(IntegerMember(task, "longest_gap_ns").value_or(0),
                                 IntegerMember(task, "gap_ns").value_or(0)));
  if (!expectation.max_gap || gap <= *expectation.max_gap) return;
  wrong->push_back(fmt::format("{} did nothing for {} at a time; {} is allowed",
                               SafeText(StringMember(task, "name")), FormatDuration(gap),
                               FormatDuration(*expectation.max_gap)));
}

}  // namespace

std::vector<std::string> CheckWorkers(const Expectation& expectation, const json& workers) {
  std::vector<std::string> wrong;
  Rates rates;
  for (const json& task : workers) {
    if (StringMember(task, "worker") != expectation.worker) continue;
    CheckGap(expectation, task, &wrong);
    const double rate = RoundsPerSecond(task);
    if (rate < rates.least) rates.slowest = StringMember(task, "name");
    rates.least = std::min(rates.least, rate);
    rates.most = std::max(rates.most, rate);
    rates.sum += rate;
    ++rates.tasks;
  }
  if (rates.tasks == 0) return {fmt::format("no task of the worker {} ran", expectation.worker)};
  if (expectation.min_rounds_per_s && rates.least < *expectation.min_rounds_per_s) {
    wrong.push_back(fmt::format("{} did {:.1f} rounds per second; at least {:g} are expected",
                                SafeText(rates.slowest), rates.least,
                                *expectation.min_rounds_per_s));
  }
  const double mean = rates.sum / double(rates.tasks);
  const double spread = mean > 0 ? (rates.most - rates.least) / mean : 0;
  if (expectation.max_spread && (mean <= 0 || spread > *expectation.max_spread)) {
    wrong.push_back(
        fmt::format("the tasks of {} did between {:.1f} and {:.1f} rounds per second, a "
                    "spread of {:.2f}; {:g} is allowed",
                    expectation.worker, rates.least, rates.most, spread, *expectation.max_spread));
  }
  return wrong;
}

std::vector<std::string> CheckAllWorkers(const std::vector<Expectation>& expectations,
                                         const json& workers) {
  std::vector<std::string> problems;
  for (const Expectation& expectation : expectations) {
    if (expectation.worker.empty()) continue;
    for (std::string& wrong : CheckWorkers(expectation, workers)) {
      problems.push_back(expectation.message.empty() ? std::move(wrong)
                                                     : expectation.message + ": " + wrong);
    }
  }
  return problems;
}

std::string CheckRows(const Expectation& expectation, const json& rows) {
  const std::string what =
      expectation.message.empty() ? fmt::format("'{}'", expectation.sql) : expectation.message;
  if (expectation.wants_rows) return rows.empty() ? what + ": no rows" : "";
  if (rows.empty()) return "";
  const std::string first =
      rows.front().dump(-1, ' ', false, json::error_handler_t::replace).substr(0, kShownRow);
  return fmt::format("{}: {} row{}, the first {}", what, rows.size(), rows.size() == 1 ? "" : "s",
                     SafeText(first));
}

Result<json> QueryArchive(const std::filesystem::path& analyze,
                          const std::filesystem::path& archive, const std::string& sql) {
  const UniqueFd out = KTSTR_TRY(MakeMemoryFile("answer")),
                 err = KTSTR_TRY(MakeMemoryFile("errors"));
  const std::string program = analyze.empty() ? ProgramBeside("ktstr-analyze") : analyze.string();
  ChildOptions options = {.argv = {program, archive.string(), "sql", sql, "--json", "--no-index"},
                          .stdout_fd = out.get(),
                          .stderr_fd = err.get()};
  auto child = KTSTR_TRY(ChildProcess::Start(options));
  const int status = KTSTR_TRY(child.Wait(After(kQueryTimeout)));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    const bool usage = WIFEXITED(status) && WEXITSTATUS(status) == int(ExitCode::kUsage);
    std::string said = KTSTR_TRY(ReadTail(err.get(), 4096));
    while (said.ends_with('\n')) said.pop_back();
    return Fail(usage ? ErrorCode::kInvalidArgument : ErrorCode::kPeer,
                said.empty() ? "ktstr-analyze " + DescribeWaitStatus(status) : said);
  }
  json rows = json::parse(KTSTR_TRY(ReadTail(out.get(), kMaxAnswer)), nullptr, false);
  if (!rows.is_array()) return Fail(ErrorCode::kPeer, "ktstr-analyze's answer is no array");
  return rows;
}

Result<std::vector<std::string>> CheckAllQueries(const Scenario& scenario,
                                                 const std::filesystem::path& analyze,
                                                 const std::filesystem::path& archive) {
  std::vector<std::string> problems;
  for (const Expectation& expectation : scenario.expectations) {
    if (expectation.sql.empty()) continue;
    auto rows = QueryArchive(analyze, archive, expectation.sql);
    if (!rows) {
      return Fail(std::move(rows).error().Wrap(fmt::format(
          "{}:{}: the query of this [[expect]]", scenario.file.string(), expectation.line)));
    }
    if (std::string wrong = CheckRows(expectation, *rows); !wrong.empty()) {
      problems.push_back(std::move(wrong));
    }
  }
  return problems;
}

}  // namespace ktstr
