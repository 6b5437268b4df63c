#include "libcore/image/image_digest.h"

#include <sys/random.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "libcore/base/by_page.h"
#include "libcore/base/side_thread.h"

namespace ktstr {

namespace {

static_assert(std::tuple_size_v<ImageKey> >= XXH3_SECRET_SIZE_MIN);

// A piece of work: some hundred microseconds of decompression.
constexpr uint64_t kPieceBytes = 128 << 10;

struct Piece {
  Kva at;
  uint64_t size;
};

std::array<Piece, 6> RangesOf(const ImagePlaces& places, const ImageExtents& extents) {
  const KallsymsTables& tables = places.tables;
  constexpr uint64_t kTokenIndexBytes = 256 * sizeof(uint16_t);
  return {Piece{tables.names, extents.kallsyms.name_bytes},
          Piece{tables.token_table, extents.kallsyms.token_bytes},
          Piece{tables.token_index, kTokenIndexBytes},
          Piece{*tables.offsets, extents.kallsyms.symbols * sizeof(uint32_t)},
          Piece{tables.num_syms, sizeof(uint32_t)},
          Piece{places.btf, extents.btf_bytes}};
}

std::vector<Piece> PiecesOf(const ImagePlaces& places, const ImageExtents& extents) {
  std::vector<Piece> pieces;
  for (const Piece& range : RangesOf(places, extents)) {
    for (uint64_t done = 0; done < range.size; done += kPieceBytes) {
      pieces.push_back({range.at + done, std::min(kPieceBytes, range.size - done)});
    }
  }
  return pieces;
}

ImageDigest DigestOfHash(const XXH128_hash_t& hash) {
  ImageDigest digest;
  static_assert(sizeof hash == sizeof digest);
  std::memcpy(digest.data(), &hash, sizeof digest);
  return digest;
}

// `buffer` holds kPieceBytes.
Result<XXH128_hash_t> HashPiece(const AddressSpace& space, const Piece& piece, const ImageKey& key,
                                std::span<std::byte> buffer) {
  const auto bytes = buffer.first(piece.size);
  KTSTR_TRY(space.Read(piece.at, bytes));
  return XXH3_128bits_withSecret(bytes.data(), bytes.size(), key.data(), key.size());
}

}  // namespace

Result<ImageKey> RandomImageKey() {
  ImageKey key;
  if (getrandom(key.data(), key.size(), 0) == ssize_t(key.size())) return key;
  return Fail(ErrorCode::kIo, "the system gives no random bytes");
}

Result<ImageDigest> DigestImage(const AddressSpace& space, const ImagePlaces& places,
                                const ImageExtents& extents, const ImageKey& key) {
  if (!places.tables.offsets) {
    return Fail(ErrorCode::kUnsupported, "kallsyms has addresses, which KASLR changes");
  }
  const std::vector<Piece> pieces = PiecesOf(places, extents);
  // Who has the decoded image does not read these again.
  const OnePass pass(space.memory());
  std::vector<Result<XXH128_hash_t>> hashes(pieces.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    std::vector<std::byte> buffer(kPieceBytes);
    for (size_t i = next++; i < pieces.size(); i = next++) {
      hashes[i] = HashPiece(space, pieces[i], key, buffer);
      if (!hashes[i]) next = pieces.size();
    }
  };
  InThreads(MemoryThreads(), work);
  std::vector<XXH128_hash_t> all;
  for (Result<XXH128_hash_t>& hash : hashes) {
    if (!hash) return Fail(std::move(hash).error());
    all.push_back(*hash);
  }
  const XXH128_hash_t whole = XXH3_128bits_withSecret(
      all.data(), all.size() * sizeof(XXH128_hash_t), key.data(), key.size());
  return DigestOfHash(whole);
}

std::optional<ImageDigest> DigestStoredImage(const AddressSpace& space, const ImagePlaces& places,
                                             const ImageExtents& extents, const ImageKey& key) {
  if (!places.tables.offsets) return std::nullopt;
  // Where the ranges begin in their pages, how long they are, and their pages.
  std::vector<uint64_t> numbers;
  std::vector<Pfn> pages;
  for (const Piece& range : RangesOf(places, extents)) {
    numbers.insert(numbers.end(), {range.at.page_offset(), range.size});
    const Status known = ForEachPage(range.at, range.size, [&](Kva at, uint64_t) -> Status {
      pages.push_back(Pfn::Of(KTSTR_TRY(space.Translate(at))));
      return {};
    });
    if (!known) return std::nullopt;
  }
  struct FreeState {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  const std::unique_ptr<XXH3_state_t, FreeState> state(XXH3_createState());
  if (state == nullptr) return std::nullopt;
  XXH3_128bits_reset_withSecret(state.get(), key.data(), key.size());
  const auto add = [&state](std::span<const std::byte> bytes) {
    XXH3_128bits_update(state.get(), bytes.data(), bytes.size());
  };
  add(std::as_bytes(std::span(numbers)));
  if (!space.memory().ReadStored(pages, add)) return std::nullopt;
  return DigestOfHash(XXH3_128bits_digest(state.get()));
}

}  // namespace ktstr
