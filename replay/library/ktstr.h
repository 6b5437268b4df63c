/* libktstr: a frozen machine (.kts) for programs in C and in languages that call C: its memory,
 * registers and symbols. Tables and SQL are ktstr-analyze's.
 *
 * Functions that can fail take a ktstr_error, which may be NULL, and fill it when they fail. A
 * machine may be used by several threads at once, but not while or after it is closed. Strings are
 * UTF-8. Numbers are the guest's; addresses count bytes. Nothing that is not in the archive is
 * given as zero: reading it fails. */
#ifndef KTSTR_H
#define KTSTR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KTSTR_API __attribute__((visibility("default")))

/* Grows with each change that a program compiled for another version could notice. */
#define KTSTR_LIBRARY_VERSION 1
KTSTR_API int ktstr_library_version(void);

typedef struct ktstr_machine ktstr_machine;

enum ktstr_code {
  KTSTR_OK = 0,
  KTSTR_NOT_FOUND = 1,   /* a file, symbol, vCPU or kernel that there is not */
  KTSTR_UNMAPPED = 2,    /* a virtual address leads nowhere */
  KTSTR_UNREADABLE = 3,  /* memory that exists, but whose contents are not in the archive */
  KTSTR_OUTSIDE = 4,     /* no memory is there */
  KTSTR_DAMAGED = 5,     /* the archive, or the guest's page tables */
  KTSTR_UNSUPPORTED = 6, /* an archive of a version, or a machine of a kind, that is not known */
  KTSTR_INVALID = 7,     /* arguments that cannot be */
  KTSTR_SYSTEM = 8       /* the operating system refused: memory, files */
};

typedef struct {
  int code;         /* enum ktstr_code */
  uint64_t address; /* of reading: the first address that could not be read */
  char message[512];
} ktstr_error;

/* Accepts an archive whose metadata or registers are damaged: it has none then. */
#define KTSTR_ACCEPT_DAMAGE 1

/* NULL on an error. */
KTSTR_API ktstr_machine* ktstr_open(const char* path, int flags, ktstr_error* error);
KTSTR_API void ktstr_close(ktstr_machine* machine);

/* The archive's identity: 32 hexadecimal digits. Lives as long as the machine. */
KTSTR_API const char* ktstr_digest(const ktstr_machine* machine);

/* Physical memory: regions of RAM, ascending; `end` is the address behind the last byte. */
KTSTR_API size_t ktstr_region_count(const ktstr_machine* machine);
KTSTR_API int ktstr_region(const ktstr_machine* machine, size_t index, uint64_t* begin,
                           uint64_t* end);

/* What became of a page: "present", "zero", "not captured", "outside memory", "damaged"; why it was
 * left out: "", "free", "page cache", "user data", "device", "scrubbed". The strings live for ever.
 */
KTSTR_API void ktstr_page_fate(const ktstr_machine* machine, uint64_t physical, const char** fate,
                               const char** reason);

/* These return an enum ktstr_code; of what they fill in nothing may be used on an error. */
KTSTR_API int ktstr_read_physical(const ktstr_machine* machine, uint64_t physical, void* out,
                                  size_t size, ktstr_error* error);
/* An address of the kernel's. */
KTSTR_API int ktstr_read(ktstr_machine* machine, uint64_t address, void* out, size_t size,
                         ktstr_error* error);
KTSTR_API int ktstr_translate(ktstr_machine* machine, uint64_t address, uint64_t* physical,
                              ktstr_error* error);
/* Any address by the page tables that a vCPU has: user space of what it runs. KTSTR_NOT_FOUND where
 * they are not known. */
KTSTR_API int ktstr_read_of_vcpu(const ktstr_machine* machine, size_t vcpu, uint64_t address,
                                 void* out, size_t size, ktstr_error* error);

typedef struct {
  uint16_t selector;
  uint64_t base;
  uint32_t limit, attributes; /* attributes: bits 8 to 23 of the descriptor's high word, in place */
} ktstr_segment;

/* Registers that a machine which came from another tool's dump may lack, together: bits of
 * ktstr_vcpu.unknown. Those are 0 then, which says nothing. */
enum ktstr_unknown {
  KTSTR_UNKNOWN_DESCRIPTORS = 1,   /* base, limit and attributes of segments but the bases of FS and
                                      GS; LDT, TR, GDT and IDT */
  KTSTR_UNKNOWN_GS_BASE = 2,       /* gs.base */
  KTSTR_UNKNOWN_KERNEL_GS = 4,     /* kernel_gs_base */
  KTSTR_UNKNOWN_CONTROL = 8,       /* cr0, cr2, cr3, cr4 */
  KTSTR_UNKNOWN_SYSTEM_CALLS = 16, /* efer, star, lstar, cstar, fmask */
  KTSTR_UNKNOWN_TSC = 32,          /* tsc */
  KTSTR_UNKNOWN_HALTED = 64        /* halted */
};

typedef struct {
  uint32_t cpu;     /* as the VMM counts, from 0 */
  uint32_t halted;  /* 1: in HLT until the next interrupt */
  uint32_t unknown; /* bits of enum ktstr_unknown */
  uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
  uint64_t rip, rflags;
  ktstr_segment es, cs, ss, ds, fs, gs, ldt, tr;
  uint64_t gdt_base, idt_base;
  uint32_t gdt_limit, idt_limit;
  uint64_t cr0, cr2, cr3, cr4, efer, star, lstar, cstar, fmask, kernel_gs_base, tsc;
} ktstr_vcpu;

KTSTR_API size_t ktstr_vcpu_count(const ktstr_machine* machine);
KTSTR_API int ktstr_vcpu_registers(const ktstr_machine* machine, size_t index, ktstr_vcpu* out,
                                   ktstr_error* error);

typedef struct {
  char release[128];     /* such as "6.12.117+deb12-cloud-amd64" */
  int kaslr_known;       /* 0: kaslr_offset is not known, which is not the same as 0 */
  uint64_t kaslr_offset; /* how far the kernel's text moved, in bytes */
  uint64_t phys_base;
  uint64_t page_offset;   /* where the direct map of physical memory begins */
  uint32_t paging_levels; /* 4 or 5 */
} ktstr_kernel;

/* The kernel that the vCPUs run, found at the first call that needs it. */
KTSTR_API int ktstr_find_kernel(ktstr_machine* machine, ktstr_kernel* out, ktstr_error* error);
/* The address of a symbol at run time; of a per-CPU one that counts from 0 its offset. */
KTSTR_API int ktstr_symbol(ktstr_machine* machine, const char* name, uint64_t* address,
                           ktstr_error* error);
/* The last symbol of the kernel's image at or below an address in it: its name, cut to `size` with
 * the final NUL, and how far behind its begin the address is. */
KTSTR_API int ktstr_symbol_at(ktstr_machine* machine, uint64_t address, char* name, size_t size,
                              uint64_t* offset, ktstr_error* error);
/* The text of the note in which the kernel tells crash tools of itself (VMCOREINFO): at most `size`
 * bytes, without a final NUL; its length is in `length`. */
KTSTR_API int ktstr_vmcoreinfo(ktstr_machine* machine, char* out, size_t size, size_t* length,
                               ktstr_error* error);

#ifdef __cplusplus
}
#endif

#endif
