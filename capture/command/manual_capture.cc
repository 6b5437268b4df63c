// What the manual page of ktstr-capture says beyond its help.
#include "capture/command/capture_command.h"

namespace ktstr {

Manual CaptureManual() {
  Manual manual;
  manual.brief = "freeze a running Linux guest and keep the whole machine in a file";
  manual.description =
      "Without a command a machine that runs already is captured through its QMP socket. It stands "
      "still while its memory is read, and goes on afterwards. Of its kernel nothing is needed but "
      "that it runs: no symbols, no debug "
      "information, no program inside.\n\n"
      "Where only the kernel matters, --keep kernel leaves out the pages that are free, hold "
      "contents of files or belong to user space. Each of them is recorded with its reason, and "
      "reading one later is an error that says so.\n\n"
      "With --host it is the machine that this runs on, which goes on running: each page is of "
      "another moment, those of the scheduler's state of nearly one. The archive says so, and "
      "what may be torn for it is called so, not damage.\n\n"
      "An archive that could not be written to its end is not there: nothing has its name before "
      "it is whole.";
  manual.sections = {
      {"FILES",
       "",
       {{"NAME.kts", "An archive, which ktstr-analyze(1) opens."},
        {"/ktstr/capture",
         "In guests that ktstr-run(1) boots: a program that writes a word into it has the machine "
         "captured."}}},
      {"EXAMPLES",
       "Boot a guest of ours, let it work and keep it:\n"
       "  ktstr-capture boot --kernel vmlinuz-6.12-cloud-amd64 --work spin:2,sleep:3 -o "
       "demo.kts\n\n"
       "Capture a machine that runs, and let it go on:\n"
       "  ktstr-capture --qmp /run/my-guest.qmp -o my-guest.kts --tag build=1234\n\n"
       "Keep the state of this machine's kernel, whose scheduler has stalled:\n"
       "  ktstr-capture --host -o desktop.kts\n\n"
       "Look at its CPUs and its scheduler every second, without stopping it:\n"
       "  ktstr-capture watch --qmp /run/my-guest.qmp",
       {}}};
  manual.see_also = {"ktstr-analyze(1)", "ktstr-replay(1)", "ktstr-run(1)",
                     "qemu-system-x86_64(1)"};
  return manual;
}

}  // namespace ktstr
