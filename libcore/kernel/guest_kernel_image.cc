// GuestKernel and the store of what was decoded of its build (image_store.h).
#include <algorithm>
#include <optional>
#include <tuple>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/kernel/image_store.h"

namespace ktstr {

namespace {
// So few are decoded faster than they are found in a file; every kernel that boots has ten times as
// many.
constexpr size_t kFewSymbols = 5000;
}  // namespace

// Where the file's symbols are from where they are in this machine: both know _stext. The other
// known symbols must agree, and the bytes of which both are decoded.
bool GuestKernel::LoadImage(const KallsymsTables& tables, std::span<const KnownSymbol> known) {
  if (images_ == nullptr || known.empty() || !tables.offsets) return false;
  std::optional<SymbolTable> symbols;
  image_ = images_->Find(build_id_, [&](const ImageFile& file, const StoredImages& stored) {
    const auto unmoved = ImageFile::Symbols(file.shared_from_this());
    const auto first =
        unmoved ? unmoved->Find(known.front().name) : Result<Symbol>(Fail(unmoved.error()));
    if (!first) return false;
    SymbolTable moved = unmoved->MovedBy(known.front().address.value() - first->address);
    if (!std::ranges::all_of(known, [&](const KnownSymbol& symbol) {
          const auto there = moved.Find(symbol.name);
          return there && there->address == symbol.address.value();
        })) {
      return false;
    }
    ImagePlaces places = {tables, Kva()};
    if (file.extents().btf_bytes > 0) {
      const auto btf = BtfPlace(moved);
      if (!btf || btf->second != file.extents().btf_bytes) return false;
      places.btf = btf->first;
    }
    // An archive that was looked at before need not be decompressed for it.
    const auto as_stored = DigestStoredImage(space_, places, file.extents(), file.key());
    if (!as_stored || !stored.Has(*as_stored)) {
      const auto digest = DigestImage(space_, places, file.extents(), file.key());
      if (!digest || *digest != file.digest()) return false;
      if (as_stored) stored.Add(*as_stored);
    }
    symbols = std::move(moved);
    return true;
  });
  if (image_ != nullptr) symbols_ = *std::move(symbols);
  return image_ != nullptr;
}

std::optional<GuestKernel::ImageSeal> GuestKernel::SealImage() const {
  if (images_ == nullptr || !decoded_ || symbols_.size() < kFewSymbols || build_id_.empty()) {
    return std::nullopt;
  }
  const auto& [tables, kallsyms] = *decoded_;
  ImageExtents extents = {kallsyms, 0};
  ImagePlaces places = {tables, Kva()};
  const auto types = this->types();
  const auto btf = BtfPlace(symbols_);
  // Types that cannot be read here can be in another machine.
  if (!types && btf) return std::nullopt;
  if (types && btf) std::tie(places.btf, extents.btf_bytes) = *btf;
  const auto key = RandomImageKey();
  if (!key) return std::nullopt;
  const auto digest = DigestImage(space_, places, extents, *key);
  if (!digest) return std::nullopt;
  return ImageSeal{extents, *key, *digest, DigestStoredImage(space_, places, extents, *key),
                   types ? *types : nullptr};
}

void GuestKernel::KeepImage(const ImageSeal& seal) const {
  // Who has no place for it, or whose disk is full, decodes again.
  const auto added =
      images_->Add(build_id_, seal.extents, seal.key, seal.digest, symbols_, seal.types);
  if (added && seal.as_stored) added->Add(*seal.as_stored);
}

void GuestKernel::KeepImage() const {
  if (const auto seal = SealImage()) KeepImage(*seal);
}

}  // namespace ktstr
