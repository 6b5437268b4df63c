// ktstr-analyze schema [TABLE]
#include "analyze/command/command.h"
#include "analyze/index/cells.h"
#include "analyze/text/output.h"
#include "analyze/text/schema.h"

namespace ktstr {

namespace {

Result<std::string> Describe(const std::string& name, bool json) {
  if (name.empty()) {
    const QueryResult list = SchemaList();
    return json ? ToJson(list) : ToTextTable(list, {TerminalWidth()});
  }
  const Schema schema = KTSTR_TRY(SchemaOf(name));
  if (json) return ToJson(schema.columns);
  std::string text = schema.heading + "\n";
  if (schema.columns.rows.empty()) return text;
  return text + "\n" + ToTextTable(schema.columns, {TerminalWidth()});
}

// Without the parameters of functions.
std::vector<std::string> SchemaNames() {
  std::vector<std::string> names;
  for (const auto& row : SchemaList().rows) {
    const auto& name = TextOf(row[1]);
    names.push_back(name.substr(0, name.find('(')));
  }
  return names;
}

void DeclareSchema(Options* schema, Command* chosen) {
  auto name = std::make_shared<std::string>();
  schema->Add("TABLE", name.get(), "A table, view or function").TypeName("").Offer(SchemaNames);
  schema->OnChosen([chosen, name] {
    *chosen = [name](Session& session) { return Describe(*name, session.json()); };
  });
}

}  // namespace

void AddSchemaCommand(Options* app, Command* chosen) {
  app->AddSubcommand("schema",
                     "Tables, views and functions for SQL; with TABLE its columns (needs no FILE)",
                     [chosen](Options* schema) { DeclareSchema(schema, chosen); })
      .StandsAlone();
}

}  // namespace ktstr
