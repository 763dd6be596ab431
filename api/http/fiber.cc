#include "api/http/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>
#include <utility>

#include "storage/base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define VARVE_ASAN_FIBERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VARVE_ASAN_FIBERS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define VARVE_TSAN_FIBERS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VARVE_TSAN_FIBERS 1
#endif
#endif
#ifdef VARVE_ASAN_FIBERS
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef VARVE_TSAN_FIBERS
#include <sanitizer/tsan_interface.h>
#endif

namespace varve {

constexpr size_t kStackBytes = 8 << 20;  // a thread's, by Linux's default: queries need the same on either

class Fiber::Stack {
 public:
  Stack() : guard_bytes_(static_cast<size_t>(::sysconf(_SC_PAGESIZE))) {
    memory_ = ::mmap(nullptr, guard_bytes_ + kStackBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    VARVE_CHECK(::mprotect(memory_, guard_bytes_, PROT_NONE) == 0);  // stacks grow down
  }
  ~Stack() { (void)::munmap(memory_, guard_bytes_ + kStackBytes); }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  void* begin() const { return static_cast<char*>(memory_) + guard_bytes_; }

 private:
  const size_t guard_bytes_;
  void* memory_ = nullptr;
};

std::unique_ptr<Fiber::Stack>& Fiber::spare() {
  static thread_local std::unique_ptr<Stack> spare;
  return spare;
}

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)) {}

Fiber::~Fiber() {
  VARVE_CHECK(ended_ || !begun_);
#ifdef VARVE_TSAN_FIBERS
  if (tsan_own_ != nullptr) __tsan_destroy_fiber(tsan_own_);
#endif
  if (stack_ != nullptr) spare() = std::move(stack_);
}

void Fiber::resume() {
  VARVE_CHECK(!ended_);
  if (!begun_) {
    stack_ = spare() != nullptr ? std::move(spare()) : std::make_unique<Stack>();
    VARVE_CHECK(::getcontext(&own_) == 0);
    own_.uc_stack.ss_sp = stack_->begin();
    own_.uc_stack.ss_size = kStackBytes;
    own_.uc_link = nullptr;  // run() switches out at its end
    const auto self = reinterpret_cast<uintptr_t>(this);
    // The function's type is what POSIX asks for: its arguments are ints.
    ::makecontext(&own_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, static_cast<unsigned>(self >> 32),
                  static_cast<unsigned>(self));
    begun_ = true;
  }
  switch_in();
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

void Fiber::pause() {
  switch_out();
}

void Fiber::enter(unsigned high, unsigned low) {
  reinterpret_cast<Fiber*>((static_cast<uintptr_t>(high) << 32) | low)->run();
}

void Fiber::run() {
#ifdef VARVE_ASAN_FIBERS
  __sanitizer_finish_switch_fiber(nullptr, &caller_stack_, &caller_stack_bytes_);
#endif
  try {
    body_();
  } catch (...) {
    thrown_ = std::current_exception();
  }
  ended_ = true;
  switch_out();
}

void Fiber::switch_in() {
#ifdef VARVE_ASAN_FIBERS
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stack_->begin(), kStackBytes);
#endif
#ifdef VARVE_TSAN_FIBERS
  if (tsan_own_ == nullptr) tsan_own_ = __tsan_create_fiber(0);
  tsan_caller_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(tsan_own_, 0);
#endif
  VARVE_CHECK(::swapcontext(&caller_, &own_) == 0);
#ifdef VARVE_ASAN_FIBERS
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

void Fiber::switch_out() {
#ifdef VARVE_ASAN_FIBERS
  // Null at the end: the fake stack may go.
  __sanitizer_start_switch_fiber(ended_ ? nullptr : &own_fake_stack_, caller_stack_, caller_stack_bytes_);
#endif
#ifdef VARVE_TSAN_FIBERS
  __tsan_switch_to_fiber(tsan_caller_, 0);
#endif
  VARVE_CHECK(::swapcontext(&own_, &caller_) == 0);
#ifdef VARVE_ASAN_FIBERS
  __sanitizer_finish_switch_fiber(own_fake_stack_, &caller_stack_, &caller_stack_bytes_);
#endif
}

}  // namespace varve
