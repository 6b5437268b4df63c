#include "libcore/archive/pack/recipe.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <deque>
#include <future>
#include <memory>

#include "libcore/archive/bytes.h"

namespace ktstr::archive {

namespace {

constexpr size_t kStepsPerTask = 32;
constexpr size_t kMaxText = 4096;
constexpr size_t kMaxPagesPerFrame = 1024;  // FORMAT.md
// PACK.md: enough for 64 Mi pages (256 GiB). Decoded they take eight times as much.
constexpr uint64_t kMaxStepBytes = uint64_t{64} << 20;

Error Damaged(const std::string& what) { return Error(ErrorCode::kDamaged, what); }

void PutText(ByteSink& sink, std::string_view text) {
  sink.PutVarint(text.size());
  sink.PutText(text);
}

std::string GetText(ByteSource& source) {
  const uint64_t size = source.GetVarint();
  const auto bytes = source.GetBytes(size > kMaxText ? SIZE_MAX : size);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Pages that follow each other, which is the rule, are one byte each.
Result<std::vector<std::byte>> EncodeSteps(const std::vector<Step>& steps) {
  ByteSink sink;
  sink.PutVarint(steps.size());
  uint64_t next = 0;
  for (const Step& step : steps) {
    sink.PutVarint(step.pages.size());
    if (step.pages.empty()) sink.PutVarint(step.copy);
    for (const uint64_t page : step.pages) {
      sink.PutVarint(ZigZag(int64_t(page - next)));
      next = page + 1;
    }
  }
  if (sink.size() > kMaxStepBytes) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("an archive of {} memory frames is too large for a pack", steps.size()));
  }
  std::vector<std::byte> compressed;
  // Its only error is a parameter that is wrong.
  (void)FrameCompressor(3).Compress(sink.bytes(), compressed);
  return compressed;
}

Result<std::vector<Step>> DecodeSteps(std::span<const std::byte> compressed) {
  const unsigned long long size = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
  // Varints of a page each shrink well, but not without bound.
  constexpr uint64_t kMaxRatio = 1 << 16;
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN ||
      size / kMaxRatio > compressed.size() || size > kMaxStepBytes) {
    return Fail(Damaged("the steps of an archive are unreadable"));
  }
  std::vector<std::byte> bytes(size);
  KTSTR_TRY(DecompressFrame(compressed, bytes));
  ByteSource source(bytes);
  std::vector<Step> steps;
  const uint64_t count = source.GetVarint();
  uint64_t next = 0;
  for (uint64_t i = 0; i < count && source.ok(); ++i) {
    Step& step = steps.emplace_back();
    const uint64_t pages = source.GetVarint();
    if (pages > kMaxPagesPerFrame) return Fail(Damaged("a memory frame has too many pages"));
    if (pages == 0 && (step.copy = source.GetVarint()) == 0) {
      return Fail(Damaged("a step of an archive does nothing"));
    }
    for (uint64_t p = 0; p < pages && source.ok(); ++p) {
      step.pages.push_back(next + uint64_t(UnZigZag(source.GetVarint())));
      next = step.pages.back() + 1;
    }
  }
  if (!source.ok() || source.left() != 0) {
    return Fail(Damaged("the steps of an archive are cut short"));
  }
  return steps;
}

Result<Recipe> DecodeHead(ByteSource& source) {
  Recipe recipe;
  recipe.name = GetText(source);
  recipe.file_size = source.GetVarint();
  const auto digest = source.GetBytes(recipe.digest.size());
  std::ranges::copy(digest, recipe.digest.begin());
  recipe.level = int(UnZigZag(source.GetVarint()));
  recipe.zstd_version = GetText(source);
  if (!source.ok()) return Fail(Damaged("the description of an archive is cut short"));
  return recipe;
}

// Frames of consecutive steps, in a thread of the pool.
Result<std::vector<std::byte>> CompressSteps(std::span<const Step> steps, const PageStore& store,
                                             int level) {
  PageStore::Cursor cursor(store);
  FrameCompressor compressor(level);
  std::vector<std::byte> pages, out;
  for (const Step& step : steps) KTSTR_TRY(CompressStep(step, cursor, compressor, pages, out));
  return out;
}

}  // namespace

Result<std::vector<std::byte>> EncodeRecipe(const Recipe& recipe) {
  const std::vector<std::byte> steps = KTSTR_TRY(EncodeSteps(recipe.steps));
  ByteSink sink;
  PutText(sink, recipe.name);
  sink.PutVarint(recipe.file_size);
  sink.PutBytes(recipe.digest);
  sink.PutVarint(ZigZag(recipe.level));
  PutText(sink, recipe.zstd_version);
  sink.PutVarint(steps.size());
  sink.PutBytes(steps);
  sink.PutBytes(recipe.verbatim);
  return std::move(sink).Take();
}

Result<Recipe> DecodeRecipeHead(std::span<const std::byte> payload) {
  ByteSource source(payload);
  return DecodeHead(source);
}

Result<Recipe> DecodeRecipe(std::span<const std::byte> payload) {
  ByteSource source(payload);
  Recipe recipe = KTSTR_TRY(DecodeHead(source));
  const uint64_t size = source.GetVarint();
  const auto steps = source.GetBytes(size);
  if (!source.ok()) return Fail(Damaged("the steps of an archive are cut short"));
  recipe.steps = KTSTR_TRY(DecodeSteps(steps));
  const auto verbatim = source.GetBytes(source.left());
  recipe.verbatim.assign(verbatim.begin(), verbatim.end());
  uint64_t copied = 0;
  for (const Step& step : recipe.steps) {
    if (step.copy > recipe.verbatim.size() - copied) {
      return Fail(Damaged("an archive asks for more bytes than were packed"));
    }
    copied += step.copy;
  }
  return recipe;
}

Status CompressStep(const Step& step, PageStore::Cursor& cursor, FrameCompressor& compressor,
                    std::vector<std::byte>& pages, std::vector<std::byte>& out) {
  pages.clear();
  for (const uint64_t page : step.pages) KTSTR_TRY(cursor.Append(page, pages));
  KTSTR_TRY(compressor.Compress(pages, out));
  return {};
}

Status Rebuild(const Recipe& recipe, const PageStore& store, WorkerPool& pool,
               const std::function<Status(std::span<const std::byte>)>& sink) {
  using Compressed = Result<std::vector<std::byte>>;
  struct Pending {
    std::span<const std::byte> copied;
    std::future<Compressed> compressed;  // valid when it is frames
  };
  // Whatever ends this function: the pool's threads read what the caller owns.
  struct Queue : std::deque<Pending> {
    ~Queue() {
      for (const Pending& one : *this) {
        if (one.compressed.valid()) one.compressed.wait();
      }
    }
  } pending;
  DigestStream digest;
  uint64_t left = recipe.file_size;
  const auto write = [&](std::span<const std::byte> bytes) -> Status {
    // A few bytes of a pack can ask for more than any disk holds.
    if (bytes.size() > left) {
      return Fail(Damaged(fmt::format("'{}' is larger than the {} bytes that the pack says",
                                      recipe.name, recipe.file_size)));
    }
    left -= bytes.size();
    digest.Add(bytes);
    return sink(bytes);
  };
  const auto write_oldest = [&]() -> Status {
    Pending oldest = std::move(pending.front());
    pending.pop_front();
    if (!oldest.compressed.valid()) return write(oldest.copied);
    const Compressed frames = oldest.compressed.get();
    if (!frames) return Fail(frames.error());
    return write(*frames);
  };

  const std::span<const Step> steps(recipe.steps);
  std::span<const std::byte> verbatim(recipe.verbatim);
  for (size_t i = 0; i < steps.size();) {
    if (steps[i].pages.empty()) {
      pending.push_back({verbatim.first(steps[i].copy), {}});
      verbatim = verbatim.subspan(steps[i].copy);
      ++i;
    } else {
      size_t end = i;
      while (end < steps.size() && end - i < kStepsPerTask && !steps[end].pages.empty()) ++end;
      const auto part = steps.subspan(i, end - i);
      pending.push_back({{}, pool.Run([part, &store, level = recipe.level] {
                           return CompressSteps(part, store, level);
                         })});
      i = end;
    }
    while (pending.size() > 2 * size_t(pool.threads())) KTSTR_TRY(write_oldest());
  }
  while (!pending.empty()) KTSTR_TRY(write_oldest());

  if (digest.Get() == recipe.digest) return {};
  const bool other_zstd = recipe.zstd_version != ZSTD_versionString();
  if (!other_zstd) return Fail(Damaged(fmt::format("'{}' is not what was packed", recipe.name)));
  return Fail(ErrorCode::kUnsupported,
              fmt::format("'{}' was packed with libzstd {}, and {} compresses it to other bytes: "
                          "unpack it with that version",
                          recipe.name, recipe.zstd_version, ZSTD_versionString()));
}

}  // namespace ktstr::archive
