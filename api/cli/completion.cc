#include "api/cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace varve {
namespace {

struct Choice {
  std::string word;
  std::string what;
};

struct OptionWords {
  std::vector<std::string> names;  // "--config", "-f"
  std::string what;
  bool takes_value = false;
  bool takes_file = false;
  std::vector<std::string> values;  // it takes one of these
};

struct CommandWords {
  std::string path;  // "varve quarantine list"
  std::vector<Choice> commands;
  std::vector<OptionWords> options;
  std::vector<std::string> positionals;  // words that may stand alone
};

// CLI11 writes what IsMember allows behind the type: "FORMAT:{table,csv}".
std::vector<std::string> allowed_words(const std::string& type) {
  std::vector<std::string> words;
  const size_t open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return words;
  std::string word;
  for (size_t at = open + 1; at <= close; ++at) {
    if (type[at] == ',' || type[at] == '}') {
      words.push_back(std::exchange(word, {}));
    } else {
      word.push_back(type[at]);
    }
  }
  return words;
}

void walk(const CLI::App& app, const std::string& path, std::vector<CommandWords>& out) {
  CommandWords command;
  command.path = path;
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    const std::string type = option->get_type_name();
    if (option->get_positional() && option->get_lnames().empty()) {
      for (std::string& word : allowed_words(type)) command.positionals.push_back(std::move(word));
      continue;
    }
    OptionWords words;
    for (const std::string& name : option->get_snames()) words.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) words.names.push_back("--" + name);
    words.what = option->get_description();
    words.takes_value = option->get_items_expected_max() > 0;
    words.takes_file = type.starts_with("FILE") || type.starts_with("DIR");
    words.values = allowed_words(type);
    command.options.push_back(std::move(words));
  }
  const auto below = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* sub : below) command.commands.push_back({sub->get_name(), sub->get_description()});
  out.push_back(std::move(command));
  for (const CLI::App* sub : below) walk(*sub, path + " " + sub->get_name(), out);
}

std::string shell_quoted(std::string_view text) {  // for sh and zsh
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "'";
}

std::vector<std::string> paths_below(const std::vector<CommandWords>& commands) {
  std::vector<std::string> paths;
  for (size_t i = 1; i < commands.size(); ++i) paths.push_back(commands[i].path);
  return paths;
}

// "varve query --format"|"varve query -f"
std::string patterns(const std::string& path, const OptionWords& option) {
  std::string out;
  for (const std::string& name : option.names) {
    out += fmt::format("{}{}", out.empty() ? "" : "|", shell_quoted(path + " " + name));
  }
  return out;
}

std::string quoted_patterns(const std::vector<std::string>& paths) {
  std::string out;
  for (const std::string& path : paths) out += (out.empty() ? "" : "|") + shell_quoted(path);
  return out;
}

std::string bash_script(const std::vector<CommandWords>& commands) {
  std::string out =
      "# Completion of varve for bash. Now: source <(varve completion bash)\n"
      "# Always: varve completion bash > ~/.local/share/bash-completion/completions/varve\n"
      "_varve() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} at=varve words i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$at ${COMP_WORDS[i]}\" in\n";
  out += fmt::format("      {}) at=\"$at ${{COMP_WORDS[i]}}\" ;;\n", quoted_patterns(paths_below(commands)));
  out += "    esac\n  done\n  COMPREPLY=()\n  case \"$at $previous\" in\n";
  std::string unknown;  // options whose values nobody can guess
  for (const CommandWords& command : commands) {
    for (const OptionWords& option : command.options) {
      if (!option.takes_value) continue;
      const std::string pattern = patterns(command.path, option);
      if (option.takes_file) {
        out += fmt::format(
            "    {}) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); "
            "return ;;\n",
            pattern);
      } else if (option.values.empty()) {
        unknown += (unknown.empty() ? "" : "|") + pattern;
      } else {
        out += fmt::format("    {}) mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$current\"); return ;;\n",
                           pattern, fmt::join(option.values, " "));
      }
    }
  }
  out += fmt::format("    {}) return ;;\n", unknown);
  out += "  esac\n  case \"$at\" in\n";
  for (const CommandWords& command : commands) {
    std::vector<std::string> words = command.positionals;
    for (const Choice& choice : command.commands) words.push_back(choice.word);
    for (const OptionWords& option : command.options)
      words.insert(words.end(), option.names.begin(), option.names.end());
    out += fmt::format("    {}) words='{}' ;;\n", shell_quoted(command.path), fmt::join(words, " "));
  }
  out +=
      "  esac\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
      "}\n"
      "complete -F _varve varve\n";
  return out;
}

std::string described(const std::string& word, std::string_view what) {
  std::string text;
  for (const char c : word) text += c == ':' ? "\\:" : std::string(1, c);
  return shell_quoted(fmt::format("{}:{}", text, what));
}

std::string zsh_script(const std::vector<CommandWords>& commands) {
  std::string out =
      "#compdef varve\n"
      "# Completion of varve for zsh. Now: source <(varve completion zsh), after compinit.\n"
      "# Always: varve completion zsh > a folder of your fpath/_varve\n"
      "_varve() {\n"
      "  local at=varve i\n"
      "  local -a found\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    case \"$at ${words[i]}\" in\n";
  out += fmt::format("      {}) at=\"$at ${{words[i]}}\" ;;\n", quoted_patterns(paths_below(commands)));
  out += "    esac\n  done\n  case \"$at ${words[CURRENT-1]}\" in\n";
  for (const CommandWords& command : commands) {
    for (const OptionWords& option : command.options) {
      if (!option.takes_value) continue;
      out += fmt::format("    {}) ", patterns(command.path, option));
      if (option.takes_file) {
        out += "_files; return ;;\n";
      } else if (option.values.empty()) {
        out += fmt::format("_message {}; return ;;\n", shell_quoted(option.what));
      } else {
        out += fmt::format("compadd -- {}; return ;;\n", fmt::join(option.values, " "));
      }
    }
  }
  out += "  esac\n  case \"$at\" in\n";
  for (const CommandWords& command : commands) {
    out += fmt::format("    {}) found=(", shell_quoted(command.path));
    for (const std::string& word : command.positionals) out += " " + shell_quoted(word);
    for (const Choice& choice : command.commands) out += " " + described(choice.word, choice.what);
    for (const OptionWords& option : command.options) {
      for (const std::string& name : option.names) out += " " + described(name, option.what);
    }
    out += " ) ;;\n";
  }
  out +=
      "  esac\n"
      "  _describe varve found\n"
      "}\n"
      "if [[ ${funcstack[1]} == _varve ]]; then _varve \"$@\"; else compdef _varve varve; fi\n";  // autoloaded, or read
  return out;
}

std::string fish_script(const std::vector<CommandWords>& commands) {
  std::string out =
      "# Completion of varve for fish. Now: varve completion fish | source\n"
      "# Always: varve completion fish > ~/.config/fish/completions/varve.fish\n"
      "function __varve_at\n"
      "    set -l at varve\n"
      "    for word in (commandline -opc)[2..-1]\n"
      "        switch \"$at $word\"\n";
  std::string paths;
  for (const std::string& path : paths_below(commands)) paths += " " + fish_quoted(path);
  out += fmt::format("            case{}\n", paths);
  out +=
      "                set at \"$at $word\"\n"
      "        end\n"
      "    end\n"
      "    test \"$at\" = \"$argv[1]\"\n"
      "end\n"
      "complete -c varve -f\n";
  for (const CommandWords& command : commands) {
    const std::string begin =
        fmt::format("complete -c varve -n {}", fish_quoted("__varve_at \"" + command.path + "\""));
    for (const Choice& choice : command.commands) {
      out += fmt::format("{} -a {} -d {}\n", begin, fish_quoted(choice.word), fish_quoted(choice.what));
    }
    for (const std::string& word : command.positionals)
      out += fmt::format("{} -a {}\n", begin, fish_quoted(word));
    for (const OptionWords& option : command.options) {
      out += begin;
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.takes_file) out += " -r -F";
      if (option.takes_value && !option.takes_file) out += " -x";
      if (!option.values.empty())
        out += fmt::format(" -a {}", fish_quoted(fmt::format("{}", fmt::join(option.values, " "))));
      out += fmt::format(" -d {}\n", fish_quoted(option.what));
    }
  }
  return out;
}

}  // namespace

std::string completion_script(const CLI::App& app, std::string_view shell) {
  std::vector<CommandWords> commands;
  walk(app, "varve", commands);
  if (shell == "bash") return bash_script(commands);
  return shell == "zsh" ? zsh_script(commands) : fish_script(commands);
}

}  // namespace varve
