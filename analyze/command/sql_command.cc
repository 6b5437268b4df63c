// ktstr-analyze FILE sql QUERY
#include "ktstr/analyze/command/command.h"

namespace ktstr {

namespace {

struct QueryArguments {
  std::string query;
  double timeout_s = 60;
};

}  // namespace

void AddSqlCommand(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<QueryArguments>();
  CLI::App* sql =
      app->add_subcommand("sql", "Any query over the tables and the memory (only reading)");
  sql->add_option("QUERY", arguments->query, "One SELECT statement")->required()->type_name("");
  sql->add_option("--timeout", arguments->timeout_s, "Give up after that many seconds; 0: never")
      ->type_name("S")
      ->capture_default_str();
  sql->footer(
      "'ktstr-analyze schema' lists the tables, views and functions; 'schema TABLE' the columns.\n"
      "Each function over memory has a twin with try_ before its name, which gives NULL where the\n"
      "other ends the query because memory cannot be read; what that was is told on standard\n"
      "error, and in the table query_anomaly.");
  sql->callback([chosen, arguments] {
    *chosen = [arguments](Session& session) {
      return session.Answer(arguments->query, {.timeout_s = arguments->timeout_s});
    };
  });
}

}  // namespace ktstr
