#include "libcore/archive/pack/pack_reader.h"

#include <mutex>
#include <optional>

#include "libcore/archive/bytes.h"
#include "libcore/archive/pack/recipe.h"

namespace ktstr {

using archive::BlockPlace;
using archive::BlockType;

struct PackReader::State {
  explicit State(archive::InputFile opened) : file(std::move(opened)) {}

  archive::InputFile file;
  std::vector<BlockPlace> blocks, recipes;
  std::vector<Archive> archives;
  std::mutex mutex;
  std::optional<archive::PageStore> pages;  // once one was asked for

  Result<const archive::PageStore*> Pages() {
    const std::lock_guard lock(mutex);
    if (!pages) pages.emplace(KTSTR_TRY(archive::PageStore::Open(file, blocks)));
    return &*pages;
  }
};

PackReader::PackReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
PackReader::~PackReader() = default;

Result<std::unique_ptr<PackReader>> PackReader::Open(const std::string& path) {
  auto state = std::make_unique<State>(KTSTR_TRY(archive::InputFile::Open(path)));
  state->blocks = KTSTR_TRY(archive::ReadBlockPlaces(state->file));
  for (const BlockPlace& block : state->blocks) {
    if (block.type != BlockType::kArchive) continue;
    const auto recipe =
        archive::DecodeRecipeHead(KTSTR_TRY(archive::ReadBlock(state->file, block)));
    if (!recipe) return Fail(InFile(state->file, recipe.error()));
    state->archives.push_back({recipe->name, recipe->file_size});
    state->recipes.push_back(block);
  }
  return std::unique_ptr<PackReader>(new PackReader(std::move(state)));
}

const std::vector<PackReader::Archive>& PackReader::archives() const { return state_->archives; }

Result<std::vector<PackedFile>> PackReader::ReadFiles() const {
  std::vector<PackedFile> files;
  for (const BlockPlace& block : state_->blocks) {
    if (block.type != BlockType::kFile) continue;
    const auto payload = KTSTR_TRY(archive::ReadBlock(state_->file, block));
    archive::ByteSource source(payload);
    const auto text_of = [&](uint64_t size) {
      const auto bytes = source.GetBytes(size);
      return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
    const uint64_t size = source.GetVarint();
    PackedFile& file = files.emplace_back();
    file.name = text_of(size);
    if (!source.ok()) {
      return Fail(InFile(state_->file, Error(ErrorCode::kDamaged, "a file in it has no name")));
    }
    file.text = text_of(source.left());
  }
  return files;
}

Status PackReader::Extract(size_t index, const std::string& path, int threads) const {
  const auto payload = KTSTR_TRY(archive::ReadBlock(state_->file, state_->recipes[index]));
  const auto recipe = archive::DecodeRecipe(payload);
  if (!recipe) return Fail(InFile(state_->file, recipe.error()));
  const archive::PageStore* store = KTSTR_TRY(state_->Pages());
  OutputFile file = KTSTR_TRY(OutputFile::Create(path, OutputFile::Existing::kKeep));
  archive::WorkerPool pool(threads);
  KTSTR_TRY(archive::Rebuild(*recipe, *store, pool,
                             [&](std::span<const std::byte> bytes) { return file.Append(bytes); }));
  return file.Publish();
}

}  // namespace ktstr
