#include "analyze/shell/line_editor.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cwchar>

#include "analyze/shell/edit_library.h"
#include "analyze/shell/history_file.h"
#include "analyze/shell/words.h"
#include "analyze/text/output.h"
#include "libcore/base/interrupt_guard.h"

namespace ktstr {

// Once there is an editor.
static const EditLibrary* edit_library = nullptr;

struct LineEditor::Impl {
  using Editor = std::unique_ptr<EditLine, void (*)(EditLine*)>;
  using Past = std::unique_ptr<History, void (*)(History*)>;

  explicit Impl(const EditLibrary& edit)
      : past(edit.history_init(), edit.history_end), editor(nullptr, edit.end) {}

  static unsigned char OnTab(EditLine* editor, wint_t);
  static int ReadCharacter(EditLine* editor, wchar_t* character);
  static char* Prompt(EditLine* editor);
  unsigned char CompleteWord();
  void List(const std::vector<std::string>& words) const;

  Complete complete;
  std::string prompt;
  std::FILE* out = nullptr;
  Past past;
  Editor editor;
  std::array<struct sigaction, 2> old_actions = {};
};

namespace {

// What happens to the terminal while somebody types. libedit's own handlers would send each signal
// on to the whole process group.
std::atomic<bool> resized = false, continued = false;
constexpr std::array kTerminalSignals = {SIGWINCH, SIGCONT};

constexpr char kCtrlD = 4;

void NoteSignal(int signal) { (signal == SIGWINCH ? resized : continued).store(true); }

// SIGINT is blocked while this lives, but for where it is waited for.
class InterruptBlocked {
 public:
  InterruptBlocked() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, &old_);
  }
  ~InterruptBlocked() { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }

 private:
  sigset_t old_;
};

// One byte from the terminal. 1, 0 at the end, -1 when interrupted or on an error.
int ReadByte(EditLine* editor, char* byte) {
  sigset_t waiting;
  pthread_sigmask(SIG_SETMASK, nullptr, &waiting);
  sigdelset(&waiting, SIGINT);
  for (;;) {
    if (resized.exchange(false)) edit_library->resize(editor);
    if (continued.exchange(false)) {
      edit_library->set(editor, EL_PREP_TERM, 0);
      edit_library->set(editor, EL_PREP_TERM, 1);
      edit_library->set(editor, EL_REFRESH);
    }
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    const int ready = ppoll(&input, 1, nullptr, &waiting);
    if (InterruptGuard::flag().load()) return -1;
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return -1;
    return static_cast<int>(read(STDIN_FILENO, byte, 1));
  }
}

// What is typed may be UTF-8 although nothing says so.
void UseUtf8() {
  std::setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

char* LineEditor::Impl::Prompt(EditLine* editor) {
  Impl* self = nullptr;
  edit_library->get(editor, EL_CLIENTDATA, &self);
  return self->prompt.data();
}

int LineEditor::Impl::ReadCharacter(EditLine* editor, wchar_t* character) {
  std::mbstate_t state = {};
  for (;;) {
    char byte = 0;
    if (const int got = ReadByte(editor, &byte); got != 1) return got;
    // What becomes of a Ctrl-D that was typed while the terminal was not in libedit's hands.
    if (byte == '\0') byte = kCtrlD;
    const size_t size = std::mbrtowc(character, &byte, 1, &state);
    if (size == static_cast<size_t>(-1)) {
      state = {};  // no character: as if it had not been typed
    } else if (size != static_cast<size_t>(-2)) {
      return 1;
    }
  }
}

unsigned char LineEditor::Impl::OnTab(EditLine* editor, wint_t) {
  Impl* self = nullptr;
  edit_library->get(editor, EL_CLIENTDATA, &self);
  return self->CompleteWord();
}

unsigned char LineEditor::Impl::CompleteWord() {
  const LineInfo* line = edit_library->line(editor.get());
  const Completions found = complete({line->buffer, line->cursor}, {line->cursor, line->lastchar});
  if (found.words.empty()) return CC_REFRESH_BEEP;
  const std::string common = CommonPrefix(found.words);
  if (found.words.size() > 1 && common.size() <= found.typed) {
    List(found.words);
    return CC_REDISPLAY;
  }
  edit_library->deletestr(editor.get(), static_cast<int>(found.typed));
  edit_library->insertstr(editor.get(), common.c_str());
  return CC_REFRESH;
}

void LineEditor::Impl::List(const std::vector<std::string>& words) const {
  constexpr size_t kShown = 200;
  const bool all = words.size() <= kShown;
  const std::vector<std::string> shown(words.begin(), all ? words.end() : words.begin() + kShown);
  fmt::print(out, "\n{}", InColumns(shown, TerminalWidth()));
  if (!all) fmt::print(out, "… and {} more\n", words.size() - kShown);
  std::fflush(out);
}

LineEditor::LineEditor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

LineEditor::~LineEditor() {
  for (size_t i = 0; i < kTerminalSignals.size(); ++i) {
    sigaction(kTerminalSignals[i], &impl_->old_actions[i], nullptr);
  }
}

Result<std::unique_ptr<LineEditor>> LineEditor::Make(Complete complete) {
  edit_library = KTSTR_TRY(EditLibrary::Load());
  UseUtf8();
  auto impl = std::make_unique<Impl>(*edit_library);
  impl->complete = std::move(complete);
  // What is typed does not belong into a file that takes the answers.
  impl->out = isatty(STDOUT_FILENO) == 1 ? stdout : stderr;
  impl->editor.reset(edit_library->init("ktstr-analyze", stdin, impl->out, stderr));
  EditLine* editor = impl->editor.get();
  if (editor == nullptr || impl->past == nullptr) {
    return Fail(ErrorCode::kIo, "the terminal cannot be used");
  }
  HistEvent event = {};
  edit_library->history(impl->past.get(), &event, H_SETSIZE, static_cast<int>(HistoryFile::kKept));
  edit_library->history(impl->past.get(), &event, H_SETUNIQUE, 1);
  edit_library->set(editor, EL_CLIENTDATA, impl.get());
  edit_library->set(editor, EL_PROMPT, Impl::Prompt);
  edit_library->set(editor, EL_HIST, edit_library->history, impl->past.get());
  edit_library->set(editor, EL_EDITOR, "emacs");
  edit_library->set(editor, EL_GETCFN, Impl::ReadCharacter);
  edit_library->set(editor, EL_ADDFN, "complete-word", "Complete the word", Impl::OnTab);
  edit_library->set(editor, EL_BIND, "^I", "complete-word", nullptr);
  edit_library->set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  // The user's own wishes come last.
  edit_library->source(editor, nullptr);
  for (size_t i = 0; i < kTerminalSignals.size(); ++i) {
    struct sigaction action = {};
    action.sa_handler = NoteSignal;
    sigaction(kTerminalSignals[i], &action, &impl->old_actions[i]);
  }
  return std::unique_ptr<LineEditor>(new LineEditor(std::move(impl)));
}

Line LineEditor::Read(const std::string& prompt) {
  impl_->prompt = prompt;
  const InterruptBlocked blocked;
  // A Ctrl-C that came too late for what was running.
  InterruptGuard::Clear();
  // Before the prompt asks for anything.
  edit_library->set(impl_->editor.get(), EL_PREP_TERM, 1);
  int size = 0;
  const char* text = edit_library->gets(impl_->editor.get(), &size);
  if (InterruptGuard::flag().load()) {
    InterruptGuard::Clear();
    fmt::print(impl_->out, "^C\n");
    edit_library->reset(impl_->editor.get());
    return {Line::Kind::kInterrupted, ""};
  }
  if (text == nullptr || size <= 0) {
    fmt::print(impl_->out, "\n");
    return {Line::Kind::kEnd, ""};
  }
  std::string line(text, static_cast<size_t>(size));
  while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
  return {Line::Kind::kText, std::move(line)};
}

void LineEditor::Remember(const std::string& entry) {
  HistEvent event = {};
  edit_library->history(impl_->past.get(), &event, H_ENTER, entry.c_str());
}

}  // namespace ktstr
