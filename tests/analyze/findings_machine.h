// An index made of rows alone, for the tests of the rules that find what is wrong in one.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "analyze/findings/findings.h"
#include "analyze/index/tables.h"
#include "analyze/views/views.h"
#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/task/task.h"

namespace ktstr {

inline constexpr int64_t kSecond = 1'000'000'000;
inline Hex IdleTaskOf(uint64_t cpu) { return Hex(0x1000 + cpu); }

// An index of the rows that were added, all other tables empty.
class FindingsMachine {
 public:
  template <typename Row>
  FindingsMachine& With(std::vector<Row> rows) {
    tables_.push_back(std::make_unique<RowSet<Row>>(std::move(rows)));
    return *this;
  }
  // CPUs that idle, and then those that run the task at `curr`.
  FindingsMachine& WithCpus(uint32_t idle, std::vector<Hex> curr = {}, int64_t nr_running = 2) {
    std::vector<CpuRow> cpus(idle + curr.size());
    for (size_t i = 0; i < cpus.size(); ++i) {
      cpus[i].cpu = static_cast<int64_t>(i);
      cpus[i].online = 1;
      cpus[i].clock_ns = 100 * kSecond;
      cpus[i].clock_behind_ns = 0;
      cpus[i].idle_kva = IdleTaskOf(i);
      cpus[i].curr_kva = i < idle ? IdleTaskOf(i) : curr[i - idle];
      // Tasks in shared dispatch queues count on the run queue that they came from.
      cpus[i].nr_running = i < idle ? 1 : nr_running;
    }
    return With(std::move(cpus));
  }

  // "rule severity subject: detail" of each finding.
  std::vector<std::string> Findings() {
    Database index = Index();
    const auto found = index.Query("SELECT rule, severity, subject, detail, evidence FROM finding");
    std::vector<std::string> findings;
    for (const auto& row : found->rows) {
      const auto text = [&](size_t i) { return std::get<std::string>(row[i]); };
      findings.push_back(fmt::format("{} {} {}: {}", text(0), text(1), text(2), text(3)));
      const auto evidence = nlohmann::json::parse(text(4));
      EXPECT_TRUE(evidence.is_array() && (text(2) == "others" || evidence.at(0).contains("table")))
          << text(4);
    }
    return findings;
  }
  // The sentence of the verdict, and how certain it is: "… (likely)".
  std::string Verdict() {
    const auto verdict = Index().Query("SELECT sentence || ' (' || certainty || ')' FROM verdict");
    EXPECT_EQ(verdict->rows.size(), 1u);
    return std::get<std::string>(verdict->rows.at(0).at(0));
  }
  // "rule <- rule" of each finding that another one explains.
  std::vector<std::string> Explained() {
    const auto pairs = Index().Query(
        "SELECT DISTINCT e.rule || ' <- ' || c.rule FROM finding e JOIN finding c ON c.rank = "
        "e.explained_by ORDER BY e.rank");
    std::vector<std::string> explained;
    for (const auto& row : pairs->rows) explained.push_back(std::get<std::string>(row[0]));
    return explained;
  }

 private:
  Database Index() {
    Database index = Database::InMemory().value();
    for (const auto& table : tables_) EXPECT_TRUE(index.AddTable(*table));
    for (const TableInfo* info : AllTableInfos()) {
      const bool there = std::any_of(tables_.begin(), tables_.end(),
                                     [&](const auto& table) { return &table->info() == info; });
      if (!there && !IsMadeOfOthers(*info)) {
        EXPECT_TRUE(index.AddTable(EmptyTable(*info)));
      }
    }
    const Status views = AddViews(index);
    EXPECT_TRUE(views) << views.error().ToString();
    const Status added = AddFindings(index);
    EXPECT_TRUE(added) << added.error().ToString();
    return index;
  }

  Tables tables_;
};

inline TaskRow Task(int64_t pid, const std::string& sched_class = "fair") {
  TaskRow task;
  task.pid = task.tgid = pid;
  task.comm = "t" + std::to_string(pid);
  task.cpu = 0;
  task.on_cpu = task.on_rq = 0;
  task.sched_class = sched_class;
  task.state = "S";
  task.is_kthread = 0;
  task.affinity = "0-1";
  task.task_kva = Hex(static_cast<uint64_t>(pid));
  return task;
}

}  // namespace ktstr
