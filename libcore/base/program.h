// What every program of ours does around its own work.
#pragma once

namespace ktstr {

// Calls `run`, and yields what main returns: what `run` gave, or 4 with a message on standard error
// when something that was written to standard output is lost (Output::lost).
//
// Whatever happens to the process, it ends with a sentence and an exit code: a write that the
// system refuses (a file beyond its size limit, a pipe whose reader has gone) is an error of that
// write and no signal; memory that runs out, or a thread that cannot be started, is exit code 4. A
// program that was started without standard input, output or error opens no file of its own in
// their place.
int RunProgram(const char* name, int argc, char** argv, int (*run)(int argc, char** argv));

}  // namespace ktstr
