// ktstr-analyze completion bash
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analyze/command/command.h"
#include "analyze/text/schema.h"

namespace ktstr {

namespace {

// {…} are filled in: the options of every subcommand, all subcommands, a case per subcommand, and
// what schema can be asked for.
constexpr const char* kBash =
    R"(# bash completion of ktstr-analyze:  source <(ktstr-analyze completion bash)
_ktstr_analyze() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
  local common="{0}" commands="{1}"
  local word command="" file="" options=""
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    if [[ $word == -* ]]; then
      continue
    elif [[ -z $command && " $commands " == *" $word "* ]]; then
      command=$word
    elif [[ -z $command && -z $file ]]; then
      file=$word
    fi
  done
  case $command in
{2}  esac
  COMPREPLY=()
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$common $options" -- "$current"))
  elif [[ $previous == --vmlinux || $previous == --output || $previous == -o || $command == export-db ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  elif [[ $command == diff ]]; then
    COMPREPLY=($(compgen -f -X '!*.kts' -- "$current") $(compgen -d -- "$current"))
  elif [[ $command == schema ]]; then
    COMPREPLY=($(compgen -W "{3}" -- "$current"))
  elif [[ $command == completion ]]; then
    COMPREPLY=($(compgen -W "bash" -- "$current"))
  elif [[ -z $command && -z $file ]]; then
    COMPREPLY=($(compgen -f -X '!*.kts' -- "$current") $(compgen -d -- "$current")
               $(compgen -W "schema completion" -- "$current"))
  elif [[ -z $command ]]; then
    COMPREPLY=($(compgen -W "$commands" -- "$current"))
  fi
}}
complete -o filenames -F _ktstr_analyze ktstr-analyze
)";

std::string OptionsOf(const Options& command) {
  return fmt::format("{}", fmt::join(command.LongNames(), " "));
}

std::string BashScript(Options& app) {
  app.DeclareAll();
  std::string cases;
  for (const Options& command : app.subcommands()) {
    cases += fmt::format("    {}) options=\"{}\" ;;\n", command.name(), OptionsOf(command));
  }
  std::vector<std::string> names;
  for (const auto& row : SchemaList().rows) {
    const auto& name = std::get<std::string>(row[1]);
    names.push_back(name.substr(0, name.find('(')));
  }
  return fmt::format(fmt::runtime(kBash), OptionsOf(app), fmt::join(app.SubcommandNames(), " "),
                     cases, fmt::join(names, " "));
}

void DeclareCompletion(Options* completion, Options* app, Command* chosen) {
  auto shell = std::make_shared<std::string>();
  completion->Add("SHELL", shell.get(), "bash").Required().TypeName("");
  completion->SetFooter("In ~/.bashrc:\n  source <(ktstr-analyze completion bash)");
  completion->OnChosen([app, chosen, shell] {
    *chosen = [app, shell](Session&) -> Result<std::string> {
      if (*shell == "bash") return BashScript(*app);
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("there is no completion for '{}'; there is one for bash", *shell));
    };
  });
}

}  // namespace

void AddCompletionCommand(Options* app, Command* chosen) {
  app->AddSubcommand(
      "completion", "What makes a shell complete these words (needs no FILE)",
      [app, chosen](Options* completion) { DeclareCompletion(completion, app, chosen); });
}

}  // namespace ktstr
