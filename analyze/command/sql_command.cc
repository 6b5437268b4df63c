// ktstr-analyze FILE sql QUERY
#include "ktstr/analyze/command/command.h"
#include "ktstr/analyze/command/common_options.h"

namespace ktstr {

namespace {

struct QueryArguments {
  std::string query;
  double timeout_s = 60;
  size_t max_rows = 0;  // 0: all
  bool csv = false;
};

Result<std::string> Ask(Session& session, const QueryArguments& arguments) {
  if (arguments.csv && session.json()) {
    return Fail(ErrorCode::kInvalidArgument, "--csv and --json exclude each other");
  }
  if (arguments.csv) session.set_format(OutputFormat::kCsv);
  return session.Answer(arguments.query,
                        {.timeout_s = arguments.timeout_s,
                         .max_rows = arguments.max_rows == 0 ? SIZE_MAX : arguments.max_rows});
}

}  // namespace

void AddSqlCommand(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<QueryArguments>();
  CLI::App* sql =
      app->add_subcommand("sql", "Any query over the tables and the memory (only reading)");
  sql->add_option("QUERY", arguments->query, "One SELECT statement")->required()->type_name("");
  AddTimeoutOption(sql, &arguments->timeout_s);
  sql->add_option("--limit", arguments->max_rows,
                  "Give the first rows only, and say when there are more; 0: all")
      ->type_name("ROWS")
      ->capture_default_str();
  sql->add_flag("--csv", arguments->csv, "Comma-separated values (RFC 4180), NULL as nothing");
  sql->footer(
      "'ktstr-analyze schema' lists the tables, views and functions; 'schema TABLE' the columns.\n"
      "Each function over memory has a twin with try_ before its name, which gives NULL where the\n"
      "other ends the query because memory cannot be read; what that was is told on standard\n"
      "error, and in the table query_anomaly.\n\n"
      "Examples:\n"
      "  ktstr-analyze demo.kts sql \"SELECT comm, queue, waiting_ns FROM runnable\" --limit 20\n"
      "  ktstr-analyze demo.kts sql \"SELECT * FROM task\" --csv > tasks.csv");
  sql->callback([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Ask(session, *arguments); };
  });
}

}  // namespace ktstr
