#include "libcore/walk/system/keyring.h"

#include <algorithm>
#include <optional>
#include <string>

#include "libcore/walk/container/rb_tree.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

namespace {

// union key_payload (include/linux/key.h).
constexpr uint64_t kPayloadPointers = 4;
// What types of keys put before their data: struct user_key_payload (include/keys/user-type.h) has
// 24 bytes, a public key's structures some more.
constexpr uint64_t kPayloadHead = 256;
constexpr uint64_t kMostOfText = 4096;  // a description, KEY_MAX_DESC_SIZE

struct KeyMembers : Fields {
  explicit KeyMembers(const Walk& walk) : Fields(walk, "key") {}
  MaybeMember serial_node = Need("serial_node"), type = Need("type"), datalen = Need("datalen"),
              description = Maybe("description", "index_key.description"),
              payload = Need("payload.data");
};

struct KeyTypeMembers : Fields {
  explicit KeyTypeMembers(const Walk& walk) : Fields(walk, "key_type") {}
  MaybeMember name = Need("name");
};

class Keys {
 public:
  explicit Keys(const Walk& walk) : walk_(walk), key_(walk), type_(walk) {}

  std::vector<KeyMemory> Find(Kva tree) {
    if (!key_.serial_node || !key_.payload) return {};
    const uint64_t size = walk_.types.SizeOf("key").value_or(0);
    for (const Kva node : WalkRbTree(walk_, tree, "key_serial_tree")) {
      AddKey(node - key_.serial_node->offset, size);
    }
    return std::move(memory_);
  }

 private:
  void AddKey(Kva key, uint64_t size) {
    CellReader cells(walk_, key, "key");
    memory_.push_back({key, size});
    if (const auto text = cells.Pointer(key_.description); text && text->value() != 0) {
      memory_.push_back({*text, LengthOf(*text)});
    }
    if (IsKeyring(cells)) return;
    const uint64_t held = cells.Unsigned(key_.datalen).value_or(0);
    for (uint64_t i = 0; i < kPayloadPointers; ++i) {
      const auto pointer = cells.object().ReadAt<uint64_t>(key_.payload->offset + 8 * i);
      if (!pointer) {
        cells.Report(pointer.error());
      } else if (walk_.kernel.Translate(Kva(*pointer))) {
        // Numbers stand there, too: what is no address is none.
        memory_.push_back({Kva(*pointer), held + kPayloadHead});
      }
    }
  }

  bool IsKeyring(CellReader& cells) {
    const auto type = cells.Pointer(key_.type);
    if (!type) return false;
    CellReader of_type(walk_, *type, "key_type");
    const auto name = of_type.Pointer(type_.name);
    if (!name) return false;
    const auto text = walk_.kernel.ReadString(*name, kMostOfText);
    return text && *text == "keyring";
  }

  uint64_t LengthOf(Kva text) const {
    const auto read = walk_.kernel.ReadString(text, kMostOfText);
    return read ? read->size() + 1 : kMostOfText;
  }

  const Walk& walk_;
  const KeyMembers key_;
  const KeyTypeMembers type_;
  std::vector<KeyMemory> memory_;
};

}  // namespace

std::vector<KeyMemory> FindKeyMemory(const Walk& walk) {
  const auto tree = walk.kernel.symbols().Find("key_serial_tree");
  if (!tree) return {};
  return Keys(walk).Find(Kva(tree->address));
}

}  // namespace ktstr
