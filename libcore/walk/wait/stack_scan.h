// Scans a sleeping task's stack for what the task left there. Every structure in which a task waits
// holds the task's own address.
#pragma once

#include <span>
#include <vector>

#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

// Calls `check(at)` for each place `at` in [begin, end) that holds the task's address, until that
// yields something (an optional). Nothing when it never does; a stack that cannot be read, or is
// larger than any, has nothing.
template <typename Check>
auto ScanStack(const GuestKernel& kernel, Kva task, Kva begin, Kva end, Check&& check)
    -> decltype(check(begin)) {
  // No task's stack is larger (THREAD_SIZE with KASAN, page_64_types.h).
  constexpr uint64_t kMaxStack = 64 << 10;
  if (end <= begin || end - begin > kMaxStack) return {};
  std::vector<uint64_t> words((end - begin) / sizeof(uint64_t));
  if (!kernel.Read(begin, std::as_writable_bytes(std::span(words)))) return {};
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] != task.value()) continue;
    if (auto found = check(begin + i * sizeof(uint64_t))) return found;
  }
  return {};
}

}  // namespace ktstr
