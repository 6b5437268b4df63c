// Slab: memory by the megabyte, straight from the system and beside malloc, which large and aligned
// blocks that come and go would leave in pieces.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ktstr {

class Slab {
 public:
  enum class PageSize { kSmall, kHuge };  // huge ones where the system has some at hand

  // `size` in bytes, a multiple of 4096; its contents are undefined. A multiple of 2 MiB begins at
  // one, where huge pages are asked for. Throws std::bad_alloc.
  Slab(size_t size, PageSize page_size);
  Slab(Slab&& other) noexcept;
  Slab& operator=(Slab&& other) noexcept;
  ~Slab();

  // A process that is forked from now on has no part in it (and ends where it looks at it): else
  // the first write to each page after a fork copies it.
  void HideFromForks();

  std::byte* bytes() const { return bytes_; }
  size_t size() const { return size_; }

  // From now on slabs that go stay with this process, up to `bytes` of them in all (0, as at the
  // beginning: none), with the pages that they have, for the next of that kind.
  static void Keep(size_t bytes);

 private:
  std::byte* bytes_ = nullptr;
  size_t size_ = 0;
  PageSize page_size_ = PageSize::kSmall;
  bool hidden_ = false;
};

}  // namespace ktstr
