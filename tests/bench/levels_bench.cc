// What each compression level and frame size gives on the pages of an archive: run it as
// levels_bench ARCHIVE [benchmark options], on a Release build. Times are CPU time of one thread.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "libcore/archive/compression_level.h"
#include "libcore/archive/frame_codec.h"
#include "libcore/archive/reader.h"

namespace ktstr {
namespace {

using Bytes = std::vector<std::byte>;

// The stored pages, in order. Empty when the archive cannot be read.
Bytes StoredPages(const std::string& path) {
  const auto archive = ArchiveReader::Open(path);
  if (!archive) return {};
  Bytes pages;
  for (uint64_t frame = 0; frame < (*archive)->frame_count(); ++frame) {
    const size_t begin = pages.size();
    pages.resize(begin + (*archive)->pages_in_frame(frame) * kPageSize);
    if (!(*archive)->ReadFrame(frame, std::span(pages).subspan(begin))) return {};
  }
  return pages;
}

// The pages in frames of `frame` bytes.
std::vector<std::span<const std::byte>> FramesOf(const Bytes& pages, size_t frame) {
  std::vector<std::span<const std::byte>> frames;
  for (size_t at = 0; at < pages.size(); at += frame) {
    frames.push_back(std::span(pages).subspan(at, std::min(frame, pages.size() - at)));
  }
  return frames;
}

// How fast, and how small.
void Measure(benchmark::State& state, const Bytes& pages, int level, size_t frame) {
  archive::FrameCompressor compressor(level);
  const auto frames = FramesOf(pages, frame);
  size_t compressed = 0;
  Bytes out;
  for (auto _ : state) {
    compressed = 0;
    for (const auto& one : frames) {
      out.clear();
      compressed += compressor.Compress(one, out).value();
    }
  }
  state.SetBytesProcessed(int64_t(state.iterations() * pages.size()));
  state.counters["ratio"] = double(pages.size()) / double(compressed);
}

// How fast they come back, one frame after the other.
void MeasureBack(benchmark::State& state, const Bytes& pages, int level, size_t frame) {
  archive::FrameCompressor compressor(level);
  std::vector<Bytes> compressed;
  for (const auto& one : FramesOf(pages, frame)) {
    compressed.emplace_back();
    if (!compressor.Compress(one, compressed.back())) return state.SkipWithError("compressing");
  }
  Bytes out(frame);
  for (auto _ : state) {
    size_t left = pages.size();
    for (const Bytes& one : compressed) {
      const size_t size = std::min(left, frame);
      if (!archive::DecompressFrame(one, std::span(out).first(size))) {
        return state.SkipWithError("decompressing");
      }
      left -= size;
    }
  }
  state.SetBytesProcessed(int64_t(state.iterations() * pages.size()));
}

int Run(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: levels_bench ARCHIVE [benchmark options]\n", stderr);
    return 2;
  }
  const Bytes pages = StoredPages(argv[1]);
  if (pages.empty()) {
    std::fprintf(stderr, "levels_bench: cannot read the pages of '%s'\n", argv[1]);
    return 3;
  }
  argv[1] = argv[0];
  int left = argc - 1;
  const auto add = [&](int level, size_t frame) {
    const std::string what = fmt::format("level:{}/KiB:{}", level, frame >> 10);
    benchmark::RegisterBenchmark(("Compress/" + what).c_str(), Measure, pages, level, frame)
        ->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark(("Decompress/" + what).c_str(), MeasureBack, pages, level, frame)
        ->Unit(benchmark::kMillisecond);
  };
  for (const int level : {kLeastLevel, -2, -1, kKernelPagesLevel, 1, 2, 3, 6, 9, 12, kMostLevel}) {
    add(level, 8 * kPageSize);
  }
  for (const size_t pages_per_frame : {2, 4, 16, 32, 256}) {
    add(kKernelPagesLevel, pages_per_frame * kPageSize);
  }
  benchmark::Initialize(&left, argv + 1);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace ktstr

int main(int argc, char** argv) { return ktstr::Run(argc, argv); }
