#include "analyze/html/html_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "analyze/html/column_json.h"
#include "analyze/html/page.h"
#include "analyze/html/report_tables.h"
#include "analyze/text/lines.h"
#include "analyze/text/log_moment.h"
#include "analyze/text/stack_groups.h"
#include "analyze/text/trace_extent.h"

namespace ktstr {

namespace {

constexpr const char* kTitleParts =
    "SELECT (SELECT group_concat(DISTINCT ops_name) FROM scx), "
    "(SELECT value FROM machine WHERE key = 'trigger'), "
    "(SELECT substr(value, 1, 19) || ' UTC' FROM machine WHERE key = 'captured_at'), "
    "(SELECT 'Linux ' || value FROM machine WHERE key = 'release'), "
    "(SELECT 'read while it ran: rows are of different moments' FROM machine "
    "WHERE key = 'ran_while_read')";

// `note`: what is to be said above it, or nothing.
std::string TableJson(const ReportTable& table, const QueryResult& rows, SharedTexts& texts,
                      const std::string& note = "") {
  std::vector<const TableInfo*> sources;
  for (const char* name : table.sources) sources.push_back(FindTableInfo(name));
  return fmt::format("{{\"section\":{},\"id\":{},\"title\":{},\"open\":{},{}\"columns\":{}}}",
                     JsonText(table.section), JsonText(table.id), JsonText(table.title), table.open,
                     note.empty() ? "" : "\"note\":" + JsonText(note) + ",",
                     ColumnsJson(rows, sources, texts));
}

// A message of several lines becomes as many rows; its text is the last column.
QueryResult ByLine(QueryResult messages) {
  QueryResult lines{std::move(messages.columns), {}};
  for (auto& row : messages.rows) {
    const auto* text = std::get_if<std::string>(&row.back());
    const std::vector<std::string_view> parts =
        text == nullptr ? std::vector<std::string_view>() : LinesOf(*text);
    if (parts.size() < 2) {
      lines.rows.push_back(std::move(row));
      continue;
    }
    for (const std::string_view part : parts) {
      lines.rows.push_back(row);
      lines.rows.back().back() = std::string(part);
    }
  }
  return lines;
}

// An array of {"frames", "end", "running", "tasks"}.
std::string StacksJson(const StackGroups& stacks) {
  std::string json;
  for (const StackGroup& group : stacks.groups) {
    json += fmt::format("{}{{\"frames\":[{}],\"end\":{},\"running\":{},\"tasks\":[{}]}}",
                        json.empty() ? "" : ",", fmt::join(group.frames, ","), JsonText(group.end),
                        group.running, fmt::join(group.tasks, ","));
  }
  return "[" + json + "]";
}

// The tasks and, as a column of theirs, the stacks.
struct TasksAndStacks {
  std::string tasks, stacks;
};

Result<TasksAndStacks> TasksAndStacksJson(const Database& index, SharedTexts& texts) {
  QueryResult tasks = KTSTR_TRY(index.Query(ReportTaskSql()));
  const size_t kva = tasks.columns.size() - 1;
  const StackGroups stacks = KTSTR_TRY(GroupStacks(index, tasks, kva, texts));
  tasks.columns.insert(tasks.columns.end() - 1, "stack");
  for (size_t i = 0; i < tasks.rows.size(); ++i) {
    const auto group = stacks.of_task.find(i);
    tasks.rows[i].insert(
        tasks.rows[i].end() - 1,
        group == stacks.of_task.end() ? Value() : Value(static_cast<int64_t>(group->second) + 1));
  }
  const ReportTable table = {"Tasks", "task", "Tasks", "", {"task"}, true};
  const std::string json = TableJson(table, tasks, texts);
  return TasksAndStacks{json, StacksJson(stacks)};
}

std::string TraceNote(const TraceExtent& trace) {
  const int64_t more = trace.held - kReportTraceEvents;
  return TraceExtentText(trace) + (more <= 0 ? ""
                                             : fmt::format(". Below are the newest {}; {} more: "
                                                           "ktstr-analyze FILE trace",
                                                           kReportTraceEvents, more));
}

// All but the tasks, each with a comma before it.
Result<std::string> OtherTablesJson(const Database& index, SharedTexts& texts) {
  const TraceExtent trace = KTSTR_TRY(ReadTraceExtent(index));
  std::string json;
  for (const ReportTable& table : ReportTables()) {
    if (table.section == kTraceSection && trace.events == 0) continue;
    QueryResult rows = KTSTR_TRY(index.Query(table.sql));
    const std::string_view id = table.id;
    if (id == "log" || id == "trace") rows = ByLine(std::move(rows));
    json += "," + TableJson(table, rows, texts, id == "trace" ? TraceNote(trace) : "");
  }
  return json;
}

// Texts of several lines that a scheduler left when it ended: an array of {"title", "lines"}.
Result<std::string> ExitTextsJson(const Database& index) {
  const QueryResult rows = KTSTR_TRY(
      index.Query("SELECT name || ', backtrace of its exit', exit_backtrace FROM scx JOIN "
                  "scheduler_name USING (scheduler) UNION ALL SELECT name || ', dump of its exit', "
                  "exit_dump FROM scx JOIN scheduler_name USING (scheduler)"));
  std::string json;
  for (const auto& row : rows.rows) {
    const auto* text = std::get_if<std::string>(&row[1]);
    if (text == nullptr || text->empty()) continue;
    const auto* title = std::get_if<std::string>(&row[0]);
    std::string lines;
    for (const std::string_view line : LinesOf(*text)) {
      lines += (lines.empty() ? "" : ",") + JsonText(line);
    }
    json += fmt::format("{}{{\"title\":{},\"lines\":[{}]}}", json.empty() ? "" : ",",
                        JsonText(title == nullptr ? "" : *title), lines);
  }
  return "[" + json + "]";
}

}  // namespace

Result<std::string> ReportTitle(const Database& index) {
  const QueryResult parts = KTSTR_TRY(index.Query(kTitleParts));
  std::string title;
  for (const Value& part : parts.rows[0]) {
    const auto* text = std::get_if<std::string>(&part);
    if (text != nullptr) title += (title.empty() ? "" : " · ") + *text;
  }
  return title.empty() ? "A frozen machine" : title;
}

Result<std::string> HtmlReport(const Database& index, const std::string& name) {
  SharedTexts texts;
  const QueryResult findings =
      KTSTR_TRY(index.Query("SELECT rank, severity, subject, detail, rule, explained_by, evidence "
                            "FROM finding ORDER BY rank"));
  const QueryResult verdict = KTSTR_TRY(
      index.Query("SELECT sentence, certainty, severity, explains, evidence FROM verdict"));
  const std::optional<int64_t> moment = KTSTR_TRY(LogMoment(index));
  const TasksAndStacks tasks = KTSTR_TRY(TasksAndStacksJson(index, texts));
  const QueryResult now = KTSTR_TRY(index.Query("SELECT * FROM cpu_now"));
  const std::string tables = tasks.tasks + KTSTR_TRY(OtherTablesJson(index, texts));
  // One after the other: the texts that they share come last.
  const std::string finding_columns = ColumnsJson(findings, {FindTableInfo("finding")}, texts);
  const std::string verdict_columns = ColumnsJson(verdict, {FindTableInfo("verdict")}, texts);
  const std::string now_columns = ColumnsJson(now, {}, texts);
  const std::string json = fmt::format(
      "{{\"name\":{},\"verdict\":{},\"findings\":{},\"cpu_now\":{},\"tables\":[{}],\"stacks\":{},"
      "\"moment\":{},"
      "\"exit_texts\":{},\"texts\":{}}}",
      JsonText(name), verdict_columns, finding_columns, now_columns, tables, tasks.stacks,
      moment ? std::to_string(*moment) : "null", KTSTR_TRY(ExitTextsJson(index)), TextsJson(texts));
  return HtmlPage(KTSTR_TRY(ReportTitle(index)), json);
}

}  // namespace ktstr
