// What programs that take a request share: reading it from a file, printing the reply.
#pragma once

#include <string>

#include "libcore/base/result.h"
#include "libcore/ops/request.h"

namespace ktstr {

// The request in a JSON file; "-" is standard input. Errors: kNotFound, kIo; kInvalidArgument for
// what is in it, naming the file.
Result<OpRequest> ReadRequestFile(const std::string& path);

// Prints the reply as one line of JSON to standard output. kDone, or kAnswerIsNo for a batch that
// failed. Errors: kIo.
Result<ExitCode> PrintReply(const OpReply& reply);

}  // namespace ktstr
