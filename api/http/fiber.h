// A function on a stack of its own that runs in turns with its caller, on the caller's thread: resume() runs it until it
// pauses or ends. So what pushes its output can be asked for it piece by piece, without a thread that waits for another.
// A stack is as large as a thread's usually is, of which only what was touched is memory; each thread keeps one for the
// next fiber.
// Errors:  what the function throws comes out of resume().
// Threads: made, resumed and gone on one thread.
#pragma once

#include <ucontext.h>

#include <exception>
#include <functional>
#include <memory>

namespace varve {

class Fiber {
 public:
  explicit Fiber(std::function<void()> body);  // begins with the first resume()
  ~Fiber();                                    // it has ended, or never begun
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void resume();  // until it pauses or ends; not after its end
  void pause();   // by the body: back to who resumed it
  bool begun() const { return begun_; }
  bool ended() const { return ended_; }

 private:
  class Stack;
  static void enter(unsigned high, unsigned low);
  void run();
  void switch_in();
  void switch_out();

  static std::unique_ptr<Stack>& spare();  // of this thread

  const std::function<void()> body_;
  std::unique_ptr<Stack> stack_;
  ucontext_t caller_{};
  ucontext_t own_{};
  std::exception_ptr thrown_;
  bool begun_ = false;
  bool ended_ = false;
  // What the sanitizers want to know of stacks; unused without them.
  [[maybe_unused]] void* own_fake_stack_ = nullptr;
  [[maybe_unused]] const void* caller_stack_ = nullptr;
  [[maybe_unused]] size_t caller_stack_bytes_ = 0;
  [[maybe_unused]] void* tsan_caller_ = nullptr;
  [[maybe_unused]] void* tsan_own_ = nullptr;
};

}  // namespace varve
