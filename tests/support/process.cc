#include "tests/support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace varve::testing {
namespace {

constexpr auto kPollInterval = milliseconds(20);  // fast against server starts of about a second
constexpr size_t kTailBytes = 4096;               // enough for a Java stack trace

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string tail(std::string text) {
  return text.size() <= kTailBytes ? text : text.substr(text.size() - kTailBytes);
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (auto& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string_view text(*entry);
    if (!added.contains(std::string(text.substr(0, text.find('='))))) result.emplace_back(text);
  }
  for (const auto& [name, value] : added) result.push_back(name + "=" + value);
  return result;
}

// Everything between fork and exec: async-signal-safe calls only. Returns only on failure, with errno set.
void become_child(char* const* argv, char* const* environment, const char* folder, const char* out,
                  const char* err, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // the parent died before prctl took effect
  int in_fd = open("/dev/null", O_RDONLY);
  int out_fd = open(out, O_WRONLY | O_CREAT | O_APPEND, 0600);
  int err_fd = open(err, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (in_fd < 0 || out_fd < 0 || err_fd < 0) return;
  if (dup2(in_fd, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(err_fd, 2) < 0) return;
  close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (*folder != '\0' && chdir(folder) != 0) return;
  execvpe(argv[0], argv, environment);
}

}  // namespace

Process::Process(std::vector<std::string> argv, const Options& options) : command_(argv.at(0)) {
  auto environment = merged_environment(options.environment);
  auto argv_pointers = pointers(argv);
  auto environment_pointers = pointers(environment);
  std::string out = output_ / "out";
  std::string err = output_ / "err";
  std::string folder = options.folder;
  int failure[2];  // carries errno of a failed exec; closed by a successful one
  if (pipe2(failure, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    become_child(argv_pointers.data(), environment_pointers.data(), folder.c_str(), out.c_str(), err.c_str(),
                 parent);
    int reason = errno;
    [[maybe_unused]] auto ignored = write(failure[1], &reason, sizeof reason);
    _exit(127);
  }
  close(failure[1]);
  int reason = pid_ < 0 ? EAGAIN : 0;
  if (pid_ > 0 && read(failure[0], &reason, sizeof reason) == sizeof reason) waitpid(pid_, nullptr, 0);
  close(failure[0]);
  if (reason != 0) throw std::runtime_error(fmt::format("start {}: {}", command_, strerror(reason)));
}

Process::~Process() {
  kill();
}

std::optional<int> Process::wait(milliseconds limit) {
  wait_until(
      [this] {
        int status = 0;
        if (!exit_code_ && waitpid(pid_, &status, WNOHANG) == pid_) {
          exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
        return exit_code_.has_value();
      },
      limit);
  return exit_code_;
}

void Process::signal(int number) {
  if (running()) ::kill(pid_, number);
}

int Process::stop(milliseconds grace) {
  signal(SIGTERM);
  if (auto code = wait(grace)) return *code;
  return kill();
}

int Process::kill() {
  signal(SIGKILL);
  constexpr auto kReapLimit = seconds(30);  // SIGKILL cannot be refused, only delayed by disk waits
  auto code = wait(kReapLimit);
  return code.value_or(128 + SIGKILL);
}

std::string Process::out() const {
  return read_file(output_ / "out");
}
std::string Process::err() const {
  return read_file(output_ / "err");
}
std::string Process::log_tail() const {
  return fmt::format("--- {} stdout\n{}\n--- {} stderr\n{}\n", command_, tail(out()), command_, tail(err()));
}

Finished run(std::vector<std::string> argv, milliseconds limit) {
  Process process(std::move(argv));
  auto code = process.wait(limit);
  if (!code)
    throw std::runtime_error(fmt::format("not finished after {} ms\n{}", limit.count(), process.log_tail()));
  return {*code, process.out(), process.err()};
}

bool wait_until(const std::function<bool()>& condition, milliseconds limit) {
  auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kPollInterval);
  }
  return true;
}

uint16_t free_port() {
  constexpr uint16_t kFirst = 20000, kLast = 32000;  // Linux gives 32768 and up to outgoing connections
  constexpr int kTries = 1000;
  static std::set<uint16_t> given;
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<int> pick(kFirst, kLast);
  for (int i = 0; i < kTries; ++i) {
    auto port = static_cast<uint16_t>(pick(random));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool bound = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    if (bound && given.insert(port).second) return port;
  }
  throw std::runtime_error("no free TCP port on 127.0.0.1");
}

}  // namespace varve::testing
