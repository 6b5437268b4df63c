#include "libcore/cli/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace ktstr {

namespace {

// In these {0} is the program and {1} its name as a part of a function's name. The program is
// called as the user calls it, so that the script fits whichever is meant.

// Bash cuts words at "=": what is behind it is the value of the option before it.
constexpr const char* kBash =
    R"(# bash completion of {0}:  source <({0} completion bash)
_{1}() {{
  local word current=${{COMP_WORDS[COMP_CWORD]}} program=${{COMP_WORDS[0]/#\~/$HOME}}
  local -a words=() lines=()
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    [[ $word == = ]] || words+=("$word")
  done
  [[ $current != = ]] || current=
  mapfile -t lines < <("$program" --complete-words "${{words[@]}}" "$current" 2>/dev/null)
  COMPREPLY=("${{lines[@]:1}}")
  COMPREPLY=("${{COMPREPLY[@]%%$'\t'*}}")
  case ${{lines[0]}} in
    files)
      mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -f -- "$current")
      ;;
    'files '*)
      mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(
        compgen -f -X "!*${{lines[0]#files }}" -- "$current"
        compgen -d -- "$current")
      ;;
    directories)
      mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -d -- "$current")
      ;;
  esac
}}
complete -o filenames -F _{1} {0}
)";

// As a function that zsh loads by the name of its file, or to be sourced.
constexpr const char* kZsh =
    R"(#compdef {0}
# zsh completion of {0}:  source <({0} completion zsh)
_{1}() {{
  local program=${{(Q)words[1]}} line
  local -a typed lines described
  typed=("${{(@Q)words[2,CURRENT-1]}}")
  if [[ $PREFIX == --*=* ]]; then
    typed+=("${{PREFIX%%=*}}")
    compset -P 1 '*='
  fi
  lines=("${{(@f)$("${{program/#\~/$HOME}}" --complete-words "${{typed[@]}}" "$PREFIX" 2>/dev/null)}}")
  for line in "${{lines[@]:1}}"; do
    if [[ $line == *$'\t'* ]]; then
      described+=("${{${{line%%$'\t'*}}//:/\\:}}:${{line#*$'\t'}}")
    else
      described+=("${{line//:/\\:}}")
    fi
  done
  (( $#described == 0 )) || _describe '{0}' described
  case $lines[1] in
    files) _files ;;
    'files '*) _files -g "*${{lines[1]#files }}" ;;
    directories) _files -/ ;;
  esac
}}
if [[ $funcstack[1] == _{0} ]]; then
  _{1} "$@"
else
  compdef _{1} {0}
fi
)";

constexpr const char* kFish =
    R"(# fish completion of {0}:  {0} completion fish | source
function __{1}_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~' $HOME -- $typed[1])
    # An option with its value in one word.
    set -l before ''
    if string match -q -- '--*=*' $current
        set -l parts (string split -m 1 = -- $current)
        set -a typed $parts[1]
        set before $parts[1]=
        set current $parts[2]
    end
    set -l lines ($program --complete-words $typed[2..] "$current" 2>/dev/null)
    for line in $lines[2..]
        echo $before$line
    end
    switch "$lines[1]"
        case files
            __fish_complete_path
        case 'files *'
            __fish_complete_suffix (string replace 'files ' '' -- $lines[1])
        case directories
            __fish_complete_directories
    end
end
complete -c {0} -f -a '(__{1}_complete)'
)";

std::string_view TemplateOf(std::string_view shell) {
  if (shell == "zsh") return kZsh;
  return shell == "fish" ? kFish : kBash;
}

void DeclareCompletion(Options* completion, const std::string& program) {
  auto shell = std::make_shared<std::string>();
  completion->Add("SHELL", shell.get(), "bash, zsh or fish")
      .Required()
      .TypeName("")
      .OneOf({"bash", "zsh", "fish"});
  completion->SetFooter(
      fmt::format("In ~/.bashrc:\n"
                  "  source <({0} completion bash)\n"
                  "In ~/.zshrc, behind compinit:\n"
                  "  source <({0} completion zsh)\n"
                  "In ~/.config/fish/config.fish:\n"
                  "  {0} completion fish | source",
                  program));
  completion->AnswerWith([program, shell] { return CompletionScript(*shell, program); });
}

}  // namespace

void AddCompletion(Options* program, std::string about) {
  // For who reads which subcommands there are: ParseProgramWords answers it (parse.cc).
  program
      ->AddSubcommand("help", "The same as --help of a command: help COMMAND",
                      [](Options*) {})
      .StandsAlone();
  program
      ->AddSubcommand(
          "completion", std::move(about),
          [name = program->name()](Options* completion) { DeclareCompletion(completion, name); })
      .StandsAlone();
}

std::string CompletionScript(std::string_view shell, const std::string& program) {
  std::string identifier = program;
  std::ranges::replace(identifier, '-', '_');
  return fmt::format(fmt::runtime(TemplateOf(shell)), program, identifier);
}

}  // namespace ktstr
