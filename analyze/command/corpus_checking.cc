// ktstr-analyze corpus check, corpus expect
#include <fmt/format.h>

#include "analyze/command/check_arguments.h"
#include "analyze/command/common_options.h"
#include "analyze/command/corpus_command.h"
#include "analyze/corpus/corpus_check.h"
#include "analyze/corpus/expected.h"
#include "analyze/corpus/parallel.h"
#include "analyze/corpus/reuse_memory.h"
#include "analyze/text/output.h"
#include "libcore/base/output.h"
#include "libcore/base/patient_bar.h"
#include "libcore/base/safe_text.h"
#include "libcore/base/text_file.h"
#include "libcore/results/junit.h"
#include "libcore/results/tap.h"

namespace ktstr {

namespace {

struct CorpusCheckArguments : CorpusArguments {
  CheckArguments check;
  int jobs = 0;
};

struct ExpectArguments : CorpusArguments {
  bool update = false;
  int jobs = 0;
  double timeout_s = 60;
  size_t lines = 20;
};

// What became of the archives, in the form that is asked for. Of each only that is kept, and of
// JSON nothing: it is written as it comes, where no pager is to show it.
class CheckReport {
 public:
  CheckReport(const CheckArguments& arguments, bool json, Severity fail_on)
      : arguments_(arguments),
        fail_on_(fail_on),
        format_(arguments.tap ? Format::kTap
                : json        ? Format::kJson
                              : Format::kText) {}

  // Errors: kIo.
  Status Add(const ArchiveCheck& check) {
    if (!arguments_.junit.empty()) {
      for (const CaseResult& ci : ForCi(check, fail_on_)) junit_.Add(ci);
    }
    switch (format_) {
      case Format::kTap:
        for (const CaseResult& ci : ForCi(check, fail_on_)) tap_.Add(ci);
        return {};
      case Format::kText:
        text_.Add(check);
        return {};
      case Format::kJson:
        break;
    }
    const std::string piece = json_.Add(check);
    if (!output_.is_terminal()) return output_.Write(EscapeControls(piece));
    kept_json_ += piece;
    return {};
  }

  // Writes what is asked for as a file, and gives what is left to be shown. Errors: kIo.
  Result<std::string> End() const {
    if (!arguments_.junit.empty()) {
      KTSTR_TRY(WriteTextFile(arguments_.junit, junit_.Text("ktstr-analyze"), Readers::kByUmask));
    }
    switch (format_) {
      case Format::kTap:
        return tap_.Text();
      case Format::kText:
        return text_.Text(TerminalWidth());
      case Format::kJson:
        break;
    }
    return kept_json_ + json_.End();
  }

 private:
  enum class Format { kText, kJson, kTap };

  const CheckArguments& arguments_;
  const Severity fail_on_;
  const Format format_;
  Output& output_ = Output::Standard();
  JunitSuite junit_;
  TapReport tap_;
  CorpusCheckText text_;
  CorpusCheckJson json_;
  std::string kept_json_;
};

Result<std::string> Check(Session& session, const CorpusCheckArguments& arguments) {
  const std::vector<Rule> rules = KTSTR_TRY(ChooseRules(arguments.check));
  const Severity fail_on = KTSTR_TRY(ParseSeverity(arguments.check.fail_on));
  const Corpus corpus = KTSTR_TRY(Corpus::Open(arguments.directory));
  const auto entries = KTSTR_TRY(ChosenEntries(corpus, arguments));
  const CorpusWork work{arguments.jobs, session.arguments().memory};
  ReuseFreedMemory(work.threads());
  PatientBar bar("checking");
  CheckReport report(arguments.check, session.json(), fail_on);
  size_t done = 0;
  KTSTR_TRY(CheckCorpus(corpus, entries, rules, arguments.check.options, work,
                        [&](const ArchiveCheck& check) {
                          bar.Set(++done, entries.size());
                          if (!check.error.empty() || SomethingFails(check.results, fail_on)) {
                            session.set_exit_code(ExitCode::kAnswerIsNo);
                          }
                          return report.Add(check);
                        }));
  return report.End();
}

std::string OtherAnswerText(const CorpusEntry& entry, const OtherAnswer& difference, size_t most) {
  if (difference.unknown && difference.lines.empty()) {
    return fmt::format("{}: {}: nothing is expected yet (--update)\n", entry.name,
                       difference.question);
  }
  std::string text = fmt::format("{}: {}\n", entry.name, difference.question);
  for (size_t i = 0; i < difference.lines.size() && i < most; ++i)
    text += fmt::format("  {}\n", SafeText(difference.lines[i]));
  if (difference.lines.size() > most)
    text += fmt::format("  and {} more\n", difference.lines.size() - most);
  return text;
}

Result<std::string> Update(const Corpus& corpus, const std::vector<CorpusEntry>& entries,
                           const std::vector<Question>& questions, const ExpectArguments& arguments,
                           const CorpusWork& work) {
  KTSTR_TRY(ForEachInOrder<Status>(
      entries.size(), work,
      [&](size_t i) {
        return UpdateExpected(corpus, entries[i], questions, arguments.timeout_s,
                              work.memory_of_each());
      },
      [&](size_t, Status updated) { return updated; }));
  return fmt::format("{} archives: the answers to {} questions are what is expected now\n",
                     entries.size(), questions.size());
}

Result<std::string> Expect(Session& session, const ExpectArguments& arguments) {
  const Corpus corpus = KTSTR_TRY(Corpus::Open(arguments.directory));
  const auto entries = KTSTR_TRY(ChosenEntries(corpus, arguments));
  const auto questions = KTSTR_TRY(QuestionsOf(corpus));
  const CorpusWork work{arguments.jobs, session.arguments().memory};
  ReuseFreedMemory(work.threads());
  if (arguments.update) return Update(corpus, entries, questions, arguments, work);
  std::string text;
  size_t same = 0;
  ArchiveFailures failures;
  PatientBar bar("asking");
  using OtherAnswers = Result<std::vector<OtherAnswer>>;
  KTSTR_TRY(ForEachInOrder<OtherAnswers>(
      entries.size(), work,
      [&](size_t i) {
        return CompareWithExpected(corpus, entries[i], questions, arguments.timeout_s,
                                   work.memory_of_each());
      },
      [&](size_t i, OtherAnswers differences) -> Status {
        bar.Set(i + 1, entries.size());
        if (!differences) return failures.Add(entries[i].name, differences.error());
        const std::vector<OtherAnswer>& found = *differences;
        for (const OtherAnswer& difference : found) {
          text += OtherAnswerText(entries[i], difference, arguments.lines);
          session.set_exit_code(ExitCode::kAnswerIsNo);
        }
        same += found.empty();
        return {};
      }));
  if (!failures.empty()) {
    session.Note(failures.Text(entries.size()));
    session.set_exit_code(ExitCode::kAnswerIsNo);
  }
  return text + fmt::format("{} of {} archives answer as expected\n", same, entries.size());
}

void DeclareCorpusCheck(Options* check, Command* chosen) {
  auto arguments = std::make_shared<CorpusCheckArguments>();
  AddCorpusOptions(check, arguments.get());
  AddCheckOptions(check, &arguments->check);
  AddJobsOption(check, &arguments->jobs);
  check->OnChosen([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Check(session, *arguments); };
  });
}

void DeclareExpect(Options* expect, Command* chosen) {
  auto arguments = std::make_shared<ExpectArguments>();
  AddCorpusOptions(expect, arguments.get());
  expect->Add("--update", &arguments->update, "Make the answers of today what is expected");
  expect->Add("--lines", &arguments->lines, "Show at most that many lines of a difference")
      .TypeName("N")
      .ShowDefault();
  AddJobsOption(expect, &arguments->jobs);
  AddTimeoutOption(expect, &arguments->timeout_s);
  expect->SetFooter(
      "The questions: findings, rules (which built-in rules fail), scheduler, tables (how many "
      "rows\n"
      "each has), and those of your own in DIR/questions/NAME.sql. The answers stand in\n"
      "DIR/expected/ARCHIVE/QUESTION.csv.");
  expect->OnChosen([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Expect(session, *arguments); };
  });
}

}  // namespace

void AddCorpusCheckCommand(Options* corpus, Command* chosen) {
  corpus->AddSubcommand("check", "Hold every archive against rules; exit code 1 when one fails",
                        [chosen](Options* check) { DeclareCorpusCheck(check, chosen); });
}

void AddCorpusExpectCommand(Options* corpus, Command* chosen) {
  corpus->AddSubcommand(
      "expect",
      "Compare the answers of every archive with those that are expected; exit code 1 when one "
      "differs",
      [chosen](Options* expect) { DeclareExpect(expect, chosen); });
}

}  // namespace ktstr
