#include "api/cli/shell/line_editor.h"

#include <fmt/format.h>
#include <histedit.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>

#include "api/cli/shell/completion.h"
#include "api/cli/shell/history.h"
#include "api/cli/terminal.h"

namespace varve {
namespace {

constexpr size_t kListedMax = 200;  // candidates shown; more say how many are left out

}  // namespace

struct LineEditor::State {
  EditLine* line = nullptr;
  ::History* history = nullptr;
  std::string prompt;
  Complete complete;
  bool interrupted = false;

  static State& of(EditLine* editor) {
    void* data = nullptr;
    el_get(editor, EL_CLIENTDATA, &data);
    return *static_cast<State*>(data);
  }
  static char* prompt_of(EditLine* editor) { return of(editor).prompt.data(); }
  static unsigned char interrupt(EditLine* editor, int) {
    of(editor).interrupted = true;
    return CC_NEWLINE;
  }
  static unsigned char tab(EditLine* editor, int);
};

namespace {

// Below the line, in columns as wide as the longest.
void list(const std::vector<std::string>& words) {
  size_t width = 0;
  for (const std::string& word : words) width = std::max(width, word.size() + 2);
  const size_t columns = terminal_size(STDOUT_FILENO).columns;
  const size_t in_line = std::max<size_t>(1, (columns == 0 ? 80 : columns) / width);
  const size_t shown = std::min(words.size(), kListedMax);
  fmt::print("\n");
  for (size_t i = 0; i < shown; ++i) {
    fmt::print("{:<{}}{}", visible(words[i]), width, (i + 1) % in_line == 0 || i + 1 == shown ? "\n" : "");
  }
  if (shown < words.size()) fmt::print("... and {} more\n", words.size() - shown);
  (void)std::fflush(stdout);
}

}  // namespace

unsigned char LineEditor::State::tab(EditLine* editor, int) {
  State& state = of(editor);
  const LineInfo* const info = el_line(editor);
  const std::string before(info->buffer, static_cast<size_t>(info->cursor - info->buffer));
  const Candidates found = state.complete(before);
  if (found.words.empty()) return CC_REFRESH_BEEP;
  const size_t typed = before.size() - found.word_begin;
  std::string insert = common_beginning(found.words);
  const bool only_one = found.words.size() == 1;
  if (only_one && !insert.ends_with('(')) insert += found.end;
  if (insert.size() <= typed && !only_one) {
    list(found.words);
    return CC_REDISPLAY;
  }
  el_deletestr(editor, static_cast<int>(typed));  // the letters' case may differ
  return el_insertstr(editor, insert.c_str()) == -1 ? CC_REFRESH_BEEP : CC_REFRESH;
}

LineEditor::LineEditor() : state_(std::make_unique<State>()) {}

Result<std::unique_ptr<LineEditor>> LineEditor::make(Complete complete) {
  std::setlocale(LC_CTYPE, "");  // libedit counts characters by it
  std::unique_ptr<LineEditor> editor(new LineEditor());
  State& state = *editor->state_;
  state.complete = std::move(complete);
  state.line = el_init("varve", stdin, stdout, stderr);
  state.history = ::history_init();
  if (state.line == nullptr || state.history == nullptr) {
    return unavailable("the terminal cannot be used for editing lines");
  }
  HistEvent event;
  ::history(state.history, &event, H_SETSIZE, static_cast<int>(kHistoryEntriesMax));
  el_set(state.line, EL_CLIENTDATA, &state);
  el_set(state.line, EL_EDITOR, "emacs");
  el_set(state.line, EL_SIGNAL, 1);  // the terminal is set right again when a signal ends the program
  el_set(state.line, EL_PROMPT, &State::prompt_of);
  el_set(state.line, EL_HIST, ::history, state.history);
  el_set(state.line, EL_ADDFN, "varve-complete", "complete the word", &State::tab);
  el_set(state.line, EL_ADDFN, "varve-interrupt", "give up the statement", &State::interrupt);
  el_set(state.line, EL_BIND, "^I", "varve-complete", nullptr);
  el_set(state.line, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  el_set(state.line, EL_BIND, "^W", "ed-delete-prev-word", nullptr);
  // While a line is edited Ctrl-C is a key like any other.
  el_set(state.line, EL_SETTY, "-d", "-isig", nullptr);
  el_set(state.line, EL_BIND, "^C", "varve-interrupt", nullptr);
  return editor;
}

LineEditor::~LineEditor() {
  if (state_->line != nullptr) el_end(state_->line);
  if (state_->history != nullptr) ::history_end(state_->history);
}

LineEditor::End LineEditor::read(const std::string& prompt, std::string& line) {
  state_->prompt = prompt;
  state_->interrupted = false;
  int count = 0;
  el_set(state_->line, EL_PREP_TERM,
         1);  // before the prompt shows: a key typed at once is one for the editor
  const char* const text = el_gets(state_->line, &count);
  if (state_->interrupted) {
    fmt::print("^C\n");
    (void)std::fflush(stdout);
    return End::kInterrupted;
  }
  if (text == nullptr || count <= 0) return End::kEndOfInput;
  line.assign(text);
  while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
  return End::kLine;
}

void LineEditor::remember(const std::string& entry) {
  HistEvent event;
  ::history(state_->history, &event, H_ENTER, entry.c_str());
}

}  // namespace varve
