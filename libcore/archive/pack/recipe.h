// How an archive is made again from a pack: bytes to copy, and memory frames to compress anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "libcore/archive/checksum.h"
#include "libcore/archive/frame_codec.h"
#include "libcore/archive/pack/page_store.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

struct Step {
  uint64_t copy = 0;            // so many bytes of `verbatim`, or
  std::vector<uint64_t> pages;  // one memory frame of these pages of the store
};

struct Recipe {
  std::string name;
  uint64_t file_size = 0;  // of the archive, in bytes
  Digest digest = {};      // XXH3-128 of the whole file
  int level = 0;           // of its memory frames, on zstd's scale
  std::string zstd_version;
  std::vector<Step> steps;
  std::vector<std::byte> verbatim;
};

// Errors: kUnsupported (more steps than a reader takes).
Result<std::vector<std::byte>> EncodeRecipe(const Recipe& recipe);
// Only name and size. Errors: kDamaged.
Result<Recipe> DecodeRecipeHead(std::span<const std::byte> payload);
// Errors: kDamaged.
Result<Recipe> DecodeRecipe(std::span<const std::byte> payload);

// One memory frame, as it is compressed in the archive. `pages` is scratch space. Errors: kDamaged,
// kIo.
Status CompressStep(const Step& step, PageStore::Cursor& cursor, FrameCompressor& compressor,
                    std::vector<std::byte>& pages, std::vector<std::byte>& out);

// The whole archive, in order. Errors: kDamaged, kIo, those of `sink`; kUnsupported when this
// libzstd compresses to other bytes than the one that packed it.
Status Rebuild(const Recipe& recipe, const PageStore& store, WorkerPool& pool,
               const std::function<Status(std::span<const std::byte>)>& sink);

}  // namespace ktstr::archive
