// One option or argument of a program, as data: parsing, help, manuals and completions are made of
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ktstr {

// Where what was given goes; left alone when nothing was. Its value before is the default.
using OptionTarget =
    std::variant<bool*, int*, int64_t*, uint64_t*, double*, std::string*, std::optional<int64_t>*,
                 std::optional<uint32_t>*, std::vector<std::string>*>;

// What a number must lie in, both ends included.
struct OptionRange {
  int64_t least, most;
  bool in_help = false;  // whether help says so behind the type's name
};

// What of the file system a value names.
enum class FileKind { kNone, kFiles, kDirectories };

// Each setter returns the option, so that a declaration is one statement.
class Option {
 public:
  // `names` are separated by commas, as in "-o,--output"; one without a dash is an argument that is
  // known by its position. A bool is a flag, which takes no value.
  Option(std::string names, OptionTarget target, std::string help)
      : names_(std::move(names)), target_(target), help_(std::move(help)) {}

  // What stands for the value in help, such as "FILE"; "" for nothing. Without this: by the
  // target's type.
  Option& TypeName(std::string name);
  Option& Help(std::string help);
  // Help shows the default.
  Option& ShowDefault();
  Option& Required();
  // Must be given where that other option is not.
  Option& RequiredUnless(std::string other);
  Option& Between(int64_t least, int64_t most);
  Option& BetweenShown(int64_t least, int64_t most);
  Option& OneOf(std::vector<std::string> words);
  // For shells to complete; what is given is not checked against it. Files, of names that end like
  // this; words, which may take work to find. Type names such as FILE say it by themselves.
  Option& Files(std::string suffix = "");
  Option& Offer(std::function<std::vector<std::string>()> words);
  // Of a list: values may stand in one word, with this between them.
  Option& Delimiter(char delimiter);
  // Of a list: how many values there must be.
  Option& Count(int least, int most);
  // Of a list: one value behind each mention of the option.
  Option& OneEach();
  // May be given only together with that other option of the same command, which was added before.
  Option& Needs(std::string other);
  // May not be given together with it.
  Option& Excludes(std::string other);

  const std::string& names() const { return names_; }
  // Whether one of the names is this one.
  bool IsCalled(std::string_view name) const;
  // All of the names.
  std::vector<std::string> Names() const;
  // What stands for the value where it is explained: the type's name, or one made of the target.
  std::string ValueName() const;
  // The names that begin with "--".
  std::vector<std::string> LongNames() const;
  bool is_flag() const { return std::holds_alternative<bool*>(target_); }
  const OptionTarget& target() const { return target_; }
  const std::string& help() const { return help_; }
  const std::optional<std::string>& type_name() const { return type_name_; }
  bool shows_default() const { return shows_default_; }
  bool required() const { return required_; }
  const std::string& required_unless() const { return required_unless_; }  // empty: nothing
  const std::optional<OptionRange>& range() const { return range_; }
  const std::vector<std::string>& words() const { return words_; }  // empty: any
  FileKind files() const { return files_; }
  const std::string& suffix() const { return suffix_; }  // empty: any
  const std::function<std::vector<std::string>()>& offered() const { return offered_; }
  char delimiter() const { return delimiter_; }  // 0: none
  // Least and most; {0, 0}: as many as there are.
  std::pair<int, int> count() const { return count_; }
  bool one_each() const { return one_each_; }
  const std::vector<std::string>& needs() const { return needs_; }
  const std::vector<std::string>& excludes() const { return excludes_; }

 private:
  std::string names_;
  OptionTarget target_;
  std::string help_;
  std::optional<std::string> type_name_;
  bool shows_default_ = false, required_ = false, one_each_ = false;
  std::string required_unless_;
  std::optional<OptionRange> range_;
  std::vector<std::string> words_;
  FileKind files_ = FileKind::kNone;
  std::string suffix_;
  std::function<std::vector<std::string>()> offered_;
  char delimiter_ = 0;
  std::pair<int, int> count_ = {0, 0};
  std::vector<std::string> needs_, excludes_;
};

}  // namespace ktstr
