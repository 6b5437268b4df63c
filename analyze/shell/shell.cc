#include "analyze/shell/shell.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "analyze/index/sql_functions.h"
#include "analyze/shell/dot_commands.h"
#include "analyze/shell/history_file.h"
#include "analyze/shell/line_editor.h"
#include "analyze/shell/statement_splitter.h"
#include "analyze/text/output.h"
#include "libcore/base/interrupt_guard.h"
#include "libcore/base/output.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

constexpr int kDeepestRead = 16;  // files that read files

class Shell {
 public:
  explicit Shell(Session& session) : session_(session) {
    settings_.read_file = [this](const std::string& path) { return ReadFile(path); };
  }

  Status RunOnTerminal();
  Status RunFromPipe() {
    StreamLines lines(stdin);
    return RunStream(lines, "");
  }

 private:
  // `name` is the file's, for messages; empty for standard input.
  Status RunStream(LineSource& lines, const std::string& name);
  Status ReadFile(const std::string& path);
  Status RunTyped(LineEditor& editor);
  void Remember(LineEditor& editor, const std::vector<std::string>& lines);

  // Runs a statement or a command and shows what comes of it; `place` is said before an error.
  // Errors: kInterrupted, unless somebody types, and kIo.
  Status Run(const std::string& text, const std::string& place);
  Status Write(const std::string& text);

  Session& session_;
  ShellSettings settings_;
  HistoryFile history_{HistoryFile::DefaultPath()};
  StatementSplitter typed_statements_;
  bool typed_ = false;
  int depth_ = 0;
};

bool IsCommand(const std::string& line, const StatementSplitter& statements) {
  return line.starts_with('.') && !statements.has_begun();
}

// An archive's name as a prompt: without its folder and its ".kts".
std::string PromptName(const std::string& archive) {
  constexpr size_t kWidest = 32;
  std::filesystem::path path(archive);
  if (path.extension() == ".kts") path.replace_extension();
  return CutTo(SafeText(path.filename().string()), kWidest);
}

// One line that says which machine this is.
Result<std::string> Greeting(const Database& index, const std::string& archive) {
  const auto fact = [&](const char* key) {
    const auto found =
        index.Query(fmt::format("SELECT value FROM machine WHERE key = {}", Quoted(key)));
    return found && !found->rows.empty() ? ToDisplay(found->rows[0][0]) : "unknown";
  };
  return fmt::format("{}: Linux {}, frozen {}; .help lists commands, Ctrl-D ends\n",
                     SafeText(archive), fact("release"), fact("captured_at"));
}

Status Shell::Write(const std::string& text) {
  constexpr size_t kPiece = 64 << 10;
  for (size_t at = 0; at < text.size(); at += kPiece) {
    if (typed_ && InterruptGuard::flag().load()) {
      fmt::print(stderr, "\ninterrupted\n");
      break;
    }
    Status written = Output::Standard().Write(std::string_view(text).substr(at, kPiece));
    if (written) continue;
    if (typed_ && written.error().code() == ErrorCode::kInterrupted) continue;
    return written;
  }
  return {};
}

Status Shell::Run(const std::string& text, const std::string& place) {
  auto answer = text.starts_with('.') ? RunDotCommand(text, session_, settings_)
                                      : session_.Answer(text, settings_.limits);
  if (answer) {
    if (const Status settled = session_.Settle(); !settled) answer = Fail(settled.error());
  }
  Status written;
  if (answer) {
    written = Write(session_.json() ? EscapeControls(*answer) : *answer);
  } else if (answer.error().code() == ErrorCode::kInterrupted && (!typed_ || depth_ > 0)) {
    return Fail(answer.error());
  } else {
    if (!typed_) session_.set_exit_code(ExitCode::kUsage);
    fmt::print(stderr, "{}{}\n", place, SafeText(answer.error().ToString()));
  }
  fmt::print(stderr, "{}", session_.TakeNotes());
  return written;
}

Status Shell::RunStream(LineSource& lines, const std::string& name) {
  StatementSplitter statements;
  const auto run = [&](const std::string& text, int line) {
    return Run(text, fmt::format("{}line {}: ", name.empty() ? "" : SafeText(name) + ", ", line));
  };
  for (int number = 1; !settings_.end && Output::Standard().has_reader(); ++number) {
    const Line line = lines.Read("");
    if (line.kind == Line::Kind::kInterrupted) {
      return Fail(ErrorCode::kInterrupted, "the shell was interrupted");
    }
    if (line.kind == Line::Kind::kEnd) break;
    // A line that is a command is one for the count of lines as well.
    const bool is_command = IsCommand(line.text, statements);
    statements.AddLine(is_command ? "" : line.text);
    if (is_command) KTSTR_TRY(run(line.text, number));
    while (const auto statement = statements.Next()) {
      KTSTR_TRY(run(statement->text, statement->line));
    }
  }
  if (const auto rest = statements.TakeRest(); rest && !settings_.end) {
    KTSTR_TRY(run(rest->text, rest->line));
  }
  return {};
}

Status Shell::ReadFile(const std::string& path) {
  if (depth_ >= kDeepestRead) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is read by itself, or {} files deep", path, kDeepestRead));
  }
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  ++depth_;
  StreamLines lines(file);
  const Status status = RunStream(lines, path);
  --depth_;
  std::fclose(file);
  return status;
}

// As one entry; but a comment to the line's end would swallow what follows.
void Shell::Remember(LineEditor& editor, const std::vector<std::string>& lines) {
  std::vector<std::string> entries = {fmt::format("{}", fmt::join(lines, " "))};
  if (entries[0].find("--") != std::string::npos) entries = lines;
  for (const std::string& entry : entries) {
    if (entry.find_first_not_of(" \t") == std::string::npos) continue;
    editor.Remember(entry);
    // A history that cannot be kept is no reason to stop.
    (void)history_.Append(entry);
  }
}

Status Shell::RunTyped(LineEditor& editor) {
  StatementSplitter& statements = typed_statements_;
  std::vector<std::string> lines;  // of the statement that was begun
  const std::string name = PromptName(session_.Name());
  const std::string first = name + "> ";
  const std::string next =
      std::string(DisplayWidth(name) < 3 ? 0 : DisplayWidth(name) - 3, ' ') + "...> ";
  while (!settings_.end) {
    Line line = editor.Read(statements.has_begun() ? next : first);
    if (line.kind == Line::Kind::kEnd) return {};
    if (line.kind == Line::Kind::kInterrupted) {
      statements.Clear();
      lines.clear();
      continue;
    }
    lines.push_back(line.text);
    const bool is_command = IsCommand(line.text, statements);
    if (!is_command) statements.AddLine(line.text);
    std::vector<Statement> whole;
    while (auto statement = statements.Next()) whole.push_back(*std::move(statement));
    if (!statements.has_begun()) Remember(editor, std::exchange(lines, {}));
    if (is_command) KTSTR_TRY(Run(line.text, "error: "));
    for (const Statement& statement : whole) KTSTR_TRY(Run(statement.text, "error: "));
  }
  return {};
}

Status Shell::RunOnTerminal() {
  Database& index = *KTSTR_TRY(session_.Index());
  const Completer completer(index, DotCommandNames(), [this] {
    std::vector<std::string> names;
    const auto memory = session_.Memory();
    const auto types = memory ? (*memory)->Types() : Fail(memory.error());
    if (!types) return names;
    for (const std::string_view name : (*types)->TypeNames()) names.emplace_back(name);
    return names;
  });
  const auto editor =
      KTSTR_TRY(LineEditor::Make([&](std::string_view before, std::string_view after) {
        return completer.Complete({typed_statements_.rest(), before, after});
      }));
  for (const std::string& entry : history_.Load()) editor->Remember(entry);
  typed_ = true;
  session_.set_null("NULL");
  session_.UnfoldWideRows();
  KTSTR_TRY(Write(KTSTR_TRY(Greeting(index, session_.Name()))));
  return RunTyped(*editor);
}

}  // namespace

Result<std::string> RunShell(Session& session) {
  // A guard from here on: Ctrl-C while the index is built ends the program, as it always does.
  KTSTR_TRY(session.Index());
  const InterruptGuard guard;
  Shell shell(session);
  KTSTR_TRY(isatty(STDIN_FILENO) == 1 ? shell.RunOnTerminal() : shell.RunFromPipe());
  return std::string();
}

}  // namespace ktstr
