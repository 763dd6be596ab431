#include "ingest/kafka/control.h"

#include <utility>

namespace varve {

ConsumerMailbox::Outcome ConsumerMailbox::send(Command command) {
  std::unique_lock lock(mutex_);
  if (closed_) return unavailable("the source is stopping");
  if (waiting_.size() >= kWaitingMax) {
    return unavailable("too many commands wait for this source; try again");
  }
  const auto letter = std::make_shared<Letter>(Letter{std::move(command), std::nullopt});
  waiting_.push_back(letter);
  answered_.wait(lock, [&] { return letter->outcome.has_value(); });
  return std::move(*letter->outcome);
}

void ConsumerMailbox::serve(ConsumerLoop& loop) {
  std::unique_lock lock(mutex_);
  while (!waiting_.empty()) {
    const auto letter = waiting_.front();
    waiting_.pop_front();
    lock.unlock();
    Outcome outcome = letter->command(loop);
    lock.lock();
    letter->outcome = std::move(outcome);
    answered_.notify_all();
  }
}

void ConsumerMailbox::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& letter : waiting_) letter->outcome = unavailable("the source is stopping");
  waiting_.clear();
  answered_.notify_all();
}

}  // namespace varve
