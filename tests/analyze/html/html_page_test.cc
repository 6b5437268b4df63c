// The report in a browser: what a person sees, and what they can do with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "analyze/html/html_report.h"
#include "analyze/index/index.h"
#include "chromium.h"
#include "libcore/walk/system/log.h"
#include "libcore/walk/trace/trace.h"
#include "report_indexes.h"

namespace ktstr {
namespace {

using nlohmann::json;
using testing::IsEmpty;

// One browser for all tests; each loads its own page into it.
class HtmlPageTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = Chromium::Start();
    if (started) {
      browser_ = started->release();
    } else {
      why_not_ = started.error().ToString();
    }
  }
  static void TearDownTestSuite() {
    delete browser_;
    browser_ = nullptr;
  }
  void SetUp() override {
    ASSERT_NE(browser_, nullptr) << why_not_;
    ASSERT_TRUE(browser_->SetSize(1280, 900));
    ASSERT_TRUE(browser_->SetTheme("light"));
  }
  void TearDown() override {
    if (browser_ == nullptr || page_.empty()) return;
    EXPECT_THAT(browser_->errors(), IsEmpty());
    EXPECT_EQ(browser_->requests(), std::vector<std::string>{"file://" + page_.string()});
  }

  void Open(const Database& index) {
    const auto report = HtmlReport(index, "a.kts");
    ASSERT_TRUE(report) << report.error().ToString();
    page_ = directory_ / "a.html";
    std::ofstream(page_, std::ios::binary) << *report;
    const Status opened = browser_->Open(page_);
    ASSERT_TRUE(opened) << opened.error().ToString();
  }
  void OpenState(const std::string& name) {
    const auto archive = std::filesystem::path(KTSTR_STATE_DIR) / (name + ".kts");
    const auto index = OpenIndex(archive, {.use_file = false});
    ASSERT_TRUE(index) << index.error().ToString();
    Open(*index);
  }
  json Ask(const std::string& expression) {
    const auto value = browser_->Evaluate(expression);
    EXPECT_TRUE(value) << value.error().ToString();
    return value ? *value : json();
  }
  // The first cells of a column of a table that is open, from the top.
  json Cells(const std::string& table, const std::string& label) {
    return Ask("(() => { const t = document.querySelector('#table-" + table +
               " table'); const at = [...t.querySelectorAll('th')].findIndex((th) => "
               "th.textContent === '" +
               label +
               "'); return [...t.querySelectorAll("
               "'tbody tr:not(.space)')].slice(0, 5).map((tr) => tr.cells[at].textContent); })()");
  }
  void Sort(const std::string& table, const std::string& label) {
    Ask("[...document.querySelectorAll('#table-" + table +
        " th button')].find((button) => button.textContent === '" + label + "').click()");
  }
  void Filter(const std::string& table, const std::string& text) {
    Ask("(() => { const input = document.getElementById('filter-" + table + "'); input.value = '" +
        text + "'; input.dispatchEvent(new Event('input')); })()");
  }
  json LastOfTrace(const std::string& label);
  std::string Count(const std::string& table) {
    return Ask("document.querySelector('#table-" + table + " output').value");
  }

  synthetic::TemporaryDirectory directory_;
  std::filesystem::path page_;
  static Chromium* browser_;
  static std::string why_not_;
};

Chromium* HtmlPageTest::browser_ = nullptr;
std::string HtmlPageTest::why_not_;

TEST_F(HtmlPageTest, ShowsOfAStallItsFindingsItsCpusAndWhoWaitsInWhichQueue) {
  OpenState("stall");
  EXPECT_THAT(Ask("document.querySelector('main > .verdict h2').textContent").get<std::string>(),
              testing::StartsWith("The scheduler ktstr_vtime has dispatched nothing for 1.064 s"));
  EXPECT_THAT(Ask("document.querySelector('.verdict p').textContent").get<std::string>(),
              testing::HasSubstr("certain; explains 1 idle CPU, 1 long queue, 5 long waits"));
  // It is what a person sees first, and folded below its finding stands what it explains.
  EXPECT_LT(Ask("document.querySelector('.verdict').getBoundingClientRect().bottom"), 600);
  EXPECT_EQ(Ask("document.querySelectorAll('.finding').length"), 1);
  Ask("[...document.querySelectorAll('.finding summary')].at(-1).click()");
  EXPECT_EQ(Ask("document.querySelectorAll('.finding').length"), 9);
  EXPECT_EQ(Ask("[...document.querySelectorAll('.cpu .heading b')].map((b) => b.textContent)"),
            json({"CPU 0", "CPU 1"}));
  EXPECT_THAT(Ask("document.querySelector('.dsqs').textContent").get<std::string>(),
              testing::HasSubstr("user 0x0"));
  EXPECT_EQ(Ask("[...document.querySelectorAll('.dsq')].find((dsq) => dsq.textContent.startsWith("
                "'user 0x0')).querySelectorAll('.bar').length"),
            8);
}

TEST_F(HtmlPageTest, ASlashGoesToTheFilterAndALinkPastTheHead) {
  OpenState("stall");
  Ask("document.dispatchEvent(new KeyboardEvent('keydown', {key: '/', bubbles: true}))");
  EXPECT_THAT(Ask("document.activeElement.id").get<std::string>(), testing::StartsWith("filter-"));
  EXPECT_EQ(Ask("document.querySelector('a.skip').getAttribute('href')"), "#report");
}

TEST_F(HtmlPageTest, TheLogOpensAtTheMomentThatTheVerdictTellsOf) {
  OpenState("oops");
  EXPECT_THAT(Ask("document.querySelector('#table-log tr.marked').textContent").get<std::string>(),
              testing::HasSubstr("BUG: kernel NULL pointer dereference"));
  const std::string distance =
      "document.querySelector('#table-log tr.marked').getBoundingClientRect().top - "
      "document.querySelector('#table-log .scroll').getBoundingClientRect().top";
  EXPECT_LT(Ask(distance), 150);
  EXPECT_GE(Ask(distance), 0);
  // Without one, at its end.
  OpenState("stall");
  EXPECT_EQ(Ask("document.querySelectorAll('#table-log tr.marked').length"), 0);
  EXPECT_EQ(Ask("(() => { const box = document.querySelector('#table-log .scroll'); "
                "return box.scrollHeight - box.clientHeight - box.scrollTop < 2; })()"),
            true);
}

// The newest cells of a column of the trace: those of its last rows, which it opens at.
json HtmlPageTest::LastOfTrace(const std::string& label) {
  return Ask(
      "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => { "
      "const t = document.querySelector('#table-trace table'); const at = "
      "[...t.querySelectorAll('th')].findIndex((th) => th.textContent === '" +
      label +
      "'); drawn([...t.querySelectorAll('tbody tr:not(.space)')].slice(-2).map((tr) => "
      "tr.cells[at].textContent)); })))");
}

TEST_F(HtmlPageTest, WhatWasTracedIsShownBetweenTheLogAndTheCaptureFromItsEnd) {
  OpenState("traced");
  EXPECT_EQ(Ask("[...document.querySelectorAll('nav a')].map((a) => a.textContent).slice(-3)"),
            json({"Log", "Trace", "Capture"}));
  EXPECT_EQ(Ask("[...document.querySelectorAll('main > section')].map((s) => s.id).slice(-3)"),
            json({"log", "trace", "capture"}));
  EXPECT_EQ(Ask("document.querySelector('#trace .note').textContent"),
            "452 events over 1.664 s, the last 0.009 s before the freeze");
  EXPECT_EQ(Count("trace"), "452 rows");
  EXPECT_EQ(LastOfTrace("seq"), json({"450", "451"}));
  EXPECT_EQ(LastOfTrace("age").back(), "8.7 ms");
  Filter("trace", "sched_switch cpu=1 age<200ms");
  EXPECT_THAT(Count("trace"), testing::MatchesRegex("[1-9][0-9]? of 452 rows"));
  EXPECT_EQ(Ask("document.querySelectorAll('#table-trace_buffer').length"), 1);
}

TEST_F(HtmlPageTest, WhereNothingWasTracedNoSectionSaysSo) {
  OpenState("stall");
  EXPECT_EQ(Ask("document.querySelectorAll('#trace, [href=\"#trace\"]').length"), 0);
}

TEST_F(HtmlPageTest, OfALongTraceTheNewestAreShownWithTheNumberOfTheRest) {
  Tables tables = CrowdedMachine(4, 2);
  std::vector<TraceRow> events(3000);
  for (size_t i = 0; i < events.size(); ++i) {
    TraceRow& event = events[i];
    event.seq = static_cast<int64_t>(i) + 1;
    event.age_ns = static_cast<int64_t>(events.size() - i) * 1'000'000;
    event.pid = 7;
    event.event = "print";
    event.text = "<b>" + std::string(i + 1 == events.size() ? 100'000 : 8, 'x');
  }
  TraceBufferRow buffer;
  buffer.events = 3000;
  buffer.overrun = 12;
  buffer.dropped = 1;
  tables.push_back(std::make_unique<RowSet<TraceRow>>(std::move(events)));
  tables.push_back(
      std::make_unique<RowSet<TraceBufferRow>>(std::vector<TraceBufferRow>{std::move(buffer)}));
  Open(MakeIndex(std::move(tables)));
  EXPECT_EQ(Ask("document.querySelector('#trace .note').textContent"),
            "3000 events over 2.999 s, the last 0.001 s before the freeze; 12 more were "
            "overwritten; 1 lost. Below are the newest 2000; 1000 more: ktstr-analyze FILE trace");
  EXPECT_EQ(Count("trace"), "2000 rows");
  EXPECT_EQ(LastOfTrace("seq"), json({"2999", "3000"}));
  EXPECT_EQ(LastOfTrace("task").back(), "<...>-7");
  EXPECT_EQ(LastOfTrace("text")[0], "<b>xxxxxxxx");
  // However long what was written into the trace is.
  EXPECT_LT(LastOfTrace("text")[1].get<std::string>().size(), 5000U);
  ASSERT_TRUE(browser_->SetSize(390, 740));
  EXPECT_LE(Ask("document.documentElement.scrollWidth"), 390);
}

TEST_F(HtmlPageTest, AStackBeginsWithWhatItsTaskWaitsFor) {
  OpenState("stall");
  EXPECT_THAT(
      Ask("[...document.querySelectorAll('.stack summary code')].map((code) => code.textContent)"
          ".filter((text) => text.startsWith('__schedule') || text.startsWith('schedule "
          "')).length"),
      0);
}

TEST_F(HtmlPageTest, ATasksNameIsShownAndNotRun) {
  const std::string name = "</script><img src=x onerror=alert(1)>";
  Tables tables = CrowdedMachine(8, 2, name);
  LogRow line;
  line.text = "<b>bold</b> \x1b[31mred";
  tables.push_back(std::make_unique<RowSet<LogRow>>(std::vector<LogRow>{line}));
  Open(MakeIndex(std::move(tables)));
  EXPECT_EQ(Cells("task", "comm")[0], name + "-4");
  EXPECT_EQ(Cells("log", "text")[0], "<b>bold</b> \\x1b[31mred");
  EXPECT_EQ(Ask("document.querySelectorAll('img, main b b').length"), 0);
}

TEST_F(HtmlPageTest, AColumnSortsUpDownAndBack) {
  Open(MakeIndex(CrowdedMachine(200, 4)));
  const json unsorted = Cells("task", "pid");
  Sort("task", "pid");
  EXPECT_EQ(Cells("task", "pid"), json({"1000", "1001", "1002", "1003", "1004"}));
  Sort("task", "pid");
  EXPECT_EQ(Cells("task", "pid"), json({"1199", "1198", "1197", "1196", "1195"}));
  EXPECT_EQ(Ask("document.querySelector('#table-task th').getAttribute('aria-sort')"),
            "descending");
  Sort("task", "pid");
  EXPECT_EQ(Cells("task", "pid"), unsorted);
  // What is not known comes last, up and down.
  Sort("task", "waiting");
  EXPECT_EQ(Cells("task", "waiting")[0], "1.0 µs");
  Sort("task", "waiting");
  EXPECT_NE(Cells("task", "waiting")[0], "–");
}

TEST_F(HtmlPageTest, AFilterTakesWordsAndConditionsAndStaysInTheAddress) {
  Open(MakeIndex(CrowdedMachine(200, 4)));
  Filter("task", "WORKER-19 cpu=1");
  EXPECT_EQ(Cells("task", "comm"), json({"worker-193", "worker-197"}));
  EXPECT_EQ(Count("task"), "2 of 200 rows");
  EXPECT_EQ(Ask("location.hash"), "#?task=WORKER-19+cpu%3D1");
  Filter("task", "waiting>10ms class=ext");
  EXPECT_EQ(Ask("[...document.querySelectorAll('#table-task tbody tr:not(.space)')].every((tr) => "
                "tr.textContent.includes('ext'))"),
            true);
  Filter("task", "no-such-task");
  EXPECT_EQ(Count("task"), "0 of 200 rows");
  Filter("task", "");
  EXPECT_EQ(Count("task"), "200 rows");
}

TEST_F(HtmlPageTest, AStackUnfoldsToItsFramesAndTasks) {
  OpenState("stall");
  EXPECT_EQ(Ask("document.querySelectorAll('.frames').length"), 0);
  Ask("new Promise((done) => { const stack = document.querySelector('.stack'); "
      "stack.addEventListener('toggle', () => setTimeout(done)); stack.open = true; })");
  EXPECT_GE(Ask("document.querySelectorAll('.stack[open] .frames li').length"), 1);
  EXPECT_GE(Ask("document.querySelectorAll('.stack[open] .members .link').length"), 1);
}

TEST_F(HtmlPageTest, AStackIsReachedFromItsTask) {
  OpenState("stall");
  const std::string stack = Cells("task", "stack")[0];
  Ask("document.querySelector('#table-task tbody tr:not(.space) .link').click()");
  EXPECT_EQ(Ask("document.querySelector('.stack[open]').id"),
            "stack-" + stack.substr(std::string("stack ").size()));
}

TEST_F(HtmlPageTest, FitsAPhoneInBothThemes) {
  for (const char* state : {"stall", "starve-cgroup", "panic", "traced"}) {
    OpenState(state);
    std::vector<std::string> backgrounds;
    for (const char* theme : {"light", "dark"}) {
      ASSERT_TRUE(browser_->SetTheme(theme));
      for (const int width : {360, 768, 1280}) {
        ASSERT_TRUE(browser_->SetSize(width, 740));
        Ask("document.querySelectorAll('details').forEach((details) => details.open = true)");
        EXPECT_LE(Ask("document.documentElement.scrollWidth"), width) << state << " " << theme;
      }
      backgrounds.push_back(Ask("getComputedStyle(document.body).backgroundColor"));
    }
    EXPECT_NE(backgrounds[0], backgrounds[1]);
  }
}

// The least contrast (WCAG 2: 4.5 is enough for text) of texts to what is behind them.
constexpr const char* kLeastContrast = R"js((() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const channels = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((c) => c / 255)
        .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element !== null; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if (channels(color)[3] === 255) return color;
    }
    return 'white';
  };
  let least = {contrast: 21};
  for (const selector of ['h1', 'dt', 'dd', '.chip', 'small', '.link', '.severity', '.where',
                          '.label', '.legend', 'nav a', '.count', '.note', 'td', 'th button', 'summary']) {
    for (const element of document.querySelectorAll(selector)) {
      const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < least.contrast) least = {contrast, selector, text: element.textContent};
    }
  }
  return least;
})())js";

TEST_F(HtmlPageTest, TextsStandOutFromWhatIsBehindThemInBothThemes) {
  for (const char* state : {"soft-lockup", "rt-hog", "lost-task", "traced"}) {
    OpenState(state);
    for (const char* theme : {"light", "dark"}) {
      ASSERT_TRUE(browser_->SetTheme(theme));
      const json least = Ask(kLeastContrast);
      EXPECT_GE(least["contrast"], 4.5) << state << " " << theme << " " << least;
    }
  }
}

TEST_F(HtmlPageTest, AMachineWhoseKernelWasNotFoundSaysSo) {
  Open(MakeIndex({}));
  EXPECT_THAT(Ask("document.getElementById('machine').textContent").get<std::string>(),
              testing::HasSubstr("No CPU can be drawn"));
  EXPECT_THAT(Ask("document.getElementById('stacks').textContent").get<std::string>(),
              testing::HasSubstr("No stack could be read."));
}

TEST_F(HtmlPageTest, ALongNameDoesNotWidenThePage) {
  Open(MakeIndex(CrowdedMachine(40, 2, std::string(300, 'x'))));
  ASSERT_TRUE(browser_->SetSize(360, 740));
  EXPECT_LE(Ask("document.documentElement.scrollWidth"), 360);
}

TEST_F(HtmlPageTest, TheThemeCanBeChosen) {
  Open(MakeIndex(CrowdedMachine(1, 1)));
  const json light = Ask("getComputedStyle(document.body).backgroundColor");
  for (int clicks = 0; clicks < 2; ++clicks) Ask("document.getElementById('theme').click()");
  EXPECT_EQ(Ask("document.getElementById('theme').textContent"), "Theme: dark");
  EXPECT_NE(Ask("getComputedStyle(document.body).backgroundColor"), light);
}

TEST_F(HtmlPageTest, ManyCpusAndLongQueuesAreCutWithTheNumberOfTheRest) {
  Open(MakeIndex(CrowdedMachine(10'000, 256)));
  EXPECT_EQ(Ask("document.querySelectorAll('.cell').length"), 256);
  EXPECT_EQ(Ask("document.querySelectorAll('.cpu').length"), 12);
  EXPECT_EQ(Ask("document.querySelector('.machine > .more').textContent"),
            "and 52 CPUs more whose tasks wait");
  // All of them on the first screen, or little more.
  EXPECT_LE(
      Ask("document.querySelector('.machine > .tiles:not([hidden])').getBoundingClientRect().top - "
          "document.querySelector('.machine').getBoundingClientRect().top"),
      1000);
  // One that is chosen is shown in full, and goes when it is chosen again.
  Ask("document.querySelectorAll('.cell')[200].click()");
  EXPECT_EQ(Ask("document.querySelector('.chosen .heading b').textContent"), "CPU 200");
  EXPECT_EQ(Ask("document.querySelectorAll('.cell[aria-expanded=true]').length"), 1);
  Ask("document.querySelectorAll('.cell')[200].click()");
  EXPECT_EQ(Ask("document.querySelectorAll('.chosen .cpu').length"), 0);
  EXPECT_EQ(Ask("document.querySelectorAll('.dsq .bar').length"), 12);
  EXPECT_EQ(Ask("document.querySelector('.dsq .more').textContent"), "and 1238 more");
  Ask("document.querySelector('.dsq .more .link').click()");
  EXPECT_EQ(Count("dsq_task"), "1250 rows");
  ASSERT_TRUE(browser_->SetSize(360, 740));
  EXPECT_LE(Ask("document.documentElement.scrollWidth"), 360);
}

// No limit on the times, which depend on the machine: they are printed.
TEST_F(HtmlPageTest, TenThousandTasksOpenSortAndFilter) {
  const auto begin = std::chrono::steady_clock::now();
  Open(MakeIndex(CrowdedMachine(10'000, 16)));
  const auto opened = std::chrono::steady_clock::now();
  EXPECT_EQ(Count("task"), "10000 rows");
  EXPECT_LT(Ask("document.querySelectorAll('#table-task tbody tr').length"), 200);
  const auto timed = [&](const std::string& action) {
    return Ask("(() => { const begin = performance.now(); " + action +
               "; document.body.offsetHeight; return performance.now() - begin; })()")
        .get<double>();
  };
  const std::string button =
      "[...document.querySelectorAll('#table-task th button')].find((button) => "
      "button.textContent.startsWith('comm')).click()";
  const double sort = timed(button);
  EXPECT_EQ(Cells("task", "pid")[1], "1001");
  const double again = timed(button);
  EXPECT_EQ(Cells("task", "comm")[0], "worker-9999");
  const double first_filter = timed(
      "document.getElementById('filter-task').value = 'worker-99'; "
      "document.getElementById('filter-task').dispatchEvent(new "
      "Event('input'))");
  EXPECT_EQ(Count("task"), "111 of 10000 rows");
  const double second_filter = timed(
      "document.getElementById('filter-task').value = 'worker-999'; "
      "document.getElementById('filter-task').dispatchEvent(new "
      "Event('input'))");
  // Rows come into being where one scrolls to.
  Ask("document.getElementById('filter-task').value = ''; "
      "document.getElementById('filter-task').dispatchEvent(new Event('input'))");
  Ask("new Promise((scrolled) => { const box = document.querySelector('#table-task .scroll'); "
      "box.addEventListener('scroll', () => requestAnimationFrame(() => scrolled()), "
      "{once: true}); box.scrollTop = box.scrollHeight; })");
  EXPECT_EQ(Ask("[...document.querySelectorAll('#table-task tbody tr:not(.space)')].at(-1)"
                ".getAttribute('aria-rowindex')"),
            "10001");
  const double load = Ask("performance.getEntriesByType('navigation')[0].loadEventEnd");
  std::printf(
      "10000 tasks, 100000 frames: page of %.1f MB; made and opened in %.0f ms, of which "
      "loading %.0f ms; sorting %.0f and %.0f ms; filtering %.0f and %.0f ms\n",
      static_cast<double>(std::filesystem::file_size(page_)) / 1e6,
      std::chrono::duration<double, std::milli>(opened - begin).count(), load, sort, again,
      first_filter, second_filter);
}

}  // namespace
}  // namespace ktstr
