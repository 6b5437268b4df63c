// The report as a file: what is in it, and that nothing of the guest is markup.
#include "analyze/html/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "analyze/html/column_json.h"
#include "analyze/html/page.h"
#include "libcore/walk/system/log.h"
#include "libcore/walk/system/machine.h"
#include "report_indexes.h"

namespace ktstr {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

constexpr const char* kHostile = "</script><img src=x onerror=alert(1)>";

// The data of a page, as its scripts read it.
json DataOf(const std::string& page) {
  const std::string open = "<script id=\"data\" type=\"application/json\">";
  const size_t begin = page.find(open) + open.size();
  return json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

const json& TableOf(const json& data, std::string_view id) {
  for (const json& table : data["tables"]) {
    if (table["id"] == id) return table["columns"];
  }
  return data["no such table"];
}

const json& ColumnOf(const json& columns, std::string_view name) {
  for (const json& column : columns) {
    if (column["name"] == name) return column;
  }
  return columns["no such column"];
}

std::string MustReport(const Database& index) {
  const auto page = HtmlReport(index, "a.kts");
  EXPECT_TRUE(page) << page.error().ToString();
  return page ? *page : "";
}

TEST(HtmlReportTest, HoldsEveryTaskOnceAndStacksOnceForAllTasksThatShareThem) {
  const json data = DataOf(MustReport(MakeIndex(CrowdedMachine(1000, 4))));
  EXPECT_THAT(ColumnOf(TableOf(data, "task"), "pid")["values"], SizeIs(1000));
  EXPECT_THAT(data["stacks"], SizeIs(131));
  size_t tasks = 0;
  for (const json& stack : data["stacks"]) tasks += stack["tasks"].size();
  EXPECT_EQ(tasks, 1000u);
}

TEST(HtmlReportTest, SaysTextsThatRepeatOnceAndKeepsTheUnknownUnknown) {
  const json data = DataOf(MustReport(MakeIndex(CrowdedMachine(1000, 4))));
  const json& cgroup = ColumnOf(TableOf(data, "task"), "cgroup");
  EXPECT_TRUE(cgroup["shared"]);
  const json& pid = ColumnOf(TableOf(data, "task"), "pid")["values"];
  const size_t row = static_cast<size_t>(std::find(pid.begin(), pid.end(), 1003) - pid.begin());
  EXPECT_EQ(data["texts"][cgroup["values"][row].get<size_t>()], "/group-3");
  EXPECT_EQ(ColumnOf(TableOf(data, "task"), "waiting_ns")["values"][row], nullptr);
  EXPECT_EQ(ColumnOf(TableOf(data, "task"), "waiting_ns")["unit"], "ns");
}

TEST(HtmlReportTest, ATasksNameIsNoMarkup) {
  const std::string page = MustReport(MakeIndex(CrowdedMachine(4, 2, kHostile)));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, HasSubstr("\\u003c/script>\\u003cimg src=x onerror=alert(1)>-0"));
  EXPECT_EQ(ColumnOf(TableOf(DataOf(page), "task"), "comm")["values"].back(),
            std::string(kHostile) + "-3");
}

TEST(HtmlReportTest, ALineOfTheLogCannotDriveATerminalThatShowsTheFile) {
  Tables tables = CrowdedMachine(1, 1);
  LogRow line;
  line.text = "red \x1b[31m\x9b and a second\nline";
  tables.push_back(std::make_unique<RowSet<LogRow>>(std::vector<LogRow>{line}));
  const std::string page = MustReport(MakeIndex(std::move(tables)));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
  EXPECT_THAT(page, Not(HasSubstr("\x9b")));
  const json text = ColumnOf(TableOf(DataOf(page), "log"), "text")["values"];
  EXPECT_EQ(text, json({"red \\x1b[31m\\x9b and a second", "line"}));
}

TEST(HtmlReportTest, TheTitleSaysWhatWasFrozenAndWhy) {
  Tables tables = CrowdedMachine(1, 1);
  const std::vector<MachineRow> machine = {{"trigger", "<stall>"},
                                           {"captured_at", "2026-01-31 12:00:00.123456789 UTC"},
                                           {"release", "6.12.0"}};
  tables.push_back(std::make_unique<RowSet<MachineRow>>(machine));
  EXPECT_THAT(MustReport(MakeIndex(std::move(tables))),
              HasSubstr("<title>&lt;stall&gt; · 2026-01-31 12:00:00 UTC · Linux 6.12.0</title>"));
}

TEST(HtmlReportTest, TheSameMachineGivesTheSamePage) {
  EXPECT_EQ(MustReport(MakeIndex(CrowdedMachine(50, 2))),
            MustReport(MakeIndex(CrowdedMachine(50, 2))));
}

TEST(HtmlReportTest, ThePageAsksForNothingOutsideAndRunsOnlyItsOwnScript) {
  const std::string page = HtmlPage("title", "{}");
  EXPECT_THAT(page, HasSubstr("default-src 'none'; style-src 'sha256-"));
  EXPECT_THAT(page, Not(HasSubstr("unsafe")));
  EXPECT_THAT(page, Not(HasSubstr("http:")));
  EXPECT_THAT(page, Not(HasSubstr("https:")));
}

}  // namespace
}  // namespace ktstr
