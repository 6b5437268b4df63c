// All tables of one frozen machine: what the walkers yield and what the archive says.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "libcore/base/progress.h"
#include "libcore/base/result.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/columns_wanted.h"
#include "libcore/walk/row/row.h"
#include "replay/machine.h"

namespace ktstr {

using Tables = std::vector<std::unique_ptr<TableData>>;
// Tables that somebody is going to look at, and what of them.
using TablesWanted = std::map<std::string, ColumnsWanted, std::less<>>;
// Called with each table once all of its rows are there. Nothing changes the table afterwards, and
// it lives as long as the Tables that BuildTables returns, so the receiver may keep a reference.
using TableSink = std::function<void(const TableData&)>;

// The declarations of all tables, in the order in which documentation lists them.
std::vector<const TableInfo*> AllTableInfos();
// Whether a table is made of the rows of others: those of findings.
bool IsMadeOfOthers(const TableInfo& table);

// What every walker makes of a kernel, with its vCPUs; rows of the table "anomaly" are what could
// not be read. Tables that take an archive to fill are empty.
Tables KernelTables(const GuestKernel& kernel);

struct BuiltTables {
  Tables tables;
  // Those that may lack something because what they are made of is damaged.
  std::set<std::string> incomplete;
};

// Runs every walker. What cannot be read is rows of the table "anomaly"; a machine whose kernel
// cannot be found still has its registers and memory. `sink` may be empty. `steps` may be null;
// else it is told of progress that adds up to kTableSteps. Where `wanted` is not null,
// the other tables may be empty, and unwanted columns unknown.
BuiltTables BuildTables(Machine& machine, const KernelChoice& choice,
                        ProgressSteps* steps = nullptr, TableSink sink = {},
                        const TablesWanted* wanted = nullptr);
inline constexpr uint64_t kTableSteps = 50;

}  // namespace ktstr
