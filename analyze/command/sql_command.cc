// ktstr-analyze FILE sql QUERY
#include "analyze/command/command.h"
#include "analyze/command/common_options.h"

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
  const QueryLimits limits{.timeout_s = arguments.timeout_s,
                           .max_rows = arguments.max_rows == 0 ? SIZE_MAX : arguments.max_rows};
  if (arguments.csv) session.set_format(OutputFormat::kCsv);
  return session.Stream(arguments.query, limits);
}

void DeclareSql(Options* sql, Command* chosen) {
  auto arguments = std::make_shared<QueryArguments>();
  sql->Add("QUERY", &arguments->query, "One SELECT statement").Required().TypeName("");
  AddTimeoutOption(sql, &arguments->timeout_s);
  sql->Add("--limit", &arguments->max_rows,
           "Give the first rows only, and say when there are more; 0: all")
      .TypeName("ROWS")
      .ShowDefault();
  sql->Add(
      "--csv", &arguments->csv,
      "Comma-separated values (RFC 4180), NULL as nothing; a newline is \\n, a backslash \\\\");
  sql->SetFooter(
      "'ktstr-analyze schema' lists the tables, views and functions; 'schema TABLE' the columns.\n"
      "Each function over memory has a twin with try_ before its name, which gives NULL where the\n"
      "other ends the query because memory cannot be read; what that was is told on standard\n"
      "error, and in the table query_anomaly.\n\n"
      "Examples:\n"
      "  ktstr-analyze demo.kts sql \"SELECT comm, queue, waiting_ns FROM runnable\" --limit 20\n"
      "  ktstr-analyze demo.kts sql \"SELECT * FROM task\" --csv > tasks.csv");
  sql->OnChosen([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Ask(session, *arguments); };
  });
}

}  // namespace

void AddSqlCommand(Options* app, Command* chosen) {
  app->AddSubcommand("sql", "Any query over the tables and the memory (only reading)",
                     [chosen](Options* sql) { DeclareSql(sql, chosen); });
}

}  // namespace ktstr
