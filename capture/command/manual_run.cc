#include "capture/command/manual_run.h"

#include <sstream>

#include "capture/run/reference.h"

namespace ktstr {

namespace {

// Indented, so that it stands in the page as it is.
std::string IndentedReference() {
  std::istringstream lines(ScenarioReference());
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    text += line.empty() ? "\n" : "  " + line + "\n";
  }
  return text;
}

}  // namespace

Manual RunManual() {
  Manual manual;
  manual.brief = "run tests of a Linux scheduler in guests of their own";
  manual.description =
      "A scenario says what machine is booted, which scheduler it has, what load, what must hold "
      "and what ends the test. A test that passes leaves nothing but its log. Of one that fails "
      "the whole machine stays, frozen at that moment: triggers stop it at a scheduler's exit "
      "before anything of it is torn down, at a panic before the reset, at a write to a variable, "
      "or when a task waits for too long.\n\n"
      "Guests run on KVM where one boots on it, else on QEMU's TCG; the first line of a test's log "
      "says which and why. What is frozen, and when, is the same on both.";
  manual.sections = {
      {"SCENARIOS", IndentedReference(), {}},
      {"FILES",
       "",
       {{"OUT/SCENARIO.kts", "The frozen machine of a test that failed."},
        {"OUT/SCENARIO.log", "What happened, step by step."},
        {"OUT/SCENARIO.console", "What the guest wrote to its serial console."},
        {"~/.cache/ktstr/kernels",
         "The kernels that scenarios name: scx-small, scx-distribution, and Debian's, such as "
         "debian-6.12, debian-7.3, debian-newest-7, debian-6.18-rt. Any other one is named by its "
         "path."},
        {"~/.cache/ktstr/warm",
         "Machines that have booted, or have their scheduler, frozen: tests begin from them the "
         "next "
         "time (see --cold). The 16 that were used last; they may be removed at any time."},
        {"share/ktstr/schedulers",
         "Below the directory that bin is in: our schedulers, as BPF objects."}}},
      {"ENVIRONMENT", "", {{"XDG_CACHE_HOME", "Its directory ktstr stands for ~/.cache/ktstr."}}},
      {"EXAMPLES",
       "Run all scenarios of a directory, two at a time, for a CI system:\n"
       "  ktstr-run scenarios/*.toml --jobs 2 --junit results.xml\n\n"
       "Look at the machine of one that failed:\n"
       "  ktstr-analyze ktstr-results/stall.kts findings",
       {}}};
  manual.see_also = {"ktstr-analyze(1)", "ktstr-capture(1)", "ktstr-replay(1)",
                     "qemu-system-x86_64(1)"};
  return manual;
}

}  // namespace ktstr
