// The words before the one that is typed are walked through as a command line is parsed: names of
// subcommands lead into them, options take their values, and other words fill arguments in their
// order. What the last word may be follows from where that ends.
#include "libcore/cli/complete.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace ktstr {

namespace {

bool IsOption(const Option& option) { return option.names().starts_with('-'); }

bool IsList(const Option& option) {
  return std::holds_alternative<std::vector<std::string>*>(option.target());
}

// Where type names say it by themselves.
FileKind FileKindOf(const Option& option) {
  if (option.files() != FileKind::kNone) return option.files();
  if (!option.words().empty()) return FileKind::kNone;
  const std::string name = IsOption(option) ? option.ValueName() : option.names();
  constexpr std::array<std::string_view, 6> kFiles = {"FILE", "FILES",  "OUT",
                                                      "PACK", "SOCKET", "BZIMAGE"};
  if (std::ranges::find(kFiles, name) != kFiles.end()) return FileKind::kFiles;
  return name == "DIR" ? FileKind::kDirectories : FileKind::kNone;
}

// The first sentence, in one line.
std::string Short(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return std::isspace(c) != 0; }, ' ');
  const size_t end = text.find(". ");
  return text.substr(0, end);
}

// A command with what the words have filled of its arguments.
struct Place {
  Options* command;
  size_t argument = 0;   // the one to be filled next: its position among the arguments
  int given = 0;         // how often, where it is a list
  bool started = false;  // whether any was

  std::vector<const Option*> Arguments() const {
    std::vector<const Option*> arguments;
    for (const Option& option : command->options()) {
      if (!IsOption(option)) arguments.push_back(&option);
    }
    return arguments;
  }
  // nullptr: all are filled.
  const Option* Next() const {
    const auto arguments = Arguments();
    return argument < arguments.size() ? arguments[argument] : nullptr;
  }
  void Fill() {
    const Option* next = Next();
    started = true;
    ++given;
    const int most = IsList(*next) ? next->count().second : 1;
    if (most == 0 || given < most) return;
    ++argument;
    given = 0;
  }
};

class Walk {
 public:
  explicit Walk(Options& program) { places_.push_back({&program}); }

  void Take(const std::string& word) {
    if (pending_ != nullptr) {
      pending_ = nullptr;
    } else if (!only_arguments_ && word.size() > 1 && word.starts_with('-')) {
      TakeOption(word);
    } else if (!Enter(word)) {
      FillArgument();
    }
  }

  Completion End(const std::string& typed) const {
    Completion completion;
    if (pending_ != nullptr) {
      OfferValues(*pending_, typed, completion);
    } else if (typed.starts_with('-') && !only_arguments_) {
      OfferOptions(typed, completion);
    } else {
      if (const Option* next = NextArgument()) OfferValues(*next, typed, completion);
      OfferSubcommands(typed, completion);
    }
    return completion;
  }

 private:
  // How many of the outermost places are hidden: their options and arguments are not understood
  // here. What an outer command understands behind its subcommands is understood behind theirs,
  // too.
  size_t Hidden() const {
    size_t hidden = 0;
    while (hidden + 1 < places_.size() &&
           !places_[hidden].command->understands_behind_subcommands()) {
      ++hidden;
    }
    return hidden;
  }

  // The commands whose options and arguments are understood here, the innermost first.
  std::vector<const Place*> Visible() const {
    std::vector<const Place*> visible;
    for (size_t i = places_.size(); i-- > Hidden();) visible.push_back(&places_[i]);
    return visible;
  }

  void TakeOption(const std::string& word) {
    if (word == "--") {
      only_arguments_ = true;
      return;
    }
    if (word.find('=') != std::string::npos) return;
    for (const Place* place : Visible()) {
      const Option* option = place->command->Find(word);
      if (option == nullptr) continue;
      if (!option->is_flag()) pending_ = option;
      return;
    }
  }

  bool Enter(const std::string& word) {
    std::list<Options>& below = places_.back().command->subcommands();
    const auto found = std::ranges::find(below, word, &Options::name);
    if (only_arguments_ || found == below.end()) return false;
    found->DeclareOwn();
    places_.push_back({&*found});
    return true;
  }

  void FillArgument() {
    for (size_t i = places_.size(); i-- > Hidden();) {
      if (places_[i].Next() == nullptr) continue;
      places_[i].Fill();
      return;
    }
  }

  const Option* NextArgument() const {
    for (const Place* place : Visible()) {
      if (place->Next() != nullptr) return place->Next();
    }
    return nullptr;
  }

  static void OfferValues(const Option& option, const std::string& typed, Completion& completion) {
    completion.files = FileKindOf(option);
    completion.suffix = option.suffix();
    const size_t done = option.delimiter() == 0 ? 0 : typed.rfind(option.delimiter()) + 1;
    for (const std::string& word : option.words()) {
      Offer(typed.substr(0, done) + word, "", typed, completion);
    }
    if (!option.offered()) return;
    for (const std::string& word : option.offered()()) {
      Offer(typed.substr(0, done) + word, "", typed, completion);
    }
  }

  void OfferOptions(const std::string& typed, Completion& completion) const {
    for (const Place* place : Visible()) {
      for (const Option& option : place->command->options()) {
        for (const std::string& name : option.LongNames()) {
          Offer(name, option.help(), typed, completion);
        }
      }
      const Options::Version& version = place->command->version();
      if (!version.name.empty()) Offer(version.name, "Print the version", typed, completion);
    }
    Offer("--help", "Print help", typed, completion);
  }

  void OfferSubcommands(const std::string& typed, Completion& completion) const {
    const Place& place = places_.back();
    for (const Options& below : place.command->subcommands()) {
      const bool alone = below.stands_alone() && !place.started;
      if (place.Next() == nullptr || alone) {
        Offer(below.name(), below.about(), typed, completion);
      }
    }
  }

  static void Offer(const std::string& word, const std::string& meaning, const std::string& typed,
                    Completion& completion) {
    if (word.starts_with(typed)) completion.words.push_back({word, Short(meaning)});
  }

  std::vector<Place> places_;        // the program, and the subcommands that were entered
  const Option* pending_ = nullptr;  // waits for its value
  bool only_arguments_ = false;      // behind "--"
};

}  // namespace

Completion Complete(Options& program, const std::vector<std::string>& words) {
  Walk walk(program);
  for (size_t i = 0; i + 1 < words.size(); ++i) walk.Take(words[i]);
  return walk.End(words.empty() ? "" : words.back());
}

std::string ToLines(const Completion& completion) {
  std::string lines = "none";
  if (completion.files == FileKind::kDirectories) lines = "directories";
  if (completion.files == FileKind::kFiles) {
    lines = completion.suffix.empty() ? "files" : "files " + completion.suffix;
  }
  lines += '\n';
  for (const Completion::Word& word : completion.words) {
    lines += word.text;
    if (!word.meaning.empty()) lines += '\t' + word.meaning;
    lines += '\n';
  }
  return lines;
}

}  // namespace ktstr
