#include "api/cli/shell/pager.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "api/cli/terminal.h"

extern char** environ;

namespace varve {
namespace {

bool on_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

std::string pager_command() {
  const char* const chosen = std::getenv("PAGER");
  if (chosen != nullptr) return chosen;
  return on_path("less") ? "less -RSX" : std::string();
}

}  // namespace

PagedOutput::PagedOutput(bool allowed) {
  if (allowed && isatty(STDOUT_FILENO) == 1 && isatty(STDIN_FILENO) == 1) {
    const TerminalSize size = terminal_size(STDOUT_FILENO);
    rows_ = size.rows;
    columns_ = size.columns;
    command_ = pager_command();
  }
  straight_ = command_.empty() || rows_ == 0 || columns_ == 0;
}

PagedOutput::~PagedOutput() {
  (void)finish();
  if (pipe_ != nullptr) std::fclose(pipe_);
  while (child_ > 0 && waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool PagedOutput::write(std::string_view text) {
  if (straight_) return put(text);
  held_ += text;
  size_t column = 0;
  for (const char c : text) {
    if (c == '\n' || ++column > columns_ * 4) {  // bytes, colours and all: a rough guess of lines that wrap
      ++held_lines_;
      column = 0;
    }
  }
  if (held_lines_ + 1 < rows_) return true;
  straight_ = true;
  start_pager();
  std::string held;
  held.swap(held_);
  return put(held);
}

bool PagedOutput::finish() {
  if (!straight_) {
    straight_ = true;
    return put(held_) && std::fflush(stdout) == 0;
  }
  return std::fflush(pipe_ != nullptr ? pipe_ : stdout) == 0 || pipe_ != nullptr;
}

// Without a pager, text goes straight to the terminal.
bool PagedOutput::start_pager() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  sigaddset(&usual, SIGINT);
  posix_spawnattr_setsigmask(&attributes, &none);  // the shell blocks SIGINT
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string shell = "/bin/sh", option = "-c";
  char* const argv[] = {shell.data(), option.data(), command_.data(), nullptr};
  pid_t child = -1;
  const int error = posix_spawn(&child, shell.c_str(), &actions, &attributes, argv, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[0]);
  if (error != 0) {
    ::close(ends[1]);
    return false;
  }
  child_ = child;
  pipe_ = fdopen(ends[1], "w");
  return pipe_ != nullptr;
}

bool PagedOutput::put(std::string_view text) {
  std::FILE* const to = pipe_ != nullptr ? pipe_ : stdout;
  return std::fwrite(text.data(), 1, text.size(), to) == text.size();
}

}  // namespace varve
