// list, hlist, rbtree, xarray, struct_rows: what hangs together, as rows.
#include <fmt/format.h>

#include "analyze/memory_sql/functions.h"
#include "libcore/walk/container/chain.h"
#include "libcore/walk/container/list.h"
#include "libcore/walk/container/rb_tree.h"
#include "libcore/walk/container/xarray.h"
#include "libcore/walk/value/struct_rows.h"
#include "libcore/walk/value/value_path.h"

namespace ktstr {

namespace {

WalkLimits LimitsOf(const MemorySource& memory) {
  return {.max_nodes = 1'000'000, .stop = memory.stop()};
}

using WalkNodes = std::vector<Kva> (*)(const Walk&, Kva, std::string_view);

std::vector<Kva> WalkHlist(const Walk& walk, Kva head, std::string_view name) {
  const auto first = walk.Follow<Kva>(head);
  if (first) return WalkChain(walk, *first, name);
  walk.anomalies.Add(first.error(), head, fmt::format("{}: the head", name));
  return {};
}

// The objects whose `member` is a node of the container.
template <WalkNodes kWalk>
Result<FunctionRows> Objects(MemorySource& memory, SqlArguments arguments) {
  const std::string type_name = KTSTR_TRY(TextArgument(arguments[0], "type"));
  const Kva head = KTSTR_TRY(KvaArgument(arguments[1], "head"));
  const std::string path = KTSTR_TRY(TextArgument(arguments[2], "member"));
  const NamedType type = KTSTR_TRY(memory.FindType(type_name));
  const uint64_t offset = KTSTR_TRY(FindOffset(*type.types, type.id, path));
  Anomalies anomalies("query");
  FunctionRows found;
  const std::string name = fmt::format("{}.{}", type_name, path);
  const GuestKernel* kernel = KTSTR_TRY(memory.Kernel());
  const Walk walk{*kernel, *type.types, anomalies, LimitsOf(memory), type.pointers};
  for (const Kva node : kWalk(walk, head, name)) {
    found.rows.push_back(
        {static_cast<int64_t>(found.rows.size()), Value(ToText(Hex(node - offset)))});
  }
  found.anomalies = std::move(anomalies).Take();
  return found;
}

Result<FunctionRows> XarrayEntries(MemorySource& memory, SqlArguments arguments) {
  const Kva xarray = KTSTR_TRY(KvaArgument(arguments[0], "xarray"));
  Anomalies anomalies("query");
  FunctionRows found;
  const GuestKernel* kernel = KTSTR_TRY(memory.Kernel());
  const Walk walk = KTSTR_TRY(Walk::Of(*kernel, anomalies, LimitsOf(memory)));
  for (const XarrayEntry& entry : WalkXarray(walk, xarray, "xarray")) {
    found.rows.push_back({static_cast<int64_t>(entry.index), Value(ToText(Hex(entry.entry)))});
  }
  found.anomalies = std::move(anomalies).Take();
  return found;
}

Result<FunctionRows> StructMembers(MemorySource& memory, SqlArguments arguments) {
  const std::string name = KTSTR_TRY(TextArgument(arguments[0], "type"));
  const Kva kva = KTSTR_TRY(KvaArgument(arguments[1], "addr"));
  const NamedType type = KTSTR_TRY(memory.FindType(name));
  const TypedPlace whole = KTSTR_TRY(
      FindPlace(*KTSTR_TRY(memory.Kernel()), *type.types, type.id, kva, "", type.pointers));
  constexpr size_t kMaxMembers = 20'000;
  auto members = KTSTR_TRY(ReadStructRows(*KTSTR_TRY(memory.Kernel()), *type.types, whole,
                                          {.max_nodes = kMaxMembers, .stop = memory.stop()}));
  FunctionRows found{{}, std::move(members.anomalies)};
  for (StructRow& row : members.rows) {
    found.rows.push_back(
        {std::move(row.member), std::move(row.type), row.offset, row.size, std::move(row.value)});
  }
  return found;
}

std::vector<ColumnInfo> ObjectColumns() {
  return {{"position", ColumnType::kInteger, "", "From 0."},
          {"address", ColumnType::kText, "", "Where the object begins."}};
}

}  // namespace

std::vector<TableFunction> TableFunctions() {
  return {
      {"list",
       {"type", "head", "member"},
       "The objects of a list: those of that type whose member (struct list_head) is linked behind "
       "the list_head at head.",
       ObjectColumns(),
       Objects<WalkList>},
      {"hlist",
       {"type", "head", "member"},
       "The same for an hlist_head or llist_head.",
       ObjectColumns(),
       Objects<WalkHlist>},
      {"rbtree",
       {"type", "root", "member"},
       "The same for the red-black tree whose rb_root (or rb_root_cached) is at root, in its "
       "order.",
       ObjectColumns(),
       Objects<WalkRbTree>},
      {"xarray",
       {"xarray"},
       "The entries of the xarray, radix tree or idr at an address.",
       {{"position", ColumnType::kInteger, "", "Index of the entry."},
        {"address", ColumnType::kText, "", "The entry: a pointer, or an odd value."}},
       XarrayEntries},
      {"struct_rows",
       {"type", "addr"},
       "The members of the structure of that type at addr, those of structures in it in their "
       "stead.",
       {{"member", ColumnType::kText, "", "Path of the member."},
        {"type", ColumnType::kText, "", "Its type, as C writes it."},
        {"offset", ColumnType::kInteger, "bytes", "From the structure's begin."},
        {"size", ColumnType::kInteger, "bytes", "Of a bit field: of the integer that holds it."},
        {"value", ColumnType::kText, "", "As field() gives it."}},
       StructMembers},
  };
}

}  // namespace ktstr
