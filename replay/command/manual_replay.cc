// What the manual page of ktstr-replay says beyond its help.
#include "replay/command/replay_command.h"

namespace ktstr {

Manual ReplayManual() {
  Manual manual;
  manual.brief = "change, wake, mend and exchange frozen machines";
  manual.description =
      "ARCHIVE is a file that ktstr-capture(1) or ktstr-run(1) wrote. Its pages are decompressed "
      "as they are read, and what is written is kept in private copies of them: ARCHIVE is never "
      "changed. The same requests are answered by ktstr-capture ops of a machine that runs.\n\n"
      "resume and what-if start a QEMU in which the machine goes on from where it stood. It is the "
      "same machine to its guest; RAM, sockets, consoles and networks of the host are replaced by "
      "private ones. An archive that lacks something for it (pages that --keep kernel left out, a "
      "disk) says so before a QEMU is started.";
  manual.sections = {
      {"FILES",
       "",
       {{"ARCHIVE.kts", "A frozen machine."},
        {"DUMP, OUT", "A machine as other tools keep it: an ELF core, a kdump-compressed dump."},
        {"NEW.kts", "A machine derived from it, which names ARCHIVE as its parent."},
        {"$XDG_RUNTIME_DIR/ktstr-*, /tmp/ktstr-*",
         "The sockets and the console's log of a woken machine, while it is there, and the socket "
         "at which gdb is waited for."},
        {"~/.cache/ktstr/qemu",
         "Where QEMUs of other versions than the installed one are found."}}},
      {"EXAMPLES",
       "Read a variable of the kernel, and change it in a copy:\n"
       "  echo '{\"direction\":\"read\",\"entries\":[{\"target\":{\"symbol\":\"jiffies\"},"
       "\"value\":{\"u64\":0}}]}' |\n"
       "    ktstr-replay ops demo.kts --request -\n"
       "  ktstr-replay ops demo.kts --request write.json --save changed.kts\n\n"
       "Let a machine run on for 3 s, and freeze it again:\n"
       "  ktstr-replay resume demo.kts --for 3s --then capture later.kts\n\n"
       "Wake it for a debugger (gdb: target remote /tmp/gdb.sock):\n"
       "  ktstr-replay resume demo.kts --paused --gdb /tmp/gdb.sock\n\n"
       "Look at it in gdb as it stands, with its symbols and stacks:\n"
       "  ktstr-replay symbols demo.kts -o demo.elf\n"
       "  gdb demo.elf -ex 'target remote | ktstr-replay gdb demo.kts -'\n\n"
       "See what a change would have made different:\n"
       "  ktstr-replay what-if demo.kts --request write.json --for 5s\n\n"
       "Look whether an archive is whole, and keep what is left of one that is not:\n"
       "  ktstr-replay verify demo.kts\n"
       "  ktstr-replay salvage broken.kts rest.kts\n\n"
       "Give it away without what its users had in memory:\n"
       "  ktstr-replay scrub demo.kts public.kts\n\n"
       "Look at it with crash, and at a kernel's crash dump as an archive:\n"
       "  ktstr-replay export demo.kts demo.vmcore\n"
       "  crash vmlinux demo.vmcore\n"
       "  ktstr-replay import /var/crash/vmcore -o crash.kts",
       {}}};
  manual.see_also = {"ktstr-analyze(1)", "ktstr-capture(1)", "ktstr-run(1)", "gdb(1)"};
  return manual;
}

}  // namespace ktstr
