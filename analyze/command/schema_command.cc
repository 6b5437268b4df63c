// ktstr-analyze schema [TABLE]
#include "ktstr/analyze/command/command.h"
#include "ktstr/analyze/output.h"
#include "ktstr/analyze/report/schema.h"

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

}  // namespace

void AddSchemaCommand(CLI::App* app, Command* chosen) {
  auto name = std::make_shared<std::string>();
  CLI::App* schema = app->add_subcommand(
      "schema", "Tables, views and functions for SQL; with TABLE its columns (needs no FILE)");
  schema->add_option("TABLE", *name, "A table, view or function")->type_name("");
  schema->callback([chosen, name] {
    *chosen = [name](Session& session) { return Describe(*name, session.json()); };
  });
}

}  // namespace ktstr
