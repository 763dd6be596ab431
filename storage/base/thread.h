// What std::thread cannot say. Threads: any.
#pragma once

namespace varve {

// The calling thread gives way to all others from now on. Nothing happens where the system has no such thing.
void lower_thread_priority();

}  // namespace varve
