#include "libcore/cli/options.h"

#include <utility>

namespace ktstr {

Option& Options::Add(std::string names, OptionTarget target, std::string help) {
  return options_.emplace_back(std::move(names), target, std::move(help));
}

void Options::AddVersion(std::string name, std::string text) {
  version_ = {.name = std::move(name), .text = std::move(text), .position = options_.size()};
}

Options& Options::AddSubcommand(std::string name, std::string about, Declare declare) {
  Options& subcommand = subcommands_.emplace_back(std::move(name), std::move(about));
  subcommand.declare_ = std::move(declare);
  return subcommand;
}

Option* Options::Find(std::string_view name) {
  for (Option& option : options_) {
    if (option.IsCalled(name)) return &option;
  }
  return nullptr;
}

std::vector<std::string> Options::SubcommandNames() const {
  std::vector<std::string> names;
  for (const Options& subcommand : subcommands_) names.push_back(subcommand.name());
  return names;
}

std::vector<std::string> Options::LongNames() const {
  std::vector<std::string> names = {"--help"};
  for (const Option& option : options_) {
    for (std::string& name : option.LongNames()) names.push_back(std::move(name));
  }
  if (!version_.name.empty()) names.push_back(version_.name);
  return names;
}

void Options::DeclareOwn() {
  // Taken away first: declaring may well ask for what is there already.
  if (const Declare declare = std::exchange(declare_, nullptr)) declare(this);
}

void Options::DeclareAll() {
  for (Options& subcommand : subcommands_) {
    subcommand.DeclareOwn();
    subcommand.DeclareAll();
  }
}

}  // namespace ktstr
