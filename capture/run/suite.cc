#include "capture/run/suite.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "libcore/base/side_thread.h"

namespace ktstr {

namespace {

TestResult NotBegun(const SuiteJob& job) {
  TestResult result;
  result.name = job.options.file_name.empty() ? job.scenario.name : job.options.file_name;
  result.verdict = Verdict::kInterrupted;
  result.trigger = "interrupt";
  result.problems = {"it was not begun"};
  return result;
}

}  // namespace

std::vector<TestResult> RunSuite(const std::vector<SuiteJob>& jobs, int at_once,
                                 const Interrupt& interrupt,
                                 const std::function<void(const TestResult&)>& finished) {
  std::vector<TestResult> results(jobs.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i; (i = next.fetch_add(1)) < jobs.size();) {
      results[i] = interrupt.asked() ? NotBegun(jobs[i])
                                     : RunTest(jobs[i].scenario, jobs[i].options, interrupt);
      finished(results[i]);
    }
  };
  std::vector<std::jthread> threads;
  for (int i = 0; i < std::clamp<int>(at_once, 1, int(jobs.size())); ++i) {
    auto thread = TryThread(work);
    if (!thread) break;
    threads.push_back(*std::move(thread));
  }
  // Where the system has no threads left, fewer tests run at a time: one at least.
  if (threads.empty()) work();
  threads.clear();  // joins
  return results;
}

}  // namespace ktstr
