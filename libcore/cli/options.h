// What a program or one of its subcommands takes on the command line, declared without a library in
// sight: Parse (parse.h) reads a command line by it.
//
// A subcommand's own options are declared by a function that is called when somebody asks for them:
// a program starts without declaring those of subcommands that it was not asked for.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/cli/manual.h"
#include "libcore/cli/option.h"

namespace ktstr {

// How help is laid out; one for the whole program.
struct HelpStyle {
  int column = 24;  // where descriptions begin
  // Options as "--name TYPE (default: VALUE)" and "(required)", without what excludes what.
  bool plain = false;
};

enum class SubcommandNeed { kNone, kOptional, kRequired };

class Options {
 public:
  using Declare = std::function<void(Options*)>;

  // `name` is the program's. `about` is what help begins with.
  Options(std::string name, std::string about) : name_(std::move(name)), about_(std::move(about)) {}
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  // Declaring. Help lists options and subcommands in the order in which they are added. The
  // reference lives as long as this does.
  Option& Add(std::string names, OptionTarget target, std::string help);
  // An option, such as "--version", that prints this text and ends.
  void AddVersion(std::string name, std::string text);
  // `declare` adds the subcommand's options; what it captures must outlive this. The reference
  // lives as long as this does.
  Options& AddSubcommand(std::string name, std::string about, Declare declare);
  void SetSubcommandNeed(SubcommandNeed need) { need_ = need; }
  // The options of this command are understood behind a subcommand, too.
  void UnderstandBehindSubcommands() { behind_subcommands_ = true; }
  // This subcommand makes sense without the arguments of the command before it.
  void StandsAlone() { stands_alone_ = true; }
  // What help ends with.
  void SetFooter(std::string footer) { footer_ = std::move(footer); }
  void SetHelpStyle(HelpStyle style) { style_ = style; }
  // What the manual page says beyond help; called when somebody wants the page.
  void SetManual(std::function<Manual()> manual) { manual_ = std::move(manual); }
  // Called when a command line names this command and is right in all.
  void OnChosen(std::function<void()> chosen) { chosen_ = std::move(chosen); }
  // The same for a command that only prints a text, as --version does.
  void AnswerWith(std::function<std::string()> answer) { answer_ = std::move(answer); }

  // Listing what was declared.
  const std::string& name() const { return name_; }
  const std::string& about() const { return about_; }
  const std::string& footer() const { return footer_; }
  const HelpStyle& help_style() const { return style_; }
  Manual manual() const { return manual_ ? manual_() : Manual(); }
  const std::list<Option>& options() const { return options_; }
  // nullptr when there is none of that name.
  Option* Find(std::string_view name);
  // The option that prints a version, and how many options were added before it; an empty name:
  // there is none.
  struct Version {
    std::string name, text;
    size_t position = 0;
  };
  const Version& version() const { return version_; }
  // Those whose options nobody has asked for yet have none: see DeclareAll.
  const std::list<Options>& subcommands() const { return subcommands_; }
  std::list<Options>& subcommands() { return subcommands_; }
  std::vector<std::string> SubcommandNames() const;
  // The names that begin with "--": of help, which every command has, and of what was declared.
  std::vector<std::string> LongNames() const;
  SubcommandNeed subcommand_need() const { return need_; }
  bool understands_behind_subcommands() const { return behind_subcommands_; }
  bool stands_alone() const { return stands_alone_; }
  const std::function<void()>& chosen() const { return chosen_; }
  const std::function<std::string()>& answer() const { return answer_; }

  // Has the subcommand's own options declared, where that has not happened yet.
  void DeclareOwn();
  // The same for all subcommands below this one.
  void DeclareAll();

 private:
  std::string name_, about_, footer_;
  HelpStyle style_;
  std::function<Manual()> manual_;
  Declare declare_;  // empty once it was called
  std::list<Option> options_;
  Version version_;
  std::list<Options> subcommands_;
  SubcommandNeed need_ = SubcommandNeed::kNone;
  bool behind_subcommands_ = false, stands_alone_ = false;
  std::function<void()> chosen_;
  std::function<std::string()> answer_;
};

}  // namespace ktstr
